"""Counts per rule."""

from __future__ import annotations

from collections import Counter

from ddplint.result import Result


def render_statistics(result: Result) -> str:
    """One line per rule that found something, the most frequent first."""
    counts = Counter((finding.code, finding.name) for finding in result.findings)
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    digits = len(str(rows[0][1])) if rows else 0
    return "".join(f"{count:>{digits}}  {code}  {name}\n" for (code, name), count in rows)
