"""Writing files so that each is always either the old or the new one."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import FrameType

_TEMPORARY = re.compile(r"\..+\.ddplint-(?P<host>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}\.tmp")
_STALE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Write:
    """New bytes for a file that is known to hold `before`."""

    display: str
    path: str
    before: bytes
    after: bytes


@dataclass(slots=True)
class Written:
    """The display paths written, and those left with the reason."""

    done: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)


def refusal(path: str, root: str) -> str:
    """Why a file must not be written, or an empty string."""
    target = os.path.realpath(path)
    base = os.path.realpath(root)
    if os.path.commonpath([target, base]) != base:
        return "it is a link to a file outside the project" if os.path.islink(path) else "it is outside the project"
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return "it has vanished"
    except OSError as error:
        return error.strerror or "it cannot be read"
    # for the superuser every file is writable, so the mode counts as well
    if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
        return "it is read-only"
    if not os.access(os.path.dirname(target), os.W_OK):
        return "its folder is read-only"
    return ""


def write_all(writes: Sequence[Write], groups: Iterable[Iterable[str]] = ()) -> Written:
    """Write the files. Those whose display paths stand in one group are written together or not at all."""
    written = Written()
    for group in _connected([one.display for one in writes], groups):
        _write_group([one for one in writes if one.display in group], written)
    written.done.sort()
    written.left.sort()
    return written


def clean(folders: Iterable[str]) -> None:
    """Remove the temporary files of runs that were killed."""
    for folder in sorted(set(folders)):
        try:
            with os.scandir(folder) as entries:
                stale = [entry.path for entry in entries if _is_stale(entry)]
        except OSError:
            continue
        for path in stale:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _connected(paths: Sequence[str], groups: Iterable[Iterable[str]]) -> list[set[str]]:
    sets = [{path} for path in sorted(paths)]
    for group in groups:
        members = set(group)
        touched = [one for one in sets if one & members]
        if touched:
            sets = [one for one in sets if not one & members] + [set().union(*touched)]
    return sorted(sets, key=min)


def _write_group(writes: Sequence[Write], written: Written) -> None:
    temporary: dict[str, str] = {}
    try:
        for one in writes:
            temporary[one.display] = ""
            temporary[one.display] = _prepare(one)
        with _uninterrupted():
            for one in writes:
                _check_unchanged(one)
            _rename(writes, temporary)
        written.done += [one.display for one in writes]
    except (OSError, _Changed) as problem:
        written.left += [(one.display, _why(one, problem)) for one in writes]
    finally:
        for path in temporary.values():
            if path:
                with contextlib.suppress(OSError):
                    os.unlink(path)


class _Changed(Exception):
    """A file is no longer what it was when it was read."""

    def __init__(self, display: str, reason: str) -> None:
        super().__init__(display, reason)
        self.display = display
        self.reason = reason


def _rename(writes: Sequence[Write], temporary: dict[str, str]) -> None:
    """Put the temporary files in the place of their targets; if one fails, those already done go back."""
    renamed: list[Write] = []
    try:
        for one in writes:
            target = os.path.realpath(one.path)
            os.replace(temporary[one.display], target)
            temporary[one.display] = ""
            renamed.append(one)
            _sync_folder(os.path.dirname(target))
    except OSError:
        for one in renamed:
            back = Write(one.display, one.path, one.after, one.before)
            os.replace(_prepare(back), os.path.realpath(one.path))
        raise


def _why(one: Write, problem: OSError | _Changed) -> str:
    if isinstance(problem, OSError):
        return problem.strerror or str(problem)
    if problem.display == one.display:
        return problem.reason
    return f"it changes together with {problem.display}, and that file was left: {problem.reason}"


def _prepare(one: Write) -> str:
    """Write the new bytes to a temporary file beside the target; its path."""
    _check_unchanged(one)
    target = os.path.realpath(one.path)
    status = os.stat(target)
    folder, name = os.path.split(target)
    tail = f".ddplint-{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    # names have an upper limit, in bytes
    stem = os.fsdecode(os.fsencode(name)[: 250 - len(tail)])
    path = os.path.join(folder, f".{stem}{tail}")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb") as file:
            file.write(one.after)
            file.flush()
            os.fsync(file.fileno())
        if hasattr(os, "chown") and (os.stat(path).st_uid, os.stat(path).st_gid) != (status.st_uid, status.st_gid):
            with contextlib.suppress(OSError):
                os.chown(path, status.st_uid, status.st_gid)
        os.chmod(path, stat.S_IMODE(status.st_mode))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    return path


def _check_unchanged(one: Write) -> None:
    try:
        with open(one.path, "rb") as file:
            now = file.read()
    except FileNotFoundError:
        raise _Changed(one.display, "it has vanished") from None
    except OSError as error:
        raise _Changed(one.display, error.strerror or "it cannot be read") from None
    if now != one.before:
        raise _Changed(one.display, "it has changed meanwhile")


def _sync_folder(folder: str) -> None:
    """Make a rename last; where folders cannot be synced, the system does it in its own time."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _host() -> str:
    return blake2b(socket.gethostname().encode("utf-8", "replace"), digest_size=4).hexdigest()


def _is_stale(entry: os.DirEntry[str]) -> bool:
    found = _TEMPORARY.fullmatch(entry.name)
    if found is None or found["host"] != _host() or not entry.is_file(follow_symlinks=False):
        return False
    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE_SECONDS:
        return True
    return not _is_alive(int(found["process"]))


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":
        # there, probing a process by signal ends it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals that end the program wait until the renames of one group are done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        waiting.append(number)

    handlers = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        for late in waiting:
            signal.raise_signal(late)
