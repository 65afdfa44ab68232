"""Public repositories at pinned commits, as folders that the tool can read."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

READ = (".py", ".ipynb", ".yaml", ".yml")  # what the tool looks at
SHORT = 12


class CloneError(Exception):
    """A repository that cannot be had; the text says why."""


def folder_of(repository: str, commit: str, clones: Path | None, cache: Path) -> Path:
    """The program at that commit, unpacked below `clones` already or now below `cache`. Raises CloneError."""
    name = f"{repository.replace('/', '+')}@{commit[:SHORT]}"
    for home in filter(None, (clones, cache)):
        if (home / name).is_dir():
            return home / name
    git = _mirror(repository, clones) if clones else _download(repository, commit, cache)
    try:
        return _unpack(git, commit, cache / name)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CloneError(f"{repository} at {commit[:SHORT]}: {_complaint(error)}") from error


def _mirror(repository: str, clones: Path) -> Path:
    name = repository.replace("/", "+")
    for place in (name, f"{name}.git", f"{name}/repo", f"{name}/.git", f"{name}/repo/.git"):
        if (clones / place / "objects").is_dir():
            return clones / place
    raise CloneError(f"{repository}: no clone in {clones}")


def _download(repository: str, commit: str, cache: Path) -> Path:
    git = cache / f"{repository.replace('/', '+')}.git"
    source = f"https://github.com/{repository}.git"
    try:
        if not git.is_dir():
            _run("git", "init", "--quiet", "--bare", str(git))
        _run("git", "-C", str(git), "fetch", "--quiet", "--depth", "1", source, commit)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CloneError(f"{repository}: {_complaint(error)}") from error
    return git


def _unpack(git: Path, commit: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    blobs = []
    for entry in filter(None, _run("git", "-C", str(git), "ls-tree", "-r", "-z", commit).split(b"\0")):
        about, _, name = entry.partition(b"\t")
        mode, _, blob = about.split()[:3]
        if mode.startswith(b"100") and name.endswith(tuple(map(str.encode, READ))):
            blobs.append((blob, name))
    contents = _contents(git, [blob for blob, _ in blobs])
    # a folder of that name is a whole one: it comes into being by a rename
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        partial = Path(scratch) / "partial"
        partial.mkdir()
        for blob, name in blobs:
            if blob in contents:
                path = partial / os.fsdecode(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(contents[blob])
        partial.rename(target)
    return target


def _contents(git: Path, blobs: list[bytes]) -> dict[bytes, bytes]:
    """By blob; those that a partial clone lacks are left out."""
    answer = _run("git", "-C", str(git), "cat-file", "--batch", stdin=b"".join(blob + b"\n" for blob in blobs))
    contents = {}
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        head = answer[at:end].split()
        at = end + 1
        if head[-1] != b"missing":
            size = int(head[2])
            contents[head[0]] = answer[at : at + size]
            at += size + 1
    return contents


def _run(*command: str, stdin: bytes = b"") -> bytes:
    # a partial clone must not ask the network for what it lacks
    environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(command, input=stdin, capture_output=True, check=True, env=environment).stdout


def _complaint(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError) and error.stderr.strip():
        return str(error.stderr.decode(errors="replace").strip().splitlines()[-1])
    return str(error)
