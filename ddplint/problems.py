"""Exceptions in one line, for messages."""

from __future__ import annotations

import traceback
from pathlib import Path


def described(problem: BaseException) -> str:
    """Type, text and the place in the code where it happened, such as `KeyError: 'x' at rule.py:12`."""
    frames = [] if isinstance(problem, SyntaxError) else traceback.extract_tb(problem.__traceback__)
    frame = next((one for one in reversed(frames) if not one.filename.startswith("<frozen")), None)
    place = f" at {Path(frame.filename).name}:{frame.lineno}" if frame else ""
    detail = " ".join(str(problem).split())
    return f"{type(problem).__name__}{': ' if detail else ''}{detail}{place}"


class UserError(Exception):
    """What whoever runs ddplint can put right; the text is one line."""
