"""What the repairs of several rules share."""

from __future__ import annotations

from collections.abc import Sequence

from ddplint.findings import Action, Span


class Refused(Exception):
    """A finding has no fix; the message is the reason, as one sentence."""


def listed(names: Sequence[str]) -> str:
    """Names as a text lists them."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def place_argument(span: Span) -> str:
    """A further place in the file of an action, as one of its arguments."""
    return f"{span.row},{span.column},{span.end_row},{span.end_column}"


def place_of_argument(action: Action, text: str) -> Span:
    """The place that `place_argument` wrote down."""
    row, column, end_row, end_column = map(int, text.split(","))
    return Span(action.span.path, row, column, end_row, end_column)
