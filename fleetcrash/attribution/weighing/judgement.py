"""A judgement: what is said of some events, with its weights, and why no more is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.hypotheses.dormant import Dormant
from fleetcrash.counts import MOSTLY

# How likely an answer has to be to be given, and to be kept.
NAMING_PROBABILITY = 0.9
KEEPING_PROBABILITY = 0.5

# Updates that are less likely are not what a tie is between. But many alike are, if together as likely as three.
TIED_FROM = 0.05
_ALIKE = 0.5  # as likely as the likeliest one, or more
_TIED_TOGETHER = 3 * TIED_FROM

# How long an undetermined incident is given before a tie is called a tie.
JUDGING_MINUTES = 15


class Kind(StrEnum):
    """What an incident's verdict may be."""

    UPDATE = "update"
    NO_UPDATE = "no_update"
    CANNOT_SEPARATE = "cannot_separate"
    UNDETERMINED = "undetermined"

    @property
    def is_answer(self) -> bool:
        """Whether it says what did it, an update or none."""
        return self in (Kind.UPDATE, Kind.NO_UPDATE)


class Lack(StrEnum):
    """Why the likeliest update is not named, as it stands in a sentence behind "because"."""

    INSTALLS = "it is not on record which hosts had the update"
    BESIDE = "too few hosts without the update were there to compare with"
    STRUCK_TOO = "hosts without the update crash as well"
    ALONE = "too few hosts have only one of them"
    WITNESSES = "the hosts that crashed have more in common than the update"
    BOOTS = "the update made hosts boot, and another may have waited for that"
    AS_EVER = "its hosts crash as they boot, in the modules that hosts crash in anyway"
    IN_TIME = "what speaks for the update was told hours late"
    TOLD = "the hosts that crashed have not told whether they got the update"
    LATELY = "the update was installed too long ago for the time since then to tell"
    TOGETHER = "hosts with all of them are struck, and one may need another"


def are_tied(probabilities: Sequence[float] | Floats) -> Mask:
    """Which of some updates, by the posterior of each, are likely enough for a tie to be between them."""
    weights = np.asarray(probabilities, dtype=np.float64)
    alike = weights >= _ALIKE * weights.max(initial=0.0)
    return (weights >= TIED_FROM) | (alike & (weights[alike].sum() >= _TIED_TOGETHER))


@dataclass(frozen=True)
class Judgement:
    """A verdict with its weights.

    Attributes:
        kind: the verdict.
        update: index of the named update, else None.
        probabilities: (U,) posterior of each update of the trial; the rest is "no change".
        wave: index of the strongest wave and of its shape, None without a wave, or where "no update" is only kept.
        log_margin: log of how much better the leading update explains the events than the best wave.
        near: updates that the evidence does not tell from the leading one, which is one of them.
        is_doubted: an update would be named, were its witnesses not some of its hosts alone; see ``witnesses``.
        is_known: another incident names the named update, which is behind these events, too.
        is_told_by_hosts: those that lack the named update fare so much better at the same moments that it was none of
            before, which they have as well.
        is_told_by_delay: hosts are struck as long after they got the named update as a fault would have it, whenever
            that is; so clearly that it may be named after "no update" was said.
        unweighed: updates that may be behind it without being on trial; see ``missing_installs`` and ``older``.
        lacks: why the likeliest is not named, if there is more to say than that it is not likely enough.
        dormant: the fault of the named update, where hosts have had that for more than a day.
    """

    kind: Kind
    update: int | None
    probabilities: Floats
    wave: tuple[int, int] | None
    log_margin: float
    near: tuple[int, ...] = ()
    is_doubted: bool = False
    is_known: bool = False
    is_told_by_hosts: bool = False
    is_told_by_delay: bool = False
    unweighed: tuple[int, ...] = ()
    lacks: Lack | None = None
    dormant: Dormant | None = None

    def widened_to(self, updates: Ints, own: Ints) -> Judgement:
        """The same, with a probability of each of more updates: none of those that were not weighed.

        Args:
            updates: (U,) all of them, in order. own: those that were weighed.
        """
        probabilities = np.zeros(len(updates))
        probabilities[np.searchsorted(updates, own)] = self.probabilities
        return replace(self, probabilities=probabilities)

    def leader(self, updates: Ints) -> int | None:
        """The likeliest of the updates (U,) that were weighed, where any change is likelier than none."""
        likely = float(self.probabilities.sum()) > MOSTLY
        return int(updates[np.argmax(self.probabilities)]) if likely else None

    def candidates(self, updates: Ints) -> Ints:
        """Those of the updates (U,) that were weighed which are likely enough for a tie to be between them."""
        return updates[are_tied(self.probabilities)]

    def stated(self, kind: Kind) -> Floats:
        """(U,) the posterior as a verdict has it.

        *No update* may rest on witnesses, whom the posterior does not weigh; no change is as likely then as that takes.
        """
        most, total = 1.0 - NAMING_PROBABILITY, float(self.probabilities.sum())
        is_less = kind is Kind.NO_UPDATE and total > most
        return self.probabilities * (most / total) if is_less else self.probabilities

    def left_open(self, unweighed: tuple[int, ...], minutes_open: int, lacks: Lack = Lack.TOLD) -> Judgement:
        """The same, where some updates may be behind what seemed to follow none.

        Args:
            minutes_open: minutes since the alarm.
        """
        return replace(self, kind=kind_of_open(minutes_open), update=None, unweighed=unweighed, lacks=lacks)

    def left_to_older(self, older: tuple[int, ...], minutes_open: int) -> Judgement:
        """The same, where updates of long before may be behind it and those that are on trial are not.

        Args:
            minutes_open: minutes since the alarm.
        """
        lacks = Lack.LATELY
        if self.update in older:
            lacks = Lack.ALONE if len(older) > 1 else Lack.BESIDE
        return replace(self.left_open(older, minutes_open, lacks), probabilities=np.zeros_like(self.probabilities))

    @property
    def is_left_to_older(self) -> bool:
        """Whether updates of long before alone may be behind it."""
        return self.lacks is Lack.LATELY and bool(self.unweighed)

    def beside(self, others: tuple[int, ...]) -> Judgement:
        """The same, where others may be behind it as well as those that it is left to, or with these together."""
        together = tuple(dict.fromkeys((*self.unweighed, *others)))
        return replace(self, unweighed=together, lacks=Lack.TOGETHER if len(together) > 1 else self.lacks)

    def put_down_to(self, dormant: Dormant, updates: Ints) -> Judgement:
        """The same, where a fault of long before is behind it and none of those that are on trial.

        Args:
            updates: (U,) those on trial, and that one.
        """
        return Judgement(
            Kind.UPDATE,
            dormant.update,
            np.where(updates == dormant.update, dormant.probability, 0.0),
            self.wave,
            dormant.log_odds,
            (dormant.update,),
            is_told_by_hosts=True,
            dormant=dormant,
        )

    def put_down_to_place(self, wave: tuple[int, int] | None) -> Judgement:
        """The same, where servers of one place alone fell silent together, which no update does.

        Args:
            wave: the one in which they did.
        """
        return Judgement(Kind.NO_UPDATE, None, np.zeros_like(self.probabilities), wave, self.log_margin)

    def undecided(self) -> Judgement:
        """The same, where too little is known to say anything."""
        return replace(self, kind=Kind.UNDETERMINED, update=None)

    def taken_back(self, minutes_open: int, lacks: Lack) -> Judgement:
        """The same without the name, if there is one.

        Args:
            minutes_open: minutes since the alarm. lacks: why.
        """
        if self.update is None:
            return self
        return replace(self, kind=kind_of_open(minutes_open), update=None, lacks=lacks)


def kind_of_open(minutes_open: int) -> Kind:
    """What is said where several may have done it: nothing at first."""
    return Kind.CANNOT_SEPARATE if minutes_open >= JUDGING_MINUTES else Kind.UNDETERMINED
