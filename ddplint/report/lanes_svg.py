"""The picture of the ranks as inline SVG: a lane per rank, time goes down. The page's style sheet has the colours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from ddplint.findings import EventKind, RankEvent, Span
from ddplint.report.lanes import Moment, Picture, caption, sentences
from ddplint.report.style import printable, width

# where a place in the page is, as the value of `href`; empty if it is not there
Link = Callable[[Span], str]

_EDGE = 6
_HEAD = 30
_GAP = 22
_LINE = 15
# the line of the share, and of the place
_EXTRA = 13
_CHARACTER = 6.5

# 12 x 12 marks, one per kind of event
_MARKS: dict[EventKind, str] = {
    "read": "M2 3h8M2 6h8M2 9h8",
    "work": "M6 2v8M2 6h8",
    "pass": "M6 1.5v8M2.5 6 6 9.5 9.5 6",
    "stop": "M2.5 2.5l7 7M9.5 2.5l-7 7",
    "result": "M3 11V2h6.5L7.5 4.5 9.5 7H3",
    "idle": "M2.5 6h7",
    "meet": "M1 6h10M3.5 3 1 6l2.5 3M8.5 3 11 6 8.5 9",
    "miss": "M1 6h3M8 6h3M5 9.5 7 2.5",
}


def lanes_svg(picture: Picture, name: str, link: Link) -> str:
    """The picture; `name` makes its ids unique in the page."""
    lane = 182 if len(picture.lanes) < 3 else 132
    full = lane * len(picture.lanes)
    drawn = _Drawing(picture, lane, link)
    body = "".join(drawn.parts())
    label, told = escape(caption(picture)), escape(". ".join(map(printable, sentences(picture))))
    return (
        f'<svg class="lanes" viewBox="0 0 {full} {drawn.height:g}" width="{full}" height="{drawn.height:g}" role="img" '
        f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{label}</title><desc id="{name}-d">{told}</desc>'
        f"{body}</svg>"
    )


class _Drawing:
    """Draws from the top; `height` is how far it has come."""

    def __init__(self, picture: Picture, lane: int, link: Link) -> None:
        self._picture = picture
        self._lane = lane
        self._link = link
        self.height = 0.0

    def parts(self) -> Iterator[str]:
        """The heads of the lanes, then each moment over the lines that lead to it."""
        lanes = self._picture.lanes
        for number, name in enumerate(lanes):
            yield self._head(number, name)
        self.height = _HEAD
        open_ = (True,) * len(lanes)
        for moment in self._picture.moments:
            top, bottom = self.height, self.height + _GAP + self._size(moment)
            yield "".join(self._line(lane, top, bottom, alive) for lane, alive in enumerate(open_))
            self.height += _GAP
            yield "".join(self._joint(moment) if moment.joint else self._cells(moment))
            self.height, open_ = bottom, moment.open_
        yield "".join(self._end(lane, alive) for lane, alive in enumerate(open_))
        self.height += 18

    def _middle(self, lane: int) -> float:
        return (lane + 0.5) * self._lane

    def _head(self, lane: int, name: str) -> str:
        x = lane * self._lane + _EDGE
        return (
            f'<g class="head"><rect x="{x}" y="1" width="{self._lane - 2 * _EDGE}" height="{_HEAD - 2}" rx="14"/>'
            f'<text x="{self._middle(lane):g}" y="20">{escape(printable(name))}</text></g>'
        )

    def _line(self, lane: int, top: float, bottom: float, alive: bool) -> str:
        x = f"{self._middle(lane):g}"
        return f'<line class="{"life" if alive else "life out"}" x1="{x}" y1="{top:g}" x2="{x}" y2="{bottom:g}"/>'

    def _end(self, lane: int, alive: bool) -> str:
        line = self._line(lane, self.height, self.height + 12, alive)
        dot = f'<circle class="end" cx="{self._middle(lane):g}" cy="{self.height + 14:g}" r="3"/>'
        return line + dot if alive else line

    def _rows(self, event: RankEvent, lanes: int = 1) -> list[str]:
        """The label's lines in a box over so many lanes; the mark takes room on both sides."""
        return _wrap(printable(event.label), int((self._lane * lanes - 2 * _EDGE - 34) / _CHARACTER))

    def _size(self, moment: Moment) -> float:
        if moment.joint is not None:
            return _tall(moment.joint, self._rows(moment.joint, moment.last - moment.first + 1))
        return max(_tall(event, self._rows(event)) for event in moment.cells.values())

    def _cells(self, moment: Moment) -> Iterator[str]:
        size = self._size(moment)
        for lane, event in sorted(moment.cells.items()):
            yield self._box(event, lane * self._lane + _EDGE, self._lane - 2 * _EDGE, size, self._rows(event))

    def _joint(self, moment: Moment) -> Iterator[str]:
        assert moment.joint is not None
        lanes = moment.last - moment.first + 1
        x, wide = moment.first * self._lane + _EDGE, lanes * self._lane - 2 * _EDGE
        yield self._box(moment.joint, x, wide, self._size(moment), self._rows(moment.joint, lanes))

    def _box(self, event: RankEvent, x: float, wide: float, tall: float, rows: list[str]) -> str:
        """A box with its mark, label, share and place, all in its middle."""
        middle, line = x + wide / 2, self.height + (tall - _tall(event, rows)) / 2 + 18
        parts = [
            f'<rect x="{x:g}" y="{self.height:g}" width="{wide:g}" height="{tall:g}" rx="7"/>',
            f'<path class="mark" transform="translate({x + 7:g} {line - 10:g})" d="{_MARKS[event.kind]}"/><text>',
        ]
        for row in rows:
            parts.append(f'<tspan x="{middle + 8:g}" y="{line:g}">{escape(row)}</tspan>')
            line += _LINE
        parts.append("</text>")
        if event.share:
            parts.append(_share(event, middle, line - _LINE + 7))
            line += _EXTRA
        href = ""
        if event.span is not None:
            name = _short(printable(f"{event.span.path.rpartition('/')[2]}:{event.span.row}"), int(wide / 6))
            parts.append(f'<text class="place" x="{middle:g}" y="{line - 1:g}">{escape(name)}</text>')
            href = self._link(event.span)
        inner = "".join(parts)
        inner = f'<a href="{escape(href)}">{inner}</a>' if href else inner
        return f'<g class="event {event.kind}">{inner}</g>'


def _tall(event: RankEvent, rows: list[str]) -> float:
    return 14 + _LINE * len(rows) + _EXTRA * (bool(event.share) + (event.span is not None))


def _share(event: RankEvent, middle: float, y: float) -> str:
    """The data as a row of equal parts, those that the event is about filled."""
    side = 9
    x = middle - (side + 3) * len(event.share) / 2
    return "".join(
        f'<rect class="part {"in" if part == "#" else "not"}" x="{x + (side + 3) * number:g}" y="{y:g}" '
        f'width="{side}" height="{side}" rx="2"/>'
        for number, part in enumerate(event.share)
    )


def _short(text: str, columns: int) -> str:
    return text if len(text) <= columns else f"...{text[3 - columns :]}"


def _wrap(text: str, columns: int) -> list[str]:
    """Lines of at most `columns` columns; words that are longer are cut."""
    rows: list[str] = [""]
    used = 0
    for word in text.split():
        size = sum(map(width, word))
        if used and used + 1 + size > columns:
            rows.append("")
            used = 0
        if used:
            rows[-1] += " "
            used += 1
        for character in word:
            if used >= columns:
                rows.append("")
                used = 0
            rows[-1] += character
            used += width(character)
    return rows
