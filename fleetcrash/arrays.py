"""Names for the kinds of numpy arrays that signatures speak of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Narrow = NDArray[np.int32]
Mask = NDArray[np.bool_]
# Strings, or None where a record tells nothing.
Texts = NDArray[np.object_]
