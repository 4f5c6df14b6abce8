"""What the detector asks the lake of one update or of some events, beside the counts that it has anyway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import pyarrow as pa

from fleetcrash.arrays import Floats, Ints
from fleetcrash.attribution.facts.answers import (
    AtPlace,
    Beside,
    ByDelay,
    ByStart,
    ExposedAt,
    Had,
    Holders,
    LeftAt,
    Whereabouts,
)
from fleetcrash.attribution.facts.columns import as_cells, ints, narrow, numbered, texts
from fleetcrash.store.engine import Engine

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")

_MOST_ANSWERS = 512


def _kept(
    ask: Callable[Concatenate[Questions, Asked], Answer],
) -> Callable[Concatenate[Questions, Asked], Answer]:
    """Keep the newest answers: at every judgement much is asked that was asked at the one before."""

    @wraps(ask)
    def answered(self: Questions, /, *asked: Asked.args, **named: Asked.kwargs) -> Answer:
        question = (ask.__name__, asked, tuple(named.items()))
        if question not in self.answers:
            self.answers[question] = ask(self, *asked, **named)
            if len(self.answers) > _MOST_ANSWERS:
                del self.answers[next(iter(self.answers))]
        return self.answers[question]

    return answered


class Questions:
    """What the lake is asked, and its answers.

    Updates are named by their index, events and cells by their numbers. What a question names a tick for is answered
    as it was known then.

    Args:
        engine: must still be open when something is asked.
        update_ids: those on trial, by their index.
    Attributes:
        answers: what was asked lately.
    """

    def __init__(self, engine: Engine, update_ids: Sequence[str]) -> None:
        self._engine = engine
        self._update_ids = update_ids
        self._index = {update_id: index for index, update_id in enumerate(self._update_ids)}
        self.answers: dict[tuple[Any, ...], Any] = {}

    @_kept
    def beside(self, update: int) -> Beside:
        """What else the hosts with an update had when they got it."""
        table = self._of_update("beside", update)
        return Beside(
            tick=ints(table, "tick"),
            since=ints(table, "since"),
            is_count=table["host_id"].is_null().to_numpy(),
            host=texts(table, "host_id"),
            cell=as_cells(ints(table, "cell")),
            other=self._updates(table, "other"),
            change=ints(table, "change"),
        )

    @_kept
    def exposed_at(self, update: int) -> ExposedAt:
        """Where the hosts with an update stood."""
        table = self._of_update("exposed_at_places", update)
        return ExposedAt(
            tick=narrow(table, "tick"),
            minute=narrow(table, "minute"),
            cell=as_cells(narrow(table, "cell")),
            place=narrow(table, "place", missing=-1),
            hosts=narrow(table, "hosts"),
            prints=table["prints"].to_numpy(),
        )

    @_kept
    def left_at(self, update: int) -> LeftAt:
        """Where hosts stood that left with an update."""
        table = self._of_update("left_at_places", update)
        return LeftAt(
            tick=ints(table, "tick"),
            dimension=texts(table, "dimension"),
            place=texts(table, "place"),
            hosts=ints(table, "hosts"),
            with_update=ints(table, "with_update"),
        )

    @_kept
    def had(self, update: int) -> Had:
        """Which events happened to hosts that had an update, for however long."""
        table = self._of_update("events_with_update", update)
        return Had(event=ints(table, "event"), tick=ints(table, "tick"))

    @_kept
    def told_installs(self) -> Had:
        """Which events happened to hosts that ever told of an install, of whatever update."""
        table = self._engine.table("detection/events_of_tellers")
        return Had(event=ints(table, "event"), tick=ints(table, "tick"))

    @_kept
    def share_that_tells(self, cells: tuple[int, ...], tick: int) -> float:
        """How many of the hosts at risk in some cells had told of an install by a tick, as a share; of nobody all."""
        row = self._engine.rows("detection/hosts_that_tell", cells=_as_the_lake_has(cells), at=_instant(tick))[0]
        return row["tell"] / row["hosts"] if row["hosts"] else 1.0

    @_kept
    def whereabouts(self, update: int, events: tuple[int, ...], cells: tuple[int, ...]) -> Whereabouts:
        """Where some events happened, among the hosts with an update in some cells."""
        table = self._of_update("hosts_beside_events", update, events=list(events), cells=_as_the_lake_has(cells))
        return Whereabouts(
            dimension=texts(table, "dimension"),
            place=texts(table, "place"),
            hosts=ints(table, "hosts"),
            hosts_there=ints(table, "hosts_there"),
        )

    @_kept
    def at_place(self, update: int, events: tuple[int, ...], tick: int) -> AtPlace:
        """Whom at the places of some events these may have struck, with an update or not."""
        table = self._of_update("hosts_beside_at_place", update, events=list(events), at=_instant(tick))
        return AtPlace(
            dimension=texts(table, "dimension"),
            hosts=ints(table, "hosts"),
            hosts_with=ints(table, "hosts_with"),
            had=table["had"].to_numpy(),
        )

    @_kept
    def by_start(
        self, update: int, events: tuple[int, ...], cells: tuple[int, ...], minutes: int, tick: int
    ) -> ByStart:
        """Whom some events struck of the hosts with an update in some cells, by when these got it.

        Args:
            minutes: within so many of the install.
        """
        table = self._of_update(
            "hosts_by_start",
            update,
            events=list(events),
            cells=_as_the_lake_has(cells),
            minutes=minutes,
            at=_instant(tick),
        )
        return ByStart(
            always_on=table["always_on"].to_numpy(zero_copy_only=False),
            fresh=table["fresh"].to_numpy(zero_copy_only=False),
            installed=ints(table, "installed"),
            at_risk_s=table["at_risk_s"].to_numpy(),
            struck=ints(table, "struck"),
        )

    @_kept
    def by_delay(self, update: int, events: tuple[int, ...], tick: int) -> ByDelay:
        """Beside whom some events happened, by how long these had had an update."""
        table = self._of_update("hosts_by_delay", update, events=list(events), at=_instant(tick))
        return ByDelay(
            event=ints(table, "event"),
            had=table["age_s"].is_valid().to_numpy(),
            age_s=ints(table, "age_s"),
            hosts=ints(table, "hosts"),
            struck=ints(table, "struck"),
        )

    @_kept
    def minutes_with_it(self, update: int, shape: tuple[int, int], since: int, tick: int) -> Floats:
        """(cells, BOOTS) minutes since one minute for which hosts were at risk that had had an update by then.

        Args:
            shape: of the answer.
        """
        table = self._of_update("minutes_with_update", update, since=_instant(since), at=_instant(tick))
        minutes = np.zeros(shape)
        minutes[as_cells(ints(table, "cell")), ints(table, "since_boot")] = table["minutes"].to_numpy()
        return minutes

    @_kept
    def holders(self, events: tuple[int, ...], tick: int) -> Holders:
        """Which updates the hosts of some events had."""
        table = self._engine.table("detection/holders_beside_events", events=list(events), at=_instant(tick))
        return Holders(
            event=ints(table, "event"),
            update=self._updates(table, "update_id"),
            hosts=ints(table, "hosts"),
            had=table["had"].to_numpy(),
        )

    def _of_update(self, query: str, update: int, **parameters: Any) -> pa.Table:
        return self._engine.table(f"detection/{query}", update_id=self._update_ids[update], **parameters)

    def _updates(self, table: pa.Table, name: str) -> Ints:
        """(n,) the updates of a column; -1 where none is named."""
        names, name_of_row = numbered(table, name)
        return np.array([*(self._index.get(one, -1) for one in names), -1], dtype=np.int64)[name_of_row]


def _as_the_lake_has(cells: tuple[int, ...]) -> list[int]:
    """The numbers of cells in the queries, which count from -1."""
    return [cell - 1 for cell in cells]


def _instant(tick: int) -> datetime:
    return datetime.fromtimestamp(tick * 60, UTC)
