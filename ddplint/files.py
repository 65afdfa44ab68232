"""Paths from the command line: the project's root, the files to read, the files to show findings for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from pathspec import GitIgnoreSpec

from ddplint.patterns import PathPatterns, Pattern, gitignore_spec, match_below, relative_path
from ddplint.problems import UserError
from ddplint.source import limited, read_bytes

DEFAULT_EXCLUDES = frozenset(
    {
        ".bzr", ".direnv", ".eggs", ".git", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pants.d",
        ".pytest_cache", ".ruff_cache", ".svn", ".tox", ".venv", "__pycache__", "__pypackages__", "_build", "build",
        "dist", "node_modules", "site-packages", "venv",
    }
)  # fmt: skip

ROOT_MARKERS = (".git", "pyproject.toml", ".ddplint.yaml", "setup.py", "setup.cfg")

_SUFFIXES = (".py", ".ipynb")


class PathError(UserError):
    """A path on the command line that cannot be checked."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """A file's content that counts instead of what is on disk; the file itself need not exist.

    Unless it is `named`, the path says nothing: it belongs to no project.
    """

    path: Path
    data: bytes
    named: bool = True


@dataclass(frozen=True, slots=True, order=True)
class SourceRef:
    """A file to read: where it is on disk and how output names it; `data` stands for its content if given."""

    path: str
    display: str
    data: bytes | None = field(default=None, compare=False, repr=False)

    def read(self) -> bytes:
        """Its bytes; raises Unreadable."""
        if self.data is None:
            return read_bytes(self.path)
        return limited(self.path, self.data)


@dataclass(frozen=True, slots=True)
class FileSet:
    """`files` make up the program; `shown` are the display paths to show findings for, None: all.

    `skipped` are folders that could not be listed: (display path, reason).
    """

    root: Path
    files: tuple[SourceRef, ...]
    shown: frozenset[str] | None = None
    skipped: tuple[tuple[str, str], ...] = ()


def display_path(path: str | PurePath, cwd: str) -> str:
    """Relative to `cwd` when below it, else absolute; with forward slashes."""
    return relative_path(path, cwd)


def project_root(start: Path) -> Path | None:
    """The nearest folder at or above `start` that looks like a project's root."""
    for folder in (start, *start.parents):
        if any((folder / marker).exists() for marker in ROOT_MARKERS):
            return folder
    return None


def common_folder(paths: Sequence[Path]) -> Path:
    """The deepest folder that holds all paths."""
    folders = [str(path if path.is_dir() else path.parent) for path in paths]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:
        raise PathError("the paths are on different drives") from None


def absolute(path: str | Path) -> Path:
    """Absolute without following symbolic links, so that names stay those the user knows."""
    return Path(os.path.abspath(path))


def without_excluded(paths: Sequence[str], exclude: Sequence[Pattern] = ()) -> tuple[str, ...]:
    """The paths without those single files that a walk through their project would leave out."""
    walk = _Walk(os.getcwd(), PathPatterns(exclude))
    return tuple(path for path in paths if os.path.isdir(path) or not walk.leaves_out(absolute(path)))


def find_files(
    paths: Sequence[str], exclude: Sequence[Pattern] = (), cwd: str | None = None, buffer: Buffer | None = None
) -> FileSet:
    """The files that the given paths stand for.

    Folders are walked; what is named explicitly is read in any case. Single files bring the whole project as context.
    `buffer` is the content of one of the paths.
    """
    cwd = os.path.abspath(cwd or os.getcwd())
    given = sorted({absolute(os.path.join(cwd, path)) for path in paths})
    if not given:
        return FileSet(Path(cwd), (), frozenset())
    for path in given:
        if not os.path.lexists(path) and not (buffer and buffer.path == path):
            raise PathError(f"no such file or folder: {display_path(path, cwd)}")
    folders = [path for path in given if path.is_dir()]
    singles = [path for path in given if not path.is_dir()]
    walk = _Walk(cwd, PathPatterns(exclude))
    common = common_folder(given)
    root = project_root(common) or common
    for folder in folders:
        walk.folder(folder)
    shown = None
    if singles:
        explicit_paths = set(singles)
        explicit = {str(path) for path in singles}
        shown = frozenset(display_path(path, cwd) for path in explicit | walk.found)
        known = [path for path in singles if not (buffer and buffer.path == path and not buffer.named)]
        for context in sorted({_context(path) or path for path in known} - explicit_paths):
            walk.context(context)
        walk.found |= explicit
    contents = {str(buffer.path): buffer.data} if buffer else {}
    files = tuple(SourceRef(path, display_path(path, cwd), contents.get(path)) for path in walk.unique())
    return FileSet(root, tuple(sorted(files, key=lambda ref: ref.display)), shown, tuple(sorted(walk.skipped)))


def _context(file: Path) -> Path | None:
    """The folder whose files are the program of a single file."""
    root = project_root(file.parent)
    if root is not None:
        return root
    # a lone file in a folder of unrelated things
    crowded = {Path(file.anchor), Path(tempfile.gettempdir()), Path(os.path.expanduser("~"))}
    return None if file.parent in crowded or not file.parent.is_dir() else file.parent


class _Walk:
    """Walks folders in sorted order; links to folders are not followed, so that loops cannot arise."""

    def __init__(self, cwd: str, exclude: PathPatterns) -> None:
        self.cwd = cwd
        self.found: set[str] = set()
        self.skipped: set[tuple[str, str]] = set()
        self._exclude = exclude
        self._visited: set[str] = set()
        self._links: set[str] = set()

    def folder(self, start: Path, clones: bool = True) -> None:
        """`clones`: also repositories below it."""
        chain = self._inherited(start)
        self._enter(str(start), [] if self._ignored(str(start), True, chain) else chain, clones)

    def context(self, folder: Path) -> None:
        """A folder that nobody named. Where it is no project, the repositories below it have nothing to do with it."""
        self.folder(folder, project_root(folder) is not None)

    def leaves_out(self, path: Path) -> bool:
        """Whether a walk from the root of its project would not come to a file that is there."""
        root = _context(path)
        if root is None or root not in path.parents:
            return False
        chain = self._inherited(path)
        inside = [folder for folder in reversed(path.parents) if root in folder.parents]
        return any(
            (folder is not path and folder.name in DEFAULT_EXCLUDES)
            or self._exclude.match(str(folder), folder is not path)
            or self._ignored(str(folder), folder is not path, chain)
            for folder in (*inside, path)
        )

    def unique(self) -> list[str]:
        """The files found, without links to files that were found as well."""
        links = {path for path in self.found if path in self._links}
        real = {os.path.realpath(path) for path in self.found - links} if links else set()
        kept: list[str] = []
        for path in sorted(self.found):
            if path in links:
                target = os.path.realpath(path)
                if target in real:
                    continue
                real.add(target)
            kept.append(path)
        return kept

    def _inherited(self, start: Path) -> list[tuple[str, GitIgnoreSpec]]:
        """The ignore files above `start`, up to the repository's or the project's root."""
        parents = list(start.parents)
        top = next((folder for folder in (start, *parents) if (folder / ".git").exists()), None) or project_root(start)
        if top is None or top == start:
            return []
        above = parents[: parents.index(top) + 1]
        specs = [(str(folder), _ignore_file(str(folder))) for folder in reversed(above)]
        return [(folder, spec) for folder, spec in specs if spec is not None]

    def _enter(self, folder: str, chain: list[tuple[str, GitIgnoreSpec]], clones: bool) -> None:
        pending = [(folder, chain)]
        while pending:
            folder, chain = pending.pop()
            if folder in self._visited or (not clones and os.path.exists(f"{folder}/.git")):
                continue
            self._visited.add(folder)
            own = _ignore_file(folder)
            if own is not None:
                chain = [*chain, (folder, own)]
            for entry, is_folder in self._entries(folder):
                if self._exclude.match(entry.path, is_folder) or self._ignored(entry.path, is_folder, chain):
                    continue
                if is_folder:
                    pending.append((entry.path, chain))
                else:
                    self.found.add(entry.path)
                    if entry.is_symlink():
                        self._links.add(entry.path)

    def _entries(self, folder: str) -> Iterator[tuple[os.DirEntry[str], bool]]:
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self.skipped.add((display_path(folder, self.cwd), error.strerror or "cannot be listed"))
            return
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in DEFAULT_EXCLUDES:
                        yield entry, True
                elif entry.name.endswith(_SUFFIXES) and not entry.is_dir():
                    yield entry, False
            except OSError as error:
                self.skipped.add((display_path(entry.path, self.cwd), error.strerror or "cannot be read"))

    def _ignored(self, path: str, is_folder: bool, chain: list[tuple[str, GitIgnoreSpec]]) -> bool:
        for folder, spec in reversed(chain):
            answer = match_below(folder, spec, path, is_folder)
            if answer is not None:
                return answer
        return False


def _ignore_file(folder: str) -> GitIgnoreSpec | None:
    path = os.path.join(folder, ".gitignore")
    try:
        with open(path, "rb") as file:
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    spec = gitignore_spec(lines)
    return spec if len(spec) else None
