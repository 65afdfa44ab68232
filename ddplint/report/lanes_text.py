"""The picture of the ranks in plain text: a column per lane, time goes down."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ddplint.findings import EventKind
from ddplint.report.lanes import Moment, Picture, caption
from ddplint.report.style import Style, location, printable
from ddplint.source import Sources

_WIDTH = 90
_SIGNS: dict[EventKind, str] = {
    "read": "o", "work": "*", "pass": ">", "stop": "x", "meet": "=", "miss": "~", "result": "!", "idle": " ",
}  # fmt: skip


def lanes_text(picture: Picture, sources: Sources, style: Style) -> Iterator[str]:
    """The lines of the picture."""
    places = [location(moment.span, sources) if moment.span else "" for moment in picture.moments]
    width = _WIDTH // len(picture.lanes)
    yield f"{caption(picture)}:"
    yield "  " + "".join(style.bold(f"{printable(lane):<{width}}") for lane in picture.lanes).rstrip()
    lines = ["|"] * len(picture.lanes)
    for moment, place in zip(picture.moments, places):
        where = f"  {style.dim(place)}" if place else ""
        for number, row in enumerate(_joint(moment, lines, width) if moment.joint else _cells(moment, lines, width)):
            yield f"  {row:<{width * len(lines)}}{where}".rstrip() if number == 0 else f"  {row}".rstrip()
        lines = ["|" if open_ else ":" for open_ in moment.open_]
        if moment is not picture.moments[-1]:
            yield "  " + "".join(f"{line:<{width}}" for line in lines).rstrip()


def _cells(moment: Moment, lines: list[str], width: int) -> list[str]:
    columns: list[list[str]] = []
    for lane, line in enumerate(lines):
        event = moment.cells.get(lane)
        if event is None:
            columns.append([line])
            continue
        share = f"[{event.share}] " if event.share else ""
        wrapped = textwrap.wrap(share + printable(event.label), width - 4) or [""]
        sign = line if event.kind == "idle" else _SIGNS[event.kind]
        columns.append([f"{sign} {wrapped[0]}", *(f"{line} {text}" for text in wrapped[1:])])
    height = max(map(len, columns))
    filled = [[*column, *[line] * (height - len(column))] for column, line in zip(columns, lines)]
    return ["".join(f"{text:<{width}}" for text in row) for row in zip(*filled)]


def _joint(moment: Moment, lines: list[str], width: int) -> list[str]:
    """One bar over the lanes that do it together."""
    assert moment.joint is not None
    sign = _SIGNS[moment.joint.kind]
    length = (moment.last - moment.first) * width + width // 2
    bar = f"{sign * 2} {printable(moment.joint.label)} ".ljust(length, sign)
    before = "".join(f"{line:<{width}}" for line in lines[: moment.first])
    after = "".join(f"{line:<{width}}" for line in lines[moment.last + 1 :])
    return [f"{before}{bar:<{(moment.last - moment.first + 1) * width}}{after}"]
