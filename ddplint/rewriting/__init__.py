"""Rewriting one file: codemods name libcst nodes, this package turns what they ask for into edits of the text.

Nothing is regenerated: the new text is the old one with the edits put in, so what lies outside them stays as it was.
"""

from ddplint.rewriting.actions import COMMON, rewrite_common
from ddplint.rewriting.changes import (
    CannotRewrite,
    Change,
    Conflict,
    Kept,
    Layout,
    apply_changes,
    comments_of,
    line_starts,
    ordered,
    words_of,
)
from ddplint.rewriting.file import FileRewriter

__all__ = [
    "COMMON",
    "CannotRewrite",
    "Change",
    "Conflict",
    "FileRewriter",
    "Kept",
    "Layout",
    "apply_changes",
    "comments_of",
    "line_starts",
    "ordered",
    "rewrite_common",
    "words_of",
]
