"""One run: paths and settings in, findings out."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ddplint.cache import (
    ResultCache,
    cache_folder,
    combine,
    finding_from_data,
    finding_to_data,
    program_fingerprint,
)
from ddplint.config import ConfigError, Settings
from ddplint.files import FileSet, SourceRef, find_files
from ddplint.findings import Finding
from ddplint.registry import discover
from ddplint.result import Result
from ddplint.rules.base import Rule
from ddplint.selection import select_rules
from ddplint.source import Sources, Suppression, Unreadable, content_hash, read_bytes, suppressions

logger = logging.getLogger(__name__)

Count = Callable[[int, int], None]
# what is counted, how many are done, how many there are
Progress = Callable[[str, int, int], None]


class FactsResult(Protocol):
    """What the facts layer hands over."""

    @property
    def facts(self) -> Sequence[Any]: ...
    @property
    def skipped(self) -> Sequence[tuple[str, str]]: ...
    @property
    def lines(self) -> int: ...
    @property
    def hashes(self) -> dict[str, str]: ...


class AnalysisResult(Protocol):
    """What the flow hands over."""

    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def errors(self) -> Sequence[str]: ...


class Core(Protocol):
    """The analysis as the engine calls it."""

    def load_knowledge(self, further: Iterable[Path]) -> Any: ...

    def build_facts(
        self, files: Sequence[SourceRef], words: Iterable[str], jobs: int, cache_dir: Path | None, progress: Count
    ) -> FactsResult: ...

    def analyse(
        self, facts: Sequence[Any], root: Path, rules: Sequence[Rule], knowledge: Any, progress: Count
    ) -> AnalysisResult: ...


class DefaultCore:
    """The real analysis, imported when first needed: an answer from the cache does without."""

    def load_knowledge(self, further: Iterable[Path]) -> Any:
        from ddplint.flow.knowledge import KnowledgeError, load_knowledge

        try:
            return load_knowledge(further)
        except KnowledgeError as error:
            raise ConfigError(" ".join(str(error).split())) from None

    def build_facts(
        self, files: Sequence[SourceRef], words: Iterable[str], jobs: int, cache_dir: Path | None, progress: Count
    ) -> FactsResult:
        from ddplint.facts.build import build_facts

        return build_facts(files, words, jobs, cache_dir, progress)

    def analyse(
        self, facts: Sequence[Any], root: Path, rules: Sequence[Rule], knowledge: Any, progress: Count
    ) -> AnalysisResult:
        from ddplint.flow.analysis import analyse

        return analyse(facts, root, rules, knowledge, progress)


@dataclass(frozen=True, slots=True)
class _Analysis:
    findings: tuple[Finding, ...]
    skipped: tuple[tuple[str, str], ...]
    errors: tuple[str, ...]
    files: int
    lines: int
    from_cache: bool = False


def _silent(what: str, done: int, total: int) -> None:
    """No progress is shown."""


def check(
    paths: Sequence[str],
    settings: Settings,
    progress: Progress = _silent,
    core: Core | None = None,
    rules: Sequence[Rule] | None = None,
) -> Result:
    """Check the files that `paths` stand for.

    Raises ConfigError and PathError for what the user got wrong; a crash of the analysis ends up in `errors`.
    """
    chosen = select_rules(
        discover() if rules is None else rules, settings.select, settings.ignore, settings.extend_select
    )
    file_set = find_files(paths, settings.exclude, settings.exclude_root)
    analysis = _analyse(file_set, settings, chosen, core or DefaultCore(), progress)
    sources = Sources()
    findings, used, suppressed = _unsuppressed(
        sorted({finding for finding in analysis.findings if _is_shown(finding, file_set.shown)}, key=_order), sources
    )
    return Result(
        findings=tuple(findings),
        skipped=tuple(sorted({*analysis.skipped, *file_set.skipped})),
        errors=analysis.errors,
        files_read=analysis.files,
        lines_read=analysis.lines,
        suppressed=suppressed,
        used=tuple(used),
        shown=file_set.shown,
        from_cache=analysis.from_cache,
        sources=sources,
    )


def _order(finding: Finding) -> tuple[Any, ...]:
    return (*finding.sort_key(), finding.span, finding.trace, finding.severity)


def _is_shown(finding: Finding, shown: frozenset[str] | None) -> bool:
    if shown is None:
        return True
    places = (finding.span, *finding.also, *(step.span for step in finding.trace))
    return any(span.path in shown for span in places)


def _unsuppressed(
    findings: Iterable[Finding], sources: Sources
) -> tuple[list[Finding], list[tuple[str, Suppression]], int]:
    kept: list[Finding] = []
    used: set[tuple[str, Suppression]] = set()
    comments: dict[str, tuple[Suppression, ...]] = {}
    suppressed = 0
    for finding in findings:
        path = finding.span.path
        if path not in comments:
            source = sources.get(path)
            comments[path] = suppressions(source.text) if source else ()
        silencing = [
            comment
            for comment in comments[path]
            if comment.row == finding.span.row and comment.covers(finding.code, finding.name)
        ]
        used.update((path, comment) for comment in silencing)
        suppressed += bool(silencing)
        if not silencing:
            kept.append(finding)
    return kept, sorted(used, key=lambda item: (item[0], item[1].row, item[1].kind, item[1].selectors)), suppressed


def _analyse(file_set: FileSet, settings: Settings, rules: Sequence[Rule], core: Core, progress: Progress) -> _Analysis:
    folder = cache_folder() if settings.cache else None
    hashes, unreadable = _hashes(file_set.files) if folder else ({}, ())
    cache = ResultCache(folder) if folder else None
    key = _key(file_set, settings, rules, hashes, unreadable) if cache else ""
    kept = _from_data(cache.load(key)) if cache else None
    if kept is not None:
        return kept
    knowledge = core.load_knowledge(settings.knowledge)
    words = sorted({word for rule in rules for word in rule.words})
    try:
        built = core.build_facts(file_set.files, words, settings.jobs or _cores(), folder, partial(progress, "files"))
        analysed = core.analyse(built.facts, file_set.root, rules, knowledge, partial(progress, "functions"))
    except Exception as error:  # whatever broke, the run says so and ends with exit code 2
        logger.debug("crash", exc_info=True)
        return _Analysis((), (), (_crash(error),), 0, 0)
    analysis = _Analysis(
        findings=tuple(analysed.findings),
        skipped=tuple(built.skipped),
        errors=tuple(analysed.errors),
        files=len(file_set.files) - len(built.skipped),
        lines=built.lines,
    )
    # a file that changed between the two readings must not be remembered under its old content
    unchanged = all(built.hashes.get(path, known) == known for path, known in hashes.items())
    if cache and unchanged and not analysis.errors:
        cache.store(key, _to_data(analysis))
    return analysis


def _crash(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    detail = " ".join(str(error).split())
    return f"internal error: {type(error).__name__}{': ' if detail else ''}{detail}{place}"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _hashes(files: Sequence[SourceRef]) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    hashes: dict[str, str] = {}
    unreadable: list[tuple[str, str]] = []
    for ref in files:
        try:
            hashes[ref.display] = content_hash(read_bytes(ref.path))
        except Unreadable as trouble:
            unreadable.append((ref.display, trouble.reason))
    return hashes, tuple(unreadable)


def _key(
    file_set: FileSet,
    settings: Settings,
    rules: Sequence[Rule],
    hashes: dict[str, str],
    unreadable: tuple[tuple[str, str], ...],
) -> str:
    parts = [program_fingerprint(), str(file_set.root), os.getcwd(), str(len(rules)), *(rule.code for rule in rules)]
    parts.append(str(len(settings.knowledge)))
    for path in settings.knowledge:
        try:
            parts += [str(path), content_hash(read_bytes(str(path)))]
        except Unreadable as trouble:
            raise ConfigError(f"knowledge file {path}: {trouble.reason}") from None
    for pairs in (sorted(hashes.items()), unreadable):
        parts.append(str(len(pairs)))
        parts += [part for pair in pairs for part in pair]
    return combine(parts)


def _to_data(analysis: _Analysis) -> dict[str, Any]:
    return {
        "findings": [finding_to_data(finding) for finding in analysis.findings],
        "skipped": [list(pair) for pair in analysis.skipped],
        "files": analysis.files,
        "lines": analysis.lines,
    }


def _from_data(data: Any) -> _Analysis | None:
    try:
        findings = tuple(finding_from_data(row) for row in data["findings"])
        skipped = tuple((str(path), str(reason)) for path, reason in data["skipped"])
        return _Analysis(findings, skipped, (), int(data["files"]), int(data["lines"]), from_cache=True)
    except (KeyError, TypeError, ValueError):
        return None
