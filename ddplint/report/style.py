"""Colours, and text that is safe to print on a terminal."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ddplint.findings import Severity, Span
    from ddplint.source import Sources

_SEVERITY_COLOURS: dict[Severity, str] = {"note": "cyan", "warning": "yellow", "error": "red"}


def wants_colour(stream: IO[str] | None, environment: Mapping[str, str] = os.environ) -> bool:
    """NO_COLOR wins over FORCE_COLOR, both over whether the stream is a terminal."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "") not in ("", "0"):
        return True
    return bool(stream and stream.isatty()) and environment.get("TERM") != "dumb"


class Style:
    """Paints text, or leaves it alone."""

    def __init__(self, colour: bool = False) -> None:
        self._colour = colour

    def _paint(self, text: str, foreground: str | None = None, bold: bool = False, dim: bool = False) -> str:
        return click.style(text, fg=foreground, bold=bold, dim=dim) if self._colour and text else text

    def bold(self, text: str) -> str:
        return self._paint(text, bold=True)

    def dim(self, text: str) -> str:
        return self._paint(text, dim=True)

    def good(self, text: str) -> str:
        return self._paint(text, "green")

    def severity(self, text: str, severity: Severity) -> str:
        return self._paint(text, _SEVERITY_COLOURS[severity], bold=True)


def printable(text: str) -> str:
    """One line in which nothing moves the cursor or changes colours."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    if character in "\t\n\r":
        return " "
    # zero-width joiners and marks belong to visible text; bidirectional controls do not
    if character in "\u200c\u200d\ufeff":
        return ""
    return character.encode("unicode_escape").decode("ascii")


def width(character: str) -> int:
    """Columns that a printable character takes on a terminal."""
    if character.isascii():
        return 1
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def location(span: Span, sources: Sources) -> str:
    """`file:line:column`; for a notebook `file:cell N:line:column`."""
    cell = sources.cell_position(span.path, span.row)
    rows = f"cell {cell[0]}:{cell[1]}" if cell else str(span.row)
    return f"{printable(span.path)}:{rows}:{span.column}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
