"""Writing files so that each is always either the old or the new one."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import FrameType

if sys.platform != "win32":
    import fcntl

_TEMPORARY = re.compile(r"\..+\.ddplint-(?P<host>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}\.tmp")
_SCRATCH = re.compile(r"ddplint-scratch-\w+")
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


def write_all(writes: Sequence[Write], groups: Iterable[Iterable[str]] = (), staging: str = "") -> Written:
    """Write the files. Those whose display paths stand in one group are written together or not at all.

    `staging` is a folder for names that live for a moment only; where it cannot serve, they stand beside the files.
    """
    written = Written()
    for group in _connected([one.display for one in writes], groups):
        _write_group([one for one in writes if one.display in group], written, staging)
    written.done.sort()
    written.left.sort()
    return written


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """A folder in the system's place for temporary files; what runs that were killed left there is removed."""
    _remove_abandoned(tempfile.gettempdir())
    with contextlib.ExitStack() as stack:
        folder = ""
        # another run may have removed the folder before it was locked
        while not os.path.isdir(folder):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ddplint-scratch-"))
            with contextlib.suppress(OSError):
                stack.enter_context(_locked(folder))
        yield folder


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


def _remove_abandoned(place: str) -> None:
    if sys.platform == "win32":
        # folders cannot be locked there
        return
    folders: list[os.DirEntry[str]] = []
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        folders = [one for one in entries if _SCRATCH.fullmatch(one.name) and one.is_dir(follow_symlinks=False)]
    for folder in folders:
        with contextlib.suppress(OSError):
            if folder.stat(follow_symlinks=False).st_uid == os.getuid():
                with _locked(folder.path, fcntl.LOCK_NB):
                    shutil.rmtree(folder.path, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: str, how: int = 0) -> Iterator[None]:
    """Hold a folder against other runs; the lock ends with the process, however that ends."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)


def _connected(paths: Sequence[str], groups: Iterable[Iterable[str]]) -> list[set[str]]:
    sets = [{path} for path in sorted(paths)]
    for group in groups:
        members = set(group)
        touched = [one for one in sets if one & members]
        if touched:
            sets = [one for one in sets if not one & members] + [set().union(*touched)]
    return sorted(sets, key=min)


def _write_group(writes: Sequence[Write], written: Written, staging: str) -> None:
    prepared: list[_New] = []
    try:
        for one in writes:
            prepared.append(_prepare(one))
        with _uninterrupted():
            for one in writes:
                _check_unchanged(one)
            _put(writes, prepared, staging)
        written.done += [one.display for one in writes]
    except (OSError, _Changed) as problem:
        written.left += [(one.display, _why(one, problem)) for one in writes]
    finally:
        for new in prepared:
            new.drop()


class _Changed(Exception):
    """A file is no longer what it was when it was read."""

    def __init__(self, display: str, reason: str) -> None:
        super().__init__(display, reason)
        self.display = display
        self.reason = reason


@dataclass(slots=True)
class _New:
    """New content on disk that is not yet in its place: a file without a name, or one with a name beside the target."""

    target: str
    descriptor: int
    path: str

    def put(self, staging: str) -> None:
        """Take the place of the target."""
        folder = os.path.dirname(self.target)
        if self.path:
            os.replace(self.path, self.target)
            self.path = ""
        elif not staging or not self._through(staging):
            self._through(folder)
        _sync_folder(folder)

    def _through(self, folder: str) -> bool:
        """Rename to the target from a name in `folder`; False if that cannot serve."""
        path = os.path.join(folder, _temporary_name(self.target))
        try:
            _link(self.descriptor, path)
        except OSError:
            # most often it is on another file system
            if folder == os.path.dirname(self.target):
                raise
            return False
        try:
            os.replace(path, self.target)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        return True

    def drop(self) -> None:
        """Let go of what was not put in its place."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        if self.path:
            with contextlib.suppress(OSError):
                os.unlink(self.path)


def _put(writes: Sequence[Write], prepared: Sequence[_New], staging: str) -> None:
    """Put the new files in the place of their targets; if one fails, those already done go back."""
    done: list[Write] = []
    try:
        for one, new in zip(writes, prepared):
            new.put(staging)
            done.append(one)
    except OSError:
        for one in done:
            back = _prepare(Write(one.display, one.path, one.after, one.before))
            back.put(staging)
            back.drop()
        raise


def _why(one: Write, problem: OSError | _Changed) -> str:
    if isinstance(problem, OSError):
        return problem.strerror or str(problem)
    if problem.display == one.display:
        return problem.reason
    return f"it changes together with {problem.display}, and that file was left: {problem.reason}"


def _prepare(one: Write) -> _New:
    """The new bytes on disk, on the target's file system."""
    _check_unchanged(one)
    target = os.path.realpath(one.path)
    status = os.stat(target)
    new = _create(target)
    try:
        with open(new.descriptor, "wb", closefd=False) as file:
            file.write(one.after)
            file.flush()
            os.fsync(file.fileno())
        _take_over(new.path or new.descriptor, status)
        if new.path:
            os.close(new.descriptor)
            new.descriptor = -1
    except BaseException:
        new.drop()
        raise
    return new


def _create(target: str) -> _New:
    folder = os.path.dirname(target)
    if sys.platform == "linux" and hasattr(os, "O_TMPFILE"):
        # nothing of a file without a name is left when the process is killed
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
            if os.path.exists(_handle(descriptor)):
                return _New(target, descriptor, "")
            os.close(descriptor)
    path = os.path.join(folder, _temporary_name(target))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return _New(target, os.open(path, flags, 0o600), path)


def _handle(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _link(descriptor: int, path: str) -> None:
    """Give a file without a name one."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        # only with a folder's descriptor, os.link follows the handle to the file
        os.link(_handle(descriptor), os.path.basename(path), src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _temporary_name(target: str) -> str:
    tail = f".ddplint-{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    # names have an upper limit, in bytes
    stem = os.fsdecode(os.fsencode(os.path.basename(target))[: 250 - len(tail)])
    return f".{stem}{tail}"


def _take_over(place: str | int, status: os.stat_result) -> None:
    """Give a new file the owner and the mode of the old one."""
    if hasattr(os, "chown"):
        now = os.stat(place)
        if (now.st_uid, now.st_gid) != (status.st_uid, status.st_gid):
            with contextlib.suppress(OSError):
                os.chown(place, status.st_uid, status.st_gid)
    os.chmod(place, stat.S_IMODE(status.st_mode))


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

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    handlers = {number: signal.signal(number, note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        for late in waiting:
            signal.raise_signal(late)
