"""Which crashes are one fault.

A crash's ``Shape`` is all that the rules read of it. ``rules`` makes a ``Signature`` of it, on two levels: the *family*
(OS, class of the code, and the innermost frame that is not the system's own) is what a cluster shares; the *variant*
adds version and offset. What the rules know is text, in ``lists/``. ``clusters`` counts, ``states`` says what a cluster
does, ``documents`` is what the commands print.

Start reading at ``rules``. Storing crashes, and finding what is to blame, are done elsewhere.
"""

from fleetcrash.clustering.clusters import Cluster, Clusters, Sample, SeenFrame, Signatures, Variant
from fleetcrash.clustering.rules import sign
from fleetcrash.clustering.signature import Frame, Role, Shape, Signature, Step
from fleetcrash.clustering.states import State

__all__ = [
    "Cluster",
    "Clusters",
    "Frame",
    "Role",
    "Sample",
    "SeenFrame",
    "Shape",
    "Signature",
    "Signatures",
    "State",
    "Step",
    "Variant",
    "sign",
]
