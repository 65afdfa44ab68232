"""A file whose text comes from standard input, in the place of what is on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ddplint.files import Buffer, PathError, absolute

STDIN = "-"


def read_buffer(paths: Sequence[str], filename: str | None, stream: TextIO | None) -> Buffer | None:
    """What standard input stands for, if `-` or a file name asks for it; raises PathError for what does not fit."""
    if STDIN not in paths and filename is None:
        return None
    if any(path != STDIN for path in paths) or len(paths) > 1:
        raise PathError("with `-` or --stdin-filename, standard input is the only file: give no other path")
    if filename is not None and Path(filename).is_dir():
        raise PathError(f"--stdin-filename is a folder: {filename}")
    if stream is None:
        raise PathError("standard input is closed")
    return Buffer(absolute(filename or STDIN), stream.buffer.read(), named=filename is not None)
