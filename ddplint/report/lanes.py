"""The picture of a finding as plain data: a lane per rank (or run), what each does when, where they meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ddplint.findings import EventKind, Finding, RankEvent, Span

_JOINT: tuple[EventKind, ...] = ("meet", "miss")


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens side by side: `cells` by number of the lane, or `joint`, one thing from lane `first` to `last`.

    `open_` says for each lane whether it still takes part afterwards.
    """

    cells: Mapping[int, RankEvent]
    joint: RankEvent | None = None
    first: int = 0
    last: int = 0
    open_: tuple[bool, ...] = ()

    @property
    def span(self) -> Span | None:
        """The first place that the moment names."""
        events = [self.joint] if self.joint else [self.cells[lane] for lane in sorted(self.cells)]
        return next((event.span for event in events if event is not None and event.span), None)


@dataclass(frozen=True, slots=True)
class Picture:
    """`lanes` are the lanes' names in order of their first event."""

    lanes: tuple[str, ...]
    moments: tuple[Moment, ...]


def picture_of(finding: Finding) -> Picture | None:
    """The picture of what a finding says of ranks; None where it says nothing of them."""
    if not finding.ranks:
        return None
    lanes = tuple(dict.fromkeys(event.lane for event in finding.ranks))
    open_ = [True] * len(lanes)
    moments: list[Moment] = []
    for number in sorted({event.moment for event in finding.ranks}):
        events = {lanes.index(event.lane): event for event in finding.ranks if event.moment == number}
        for lane, event in events.items():
            open_[lane] = open_[lane] and event.kind not in ("stop", "idle")
        joined = [lane for lane in sorted(events) if events[lane].kind in _JOINT]
        if joined:
            moments.append(Moment({}, events[joined[0]], joined[0], joined[-1], tuple(open_)))
        else:
            moments.append(Moment(events, open_=tuple(open_)))
    return Picture(lanes, tuple(moments))


def caption(picture: Picture) -> str:
    """What stands above the picture."""
    ranks = any("rank" in lane for lane in picture.lanes)
    number = ""
    if any("N-1" in lane for lane in picture.lanes):
        parts = {len(event.share) for moment in picture.moments for event in moment.cells.values() if event.share}
        number = f" (N = world size{f', drawn for {min(parts)}' if parts else ''})"
    return f"What {'each rank' if ranks else 'each run'} does{number}"


def sentences(picture: Picture) -> list[str]:
    """The picture in words, one sentence per event, in order."""
    told: list[str] = []
    for moment in picture.moments:
        if moment.joint is not None:
            told.append(f"{', '.join(picture.lanes[moment.first : moment.last + 1])}: {moment.joint.label}")
        else:
            told += [f"{picture.lanes[lane]}: {event.label}" for lane, event in sorted(moment.cells.items())]
    return told
