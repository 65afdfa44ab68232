"""What commands write: stdout is for what was asked for, stderr for the rest."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ddplint.report.style import Style, printable, wants_colour

EXIT_CLEAN, EXIT_FINDINGS, EXIT_TROUBLE, EXIT_INTERRUPTED = 0, 1, 2, 130

_PROGRESS_AFTER_SECONDS = 1.0
_PROGRESS_EVERY_SECONDS = 0.1


def stdout_style() -> Style:
    """The colours that stdout takes."""
    return Style(wants_colour(sys.stdout))


def note(message: str) -> None:
    """Say something about the run on stderr, in one line."""
    say(f"ddplint: {printable(message)}\n")


def note_troubles(
    skipped: Sequence[tuple[str, str]], shown: frozenset[str] | None, errors: Sequence[str], verbose: bool
) -> None:
    """Name the files that were skipped, those that the run is not about only if `verbose`, and the errors."""
    named = [pair for pair in skipped if verbose or shown is None or pair[0] in shown]
    for path, reason in named:
        note(f"skipped {path}: {reason}")
    if others := len(skipped) - len(named):
        note(f"skipped {others} other file{'' if others == 1 else 's'} of the project; -v names them")
    for error in errors:
        note(error)


def say(text: str) -> None:
    """Write to stderr; nobody is told if stderr itself is gone."""
    if sys.stderr is not None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            return


def print_utf8(text: str) -> None:
    """Write for programs: UTF-8 and plain line ends, whatever the terminal would have."""
    print_text(text.encode("utf-8", "backslashreplace"))


def print_text(text: str | bytes) -> None:
    """Write to stdout. A reader who has gone (`| head`) ends the output, not the run."""
    if sys.stdout is None or not text:
        return
    try:
        if isinstance(text, bytes):
            sys.stdout.flush()
            sys.stdout.buffer.write(text)
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # what is still buffered must not fail again when the interpreter exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def name_of(file: Path) -> str:
    """A file as messages name it."""
    from ddplint.files import display_path

    return printable(display_path(file, os.getcwd()))


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """How a run tells how far it is: what is counted, how many are done, how many there are."""
    line = ProgressLine(sys.stderr, sys.stdout)
    try:
        yield line.show
    finally:
        line.clear()


class ProgressLine:
    """One line on the terminal, only there and only for runs that take a while."""

    def __init__(self, stream: IO[str] | None, output: IO[str] | None) -> None:
        self._stream = stream if stream and output and stream.isatty() and output.isatty() else None
        self._next = time.monotonic() + _PROGRESS_AFTER_SECONDS
        self._shown = False

    def show(self, what: str, done: int, total: int) -> None:
        """Draw the line, not too often."""
        if self._stream is None or total <= 0 or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PROGRESS_EVERY_SECONDS
        self._shown = True
        filled = 30 * min(done, total) // total
        self._stream.write(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done:,}/{total:,} {what}\x1b[K")
        self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._stream is not None and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
