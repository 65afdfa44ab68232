"""Builds what the picture of a finding says: who does what, moment by moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ddplint.findings import EventKind, RankEvent
from ddplint.flow.values import Place
from ddplint.rules.base import span_of

MAIN = "rank 0"
OTHERS = "ranks 1 to N-1"


class Does(NamedTuple):
    """What one lane does: `place` is where it says so, if anywhere; `share` as in `RankEvent`."""

    kind: EventKind
    label: str
    place: Place | None = None
    share: str = ""


def in_order(*moments: Mapping[str, Does]) -> tuple[RankEvent, ...]:
    """The events of several moments, each given as what every lane does then; a moment without events is left out."""
    events: list[RankEvent] = []
    for number, moment in enumerate([moment for moment in moments if moment], 1):
        for lane, does in moment.items():
            span = span_of(does.place.path, does.place.position) if does.place is not None else None
            events.append(RankEvent(number, lane, does.kind, does.label, span, does.share))
    return tuple(events)


def together(lanes: tuple[str, ...], does: Does) -> dict[str, Does]:
    """One thing that all lanes do or miss together."""
    return dict.fromkeys(lanes, does)
