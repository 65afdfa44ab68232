"""Where a report goes: a file that is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

STDOUT = "-"


def unwritable(target: Path) -> str:
    """Why a report cannot be written to `target`, as far as can be told beforehand; empty if it can."""
    if target.is_dir():
        return f"cannot write the report to {target}: it is a folder"
    if not target.parent.is_dir():
        return f"cannot write the report to {target}: no such folder: {target.parent}"
    return ""


def write_report(target: Path, text: str) -> None:
    """Write UTF-8 to `target`, which keeps its mode; pipes and devices are written as they are. Raises OSError."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        status = target.stat()
    except FileNotFoundError:
        status = None
    if status is not None and not stat.S_ISREG(status.st_mode):
        target.write_bytes(data)
        return
    # a link keeps pointing where it does
    real = Path(os.path.realpath(target))
    temporary = real.with_name(f".{real.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(data)
        if status is not None:
            os.chmod(temporary, stat.S_IMODE(status.st_mode))
        os.replace(temporary, real)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
