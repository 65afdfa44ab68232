"""Facts of many files: made by several processes, kept by content."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ddplint.facts.lower import lower
from ddplint.files import SourceRef
from ddplint.source import Unreadable, content_hash, parse_source

# raise it whenever the form of facts changes: facts of another form are not read from the cache
FACTS_VERSION = "9"
_FEW = 24
_CHUNK = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Facts of one file: zlib over JSON of what `lower` gives, and the names that the file reads, separated by
    spaces.
    """

    path: str
    blob: bytes
    references: str


@dataclass(frozen=True, slots=True)
class FactsResult:
    """Facts in the order of paths; files left out with the reason; lines read; content hash by path."""

    facts: list[FileFacts] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    lines: int = 0
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _One:
    path: str
    blob: bytes
    words: str
    lines: int
    hash: str
    problem: str = ""


def _facts_of(reference: SourceRef, cache: str | None) -> _One:
    """Facts of one file, from the cache or made."""
    try:
        data = reference.read()
        source = parse_source(reference.path, data)
    except Unreadable as trouble:
        return _One(reference.display, b"", "", 0, "", trouble.reason)
    digest = content_hash(data)
    lines = source.text.count("\n") + 1
    # the same bytes mean something else in a notebook
    form = "-cells" if source.cells else ""
    place = Path(cache, f"{digest}{form}.facts") if cache else None
    kept = _load(place) if place else None
    if kept is not None:
        return _One(reference.display, kept[0], kept[1], lines, digest)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record = lower(source.text)
    except SyntaxError as problem:
        cell = source.cell_position(problem.lineno or 1)
        where = f"cell {cell[0]}, line {cell[1]}" if cell else f"line {problem.lineno}"
        reason = f"no Python 3 that this interpreter reads: {problem.msg} ({where})"
        return _One(reference.display, b"", "", lines, digest, reason)
    except (RecursionError, MemoryError):
        return _One(reference.display, b"", "", lines, digest, "nested too deeply")
    except ValueError as problem:
        return _One(reference.display, b"", "", lines, digest, f"cannot be parsed: {problem}")
    words = " ".join(record.pop("references"))
    blob = zlib.compress(json.dumps(record, separators=(",", ":")).encode("ascii"), 1)
    if place:
        _store(place, blob, words)
    return _One(reference.display, blob, words, lines, digest)


def _load(place: Path) -> tuple[bytes, str] | None:
    """What the cache keeps for a file: a digest line, the names it reads, the packed facts; None where it is absent
    or damaged.
    """
    try:
        data = place.read_bytes()
    except OSError:
        return None
    head, _, rest = data.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != head:
        return None
    words, _, blob = rest.partition(b"\n")
    return blob, words.decode("utf-8")


def _store(place: Path, blob: bytes, words: str) -> None:
    """Write one entry whole or not at all; a cache that cannot be written is no error."""
    rest = words.encode("utf-8", "ignore") + b"\n" + blob
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
        os.replace(name, place)
    except OSError:
        return


def _facts_of_many(references: Sequence[SourceRef], cache: str | None) -> list[_One]:
    return [_facts_of(reference, cache) for reference in references]


def build_facts(
    files: Sequence[SourceRef],
    jobs: int,
    cache_dir: Path | None,
    progress: Progress = lambda done, total: None,
) -> FactsResult:
    """Facts of all files, made by `jobs` processes where there are many."""
    cache = str(cache_dir / f"facts-{FACTS_VERSION}") if cache_dir else None
    made: list[_One] = []
    if jobs <= 1 or len(files) <= _FEW:
        for number, reference in enumerate(files):
            made.append(_facts_of(reference, cache))
            progress(number + 1, len(files))
    else:
        # small chunks keep all processes busy until the end
        size = max(1, min(_CHUNK, len(files) // (8 * jobs)))
        chunks = [files[start : start + size] for start in range(0, len(files), size)]
        # a run that answers from the cache does without
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(jobs, mp_context=get_context()) as pool:
            for chunk in pool.map(_facts_of_many, chunks, [cache] * len(chunks)):
                made.extend(chunk)
                progress(len(made), len(files))
    made.sort(key=lambda one: one.path)
    return FactsResult(
        facts=[FileFacts(one.path, one.blob, one.words) for one in made if not one.problem],
        skipped=[(one.path, one.problem) for one in made if one.problem],
        lines=sum(one.lines for one in made),
        hashes={one.path: one.hash for one in made},
    )
