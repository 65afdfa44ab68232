"""One run: paths and settings in, findings out."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ddplint.baseline import hold_back
from ddplint.cache import (
    ResultCache,
    cache_folder,
    combine,
    finding_from_data,
    finding_to_data,
    program_fingerprint,
    rules_state,
)
from ddplint.config import ConfigError, Settings
from ddplint.files import Buffer, FileSet, SourceRef, find_files
from ddplint.findings import Finding
from ddplint.problems import described
from ddplint.registry import discover
from ddplint.result import Result
from ddplint.rules.base import Rule
from ddplint.selection import Policy, chosen_rules
from ddplint.source import SourceFile, Sources, Unreadable, content_hash, parse_source, read_bytes
from ddplint.suppression import Sifted, Suppression, sift

if TYPE_CHECKING:
    from ddplint.baseline.entries import Baseline
    from ddplint.baseline.matching import Reach
    from ddplint.fixing.documents import Document
    from ddplint.fixing.session import Repair
    from ddplint.fixing.verify import Checked
    from ddplint.ignores import Flaw

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
        self, files: Sequence[SourceRef], jobs: int, cache_dir: Path | None, progress: Count
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
        self, files: Sequence[SourceRef], jobs: int, cache_dir: Path | None, progress: Count
    ) -> FactsResult:
        from ddplint.facts.build import build_facts

        return build_facts(files, jobs, cache_dir, progress)

    def analyse(
        self, facts: Sequence[Any], root: Path, rules: Sequence[Rule], knowledge: Any, progress: Count
    ) -> AnalysisResult:
        from ddplint.flow.analysis import analyse

        return analyse(facts, root, rules, knowledge, progress)


@dataclass(frozen=True, slots=True)
class FixResult:
    """What `fix` did, or would do. `open` are the findings that remain, with the reason why they were left.

    `unwritten` are files that could not be written: (path, reason).
    """

    repair: Repair
    open: tuple[tuple[Finding, str], ...] = ()
    written: tuple[str, ...] = ()
    unwritten: tuple[tuple[str, str], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    shown: frozenset[str] | None = None
    errors: tuple[str, ...] = ()
    files_read: int = 0
    suppressed: int = 0
    held: int = 0
    sources: Sources = field(default_factory=Sources, compare=False)

    def content(self, buffer: Buffer) -> bytes:
        """What the repair makes of a file that was given beside the disk; its own bytes if nothing is repaired."""
        return next((one.data for one in self.repair.after.values() if one.path == str(buffer.path)), buffer.data)


@dataclass(frozen=True, slots=True)
class _Analysis:
    findings: tuple[Finding, ...]
    skipped: tuple[tuple[str, str], ...]
    errors: tuple[str, ...]
    files: int
    lines: int
    from_cache: bool = False


def silent(what: str, done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A program with all findings of the selected rules, parted by the comments in the files.

    `ran` are the codes of the selected rules, `read` the files that were read.
    """

    paths: tuple[str, ...]
    file_set: FileSet
    policy: Policy
    rules: tuple[Rule, ...]
    ran: frozenset[str]
    read: frozenset[str]
    analysis: _Analysis
    sifted: Sifted
    sources: Sources

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """What could not be read: (path, reason)."""
        return tuple(sorted({*self.analysis.skipped, *self.file_set.skipped}))

    def is_wanted(self, finding: Finding) -> bool:
        """Whether a finding is to be shown: its rule is not left out in its file, and it concerns what was given."""
        return self.policy.counts(finding) and _is_shown(finding, self.file_set.shown)

    @property
    def shown(self) -> frozenset[str]:
        """The files that were read and that the run is about."""
        return self.read if self.file_set.shown is None else self.read & self.file_set.shown

    @property
    def reach(self) -> Reach:
        """What the run can tell of a baseline's entries; nothing if the analysis crashed."""
        from ddplint.baseline.matching import Reach

        folders = [path for path in self.paths if os.path.isdir(path)]
        return Reach((), (), ()) if self.analysis.errors else Reach(self.ran, self.shown, folders)

    def flaws(self) -> list[Flaw]:
        """What is wrong with comments in the files that the run is about; after a crash, none counts as unused."""
        from ddplint.ignores import Judge

        ran = frozenset[str]() if self.analysis.errors else self.ran
        return Judge(self.rules, ran, self.sifted.silenced).flaws(self.shown, self.sources)

    @property
    def silenced(self) -> tuple[tuple[Finding, Suppression], ...]:
        """The wanted findings that comments suppress, once with each comment."""
        return tuple(pair for pair in self.sifted.silenced if self.is_wanted(pair[0]))


def examine(
    paths: Sequence[str],
    settings: Settings,
    progress: Progress = silent,
    core: Core | None = None,
    rules: Sequence[Rule] | None = None,
    buffer: Buffer | None = None,
) -> Examined:
    """Analyse the files that `paths` stand for, and those that belong to them; `buffer` is the content of one.

    Raises ConfigError and PathError for what the user got wrong; a crash of the analysis ends up in its errors.
    """
    every = tuple(discover() if rules is None else rules)
    chosen = chosen_rules(every, settings)
    policy = Policy(every, settings)
    file_set = find_files(paths, settings.excluded, buffer=buffer)
    analysis = _analyse(file_set, settings, chosen, core or DefaultCore(), progress)
    sources = Program(file_set).sources({})
    return Examined(
        paths=tuple(paths),
        file_set=file_set,
        policy=policy,
        rules=every,
        ran=frozenset(rule.code for rule in chosen),
        read=frozenset(ref.display for ref in file_set.files) - {path for path, _ in analysis.skipped},
        analysis=analysis,
        sifted=sift(sorted(set(policy.grade(analysis.findings)), key=_order), sources),
        sources=sources,
    )


def check(
    paths: Sequence[str],
    settings: Settings,
    progress: Progress = silent,
    core: Core | None = None,
    rules: Sequence[Rule] | None = None,
    baseline: Baseline | None = None,
    buffer: Buffer | None = None,
) -> Result:
    """Check the files that `paths` stand for; what `baseline` knows is held back. Raises as `examine` does."""
    examined = examine(paths, settings, progress, core, rules, buffer)
    analysis, file_set = examined.analysis, examined.file_set
    kept = examined.sifted.kept
    held = hold_back(kept, baseline, examined.sources, examined.read)
    findings = [finding for finding in held.new if examined.is_wanted(finding)]
    if settings.report_unused_ignores:
        findings = sorted([*findings, *(flaw.finding() for flaw in examined.flaws())], key=_order)
    silenced = examined.silenced
    return Result(
        findings=tuple(findings),
        skipped=examined.skipped,
        errors=analysis.errors,
        files_read=analysis.files,
        lines_read=analysis.lines,
        suppressed=len({finding for finding, _ in silenced}),
        silenced=silenced,
        held=sum(map(examined.is_wanted, held.known)),
        stale=tuple(examined.reach.judge(held.open, baseline)[0]) if baseline else (),
        shown=file_set.shown,
        from_cache=analysis.from_cache,
        sources=examined.sources,
    )


def fill_edits(
    result: Result,
    paths: Sequence[str],
    settings: Settings,
    rules: Sequence[Rule] | None = None,
    buffer: Buffer | None = None,
) -> Result:
    """The result with the edits of each finding's fix, as the JSON report shows them."""
    if not any(finding.fix and finding.fix.actions for finding in result.findings):
        return result
    from ddplint.fixing.plan import with_edits

    program = Program(find_files(paths, settings.excluded, buffer=buffer))
    findings = with_edits(result.findings, discover() if rules is None else rules, program.document)
    return replace(result, findings=findings)


def fix(
    paths: Sequence[str],
    settings: Settings,
    apply: bool = False,
    unsafe: bool = False,
    progress: Progress = silent,
    core: Core | None = None,
    rules: Sequence[Rule] | None = None,
    baseline: Baseline | None = None,
    buffer: Buffer | None = None,
) -> FixResult:
    """Repair what the selected rules find and `baseline` does not know.

    Writes only if `apply`, and what is unsafe only if `unsafe`. Given a `buffer`, nothing is written and only that file
    is repaired.
    """
    from ddplint.fixing.session import Session
    from ddplint.fixing.write import Write, clean, refusal, scratch_folder, write_all

    every = discover() if rules is None else tuple(rules)
    chosen = {rule.code for rule in chosen_rules(every, settings)}
    program = Program(find_files(paths, settings.excluded, buffer=buffer))
    root = str(program.file_set.root)
    writing = apply and buffer is None
    if writing:
        clean(os.path.dirname(os.path.realpath(ref.path)) for ref in program.file_set.files)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(scratch_folder()))
        trial = _Trial(program, settings, every, chosen, core or DefaultCore(), progress, scratch, baseline)

        def wanted(finding: Finding) -> str:
            assert finding.fix is not None
            if apply and finding.fix.applicability == "unsafe" and not unsafe:
                return f"its fix is unsafe ({finding.fix.reason}); --unsafe-fixes writes it"
            for path in sorted({action.span.path for action in finding.fix.actions}):
                if buffer and program.path(path) != str(buffer.path):
                    return f"its fix changes {path}, and only what standard input holds is repaired"
                reason = refusal(program.path(path), root) if writing and program.path(path) else ""
                if reason:
                    return f"{path} is not written: {reason}"
            return ""

        repair = Session(every, program.document, trial.check, wanted).run()
        written: tuple[str, ...] = ()
        unwritten: tuple[tuple[str, str], ...] = ()
        if apply and buffer:
            written = tuple(repair.changed)
        elif writing and repair.changed:
            writes = [
                Write(path, repair.after[path].path, repair.before[path].data, repair.after[path].data)
                for path in repair.changed
            ]
            done = write_all(writes, [one.touched for one in repair.applied], str(scratch))
            written, unwritten = tuple(done.done), tuple(done.left)
    reasons = dict(repair.left)
    remaining = ((one, reasons.get(one, one.no_fix_reason or "no fix is known")) for one in repair.checked.open)
    return FixResult(
        repair=repair,
        open=tuple(sorted(remaining, key=lambda pair: _order(pair[0]))),
        written=written,
        unwritten=unwritten,
        skipped=tuple(sorted({*trial.skipped, *program.file_set.skipped})),
        shown=program.file_set.shown,
        errors=(*repair.checked.errors, *repair.defects),
        files_read=trial.files,
        suppressed=trial.suppressed,
        held=trial.held,
        sources=program.sources(repair.after),
    )


class Program:
    """The files of a run as documents that can be rewritten."""

    def __init__(self, file_set: FileSet) -> None:
        self.file_set = file_set
        self._refs = {ref.display: ref for ref in file_set.files}
        self.hashes: dict[str, str] = {}

    def path(self, display: str) -> str:
        """Where a file is; an empty string if it does not belong to the program."""
        return self._refs[display].path if display in self._refs else ""

    def document(self, display: str) -> Document | str:
        """A file as it is on disk, or why it cannot be rewritten."""
        from ddplint.fixing.notebooks import decode

        path = self.path(display)
        if not path:
            return f"{display} does not belong to the given paths"
        try:
            data = self._refs[display].read()
            document = decode(display, path, data)
        except Unreadable as trouble:
            return f"{display}: {trouble.reason}"
        except ValueError as trouble:
            return f"{display}: {trouble}"
        if self.hashes.get(display, content_hash(data)) != content_hash(data):
            return f"{display} has changed meanwhile"
        return document

    def sources(self, documents: Mapping[str, Document]) -> Sources:
        """The files with the documents, and what was given beside the disk, in the place of what is there."""
        given = {ref.display: ref for ref in self.file_set.files if ref.data is not None}
        return _Overlay(
            {
                **{display: _parsed(ref) for display, ref in given.items()},
                **{path: parse_source(document.path, document.data) for path, document in documents.items()},
            }
        )


def _parsed(ref: SourceRef) -> SourceFile | None:
    try:
        return parse_source(ref.path, ref.read())
    except Unreadable:
        return None


class _Overlay(Sources):
    def __init__(self, files: Mapping[str, SourceFile | None]) -> None:
        super().__init__()
        self._files.update(files)


class _Trial:
    """Checks the program with some documents in the place of the files on disk."""

    def __init__(
        self,
        program: Program,
        settings: Settings,
        rules: Sequence[Rule],
        chosen: set[str],
        core: Core,
        progress: Progress,
        scratch: Path,
        baseline: Baseline | None,
    ) -> None:
        self._program = program
        self._settings = settings
        self._rules = rules
        self._chosen = chosen
        self._core = core
        self._progress = progress
        self._scratch = scratch
        self._baseline = baseline
        # without a cache the files that stay as they are would be read anew in each round
        self._cache = cache_folder() if settings.cache else scratch / "facts"
        self._policy = Policy(rules, settings)
        self._knowledge = core.load_knowledge(settings.knowledge_files)
        self.skipped: tuple[tuple[str, str], ...] = ()
        self.files = 0
        self.suppressed = self.held = 0

    def check(self, documents: Mapping[str, Document]) -> Checked:
        """All findings of all rules, and those of them that are to be repaired."""
        from ddplint.fixing.verify import Checked

        file_set = self._program.file_set
        files = [self._reference(ref, documents) for ref in file_set.files]
        progress = self._progress
        jobs = self._settings.jobs or _cores()
        try:
            built = self._core.build_facts(files, jobs, self._cache, partial(progress, "files"))
            analysed = self._core.analyse(
                built.facts, file_set.root, self._rules, self._knowledge, partial(progress, "functions")
            )
        except Exception as error:  # whatever broke, the run says so and ends with exit code 2
            logger.debug("crash", exc_info=True)
            return Checked((), (), (f"internal error: {described(error)}",))
        if not documents:
            self._program.hashes = dict(built.hashes)
            self.skipped = tuple(built.skipped)
            self.files = len(files) - len(built.skipped)
        findings = tuple(sorted(set(self._policy.grade(analysed.findings)), key=_order))
        sources = self._program.sources(documents)
        sifted = sift((one for one in findings if one.code in self._chosen), sources)
        read = {ref.display for ref in files} - {path for path, _ in built.skipped}
        held = hold_back(sifted.kept, self._baseline, sources, read)
        if not documents:
            self.suppressed = len({one for one, _ in sifted.silenced if self._is_wanted(one)})
            self.held = sum(map(self._is_wanted, held.known))
        wanted = tuple(filter(self._is_wanted, held.new))
        return Checked(findings, wanted, tuple(analysed.errors), tuple(built.skipped))

    def _is_wanted(self, finding: Finding) -> bool:
        return self._policy.counts(finding) and _is_shown(finding, self._program.file_set.shown)

    def _reference(self, ref: SourceRef, documents: Mapping[str, Document]) -> SourceRef:
        document = documents.get(ref.display)
        if document is None:
            return ref
        return SourceRef(ref.path, ref.display, document.data)


def _order(finding: Finding) -> tuple[Any, ...]:
    return (*finding.sort_key(), finding.span, finding.trace, finding.severity)


def _is_shown(finding: Finding, shown: frozenset[str] | None) -> bool:
    if shown is None:
        return True
    places = (finding.span, *finding.also, *(step.span for step in finding.trace))
    return any(span.path in shown for span in places)


def _analyse(file_set: FileSet, settings: Settings, rules: Sequence[Rule], core: Core, progress: Progress) -> _Analysis:
    folder = cache_folder() if settings.cache else None
    hashes, unreadable = _hashes(file_set.files) if folder else ({}, ())
    cache = ResultCache(folder) if folder else None
    key = _key(file_set, settings, rules, hashes, unreadable) if cache else ""
    kept = _from_data(cache.load(key)) if cache else None
    if kept is not None:
        return kept
    knowledge = core.load_knowledge(settings.knowledge_files)
    try:
        built = core.build_facts(file_set.files, settings.jobs or _cores(), folder, partial(progress, "files"))
        analysed = core.analyse(built.facts, file_set.root, rules, knowledge, partial(progress, "functions"))
    except Exception as error:  # whatever broke, the run says so and ends with exit code 2
        logger.debug("crash", exc_info=True)
        return _Analysis((), (), (f"internal error: {described(error)}",), 0, 0)
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


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _hashes(files: Sequence[SourceRef]) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    hashes: dict[str, str] = {}
    unreadable: list[tuple[str, str]] = []
    for ref in files:
        try:
            hashes[ref.display] = content_hash(ref.read())
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
    parts += rules_state(rules)
    parts.append(str(len(settings.knowledge_files)))
    for path in settings.knowledge_files:
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
