"""The runner: the tool over every labelled repository, and what comes of it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from clones import CloneError, folder_of
from places import Finding, Label, LabelError, Place, Row, Score, load, score

HERE = Path(__file__).parent
DDPLINT = f"{shlex.quote(sys.executable)} -m ddplint"
DESCRIPTION = """\
Runs ddplint over public repositories at pinned commits and compares what it reports with places that were read by a
person. Recall and false alarms count the places found independently of the tool (origin `search`); precision counts
findings. Exits with 1 if a run broke or took too long, 2 if the labels or the options cannot be used."""


@dataclass
class Options:
    """What the command line says."""

    labels: Path
    clones: Path | None
    cache: Path
    rule: list[str]
    repo: list[str]
    command: str
    timeout: float
    jobs: int


@dataclass
class Run:
    """One repository at one commit: what was found, or the trouble."""

    repository: str
    commit: str
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    trouble: str = ""


class UsageError(Exception):
    """Something the user can put right; one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser()
    parsed = parser.parse_args(arguments)
    options = Options(**{name.name: getattr(parsed, name.name) for name in fields(Options)})
    try:
        old = read_results(parsed.compare) if parsed.compare else None
        labels, programs = selected(options)
        runs = run_all(programs, options)
        result = score(labels_of(runs, labels), [finding for run in runs for finding in run.findings])
        document = results(runs, result, options.rule)
        if parsed.json:
            parsed.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except (LabelError, UsageError, OSError) as error:
        print(f"accuracy: {error}", file=sys.stderr)
        return 2
    print("\n".join(report(runs, result, parsed.list)))
    if old is not None:
        print("\n".join(["", *differences(old, document)]))
    return 1 if any(run.trouble for run in runs) else 0


def argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/accuracy/run", description=DESCRIPTION)
    parser.add_argument("--labels", type=Path, default=HERE / "labels", help="folder of label files")
    clones = "folder of git clones, owner+name each, or of folders owner+name@commit; without it GitHub is asked"
    parser.add_argument("--clones", type=Path, help=clones)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "ddplint-accuracy")
    parser.add_argument("--repo", action="append", default=[], metavar="OWNER/NAME", help="only these; repeatable")
    parser.add_argument("--rule", action="append", default=[], metavar="CODE", help="only these; repeatable")
    parser.add_argument("--command", default=DDPLINT, help="how to start the tool")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="for one repository")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="repositories at a time")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every place and every finding")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="show what changed since that run")
    parser.add_argument(
        "--list",
        action="append",
        default=[],
        choices=["missed", "alarms", "false", "true", "unjudged"],
        help="show these places or findings; repeatable (default: unjudged)",
    )
    return parser


def selected(options: Options) -> tuple[list[Label], list[tuple[str, str]]]:
    """Labels and programs that the options and the tool's rules leave."""
    labels = load(options.labels)
    known = known_rules(options.command)
    if unknown := set(options.rule) - known:
        raise UsageError(f"no rule {', '.join(sorted(unknown))}: the tool has {', '.join(sorted(known))}")
    options.rule = sorted(options.rule or known)
    labels = [label for label in labels if label.rule in options.rule]
    programs = {label.program for label in labels} | set(further_programs(options.labels.parent / "repositories.yaml"))
    if options.repo:
        labels = [label for label in labels if label.repository in options.repo]
        programs = {program for program in programs if program[0] in options.repo}
    if not programs:
        raise UsageError("nothing is left to run")
    return labels, sorted(programs)


def known_rules(command: str) -> set[str]:
    try:
        done = subprocess.run([*shlex.split(command), "rules"], capture_output=True, text=True, env=environment())
    except (OSError, ValueError) as error:
        raise UsageError(f"{command}: {error}") from error
    rules = {words[0] for words in map(str.split, done.stdout.splitlines()) if words}
    if done.returncode or not rules:
        raise UsageError(f"{command} rules: exit {done.returncode}: {done.stderr.strip()[-200:]}")
    return rules


def further_programs(path: Path) -> list[tuple[str, str]]:
    """Repositories that are run even where nothing in them is labelled: a new finding there must be seen."""
    if not path.exists():
        return []
    try:
        entries = yaml.safe_load(path.read_text("utf-8"))
        return [(entry["repository"], entry["commit"]) for entry in entries]
    except (yaml.YAMLError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())}") from error


def run_all(programs: list[tuple[str, str]], options: Options) -> list[Run]:
    options.cache.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max(options.jobs, 1)) as pool:
        return list(pool.map(lambda program: run_one(program, options), programs))


def run_one(program: tuple[str, str], options: Options) -> Run:
    repository, commit = program
    run = Run(repository, commit)
    try:
        folder = folder_of(repository, commit, options.clones, options.cache)
    except CloneError as error:
        run.trouble = f"not run: {error}"
        return run
    command = [*shlex.split(options.command), "check", "--isolated", "--exit-zero", "--jobs", "1"]
    command += ["--output-format", "json", "--select", ",".join(options.rule), "."]
    started = time.monotonic()
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=options.timeout, env=environment())
        run.findings = [Finding.read(repository, commit, entry) for entry in json.loads(done.stdout or b"[]")]
        if done.returncode:
            run.trouble = f"exit {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}"
    except subprocess.TimeoutExpired:
        run.trouble = f"no answer in {options.timeout:g} s"
    except (ValueError, KeyError, TypeError):
        run.trouble = f"exit {done.returncode}: no JSON of findings: {done.stdout[:100]!r}"
    run.seconds = time.monotonic() - started
    return run


def environment() -> dict[str, str]:
    # the program's own modules must not stand in for the tool's
    return {**os.environ, "PYTHONSAFEPATH": "1"}


def labels_of(runs: list[Run], labels: list[Label]) -> list[Label]:
    """Those of repositories that could be run at all."""
    ran = {(run.repository, run.commit) for run in runs if not run.trouble.startswith("not run")}
    return [label for label in labels if label.program in ran]


def results(runs: list[Run], result: Score, selected_rules: list[str]) -> dict[str, Any]:
    """Everything, as plain JSON."""
    return {
        "selected": selected_rules,
        "rules": {code: asdict(row) for code, row in result.rows().items()},
        "difficulties": {kind: list(counts) for kind, counts in result.difficulties().items()},
        "places": [{"reported": place.reported, **asdict(place.label)} for place in result.places],
        "findings": [asdict(finding) for finding in result.findings],
        "runs": [{**asdict(run), "findings": len(run.findings), "seconds": round(run.seconds, 1)} for run in runs],
    }


def report(runs: list[Run], result: Score, wanted: Sequence[str]) -> list[str]:
    """The tables, then the places asked for."""
    rows = result.rows()
    lines = [
        f"{'':8} {'independent places':>40} {'findings':>33}",
        f"{'rule':8} {'bugs found':>13} {'recall':>7} {'near-misses reported':>21} {'true / judged':>15} "
        f"{'right':>7} {'unjudged':>9} {'known bugs kept':>16}",
    ]
    lines += [table_row(code, row) for code, row in rows.items()]
    lines.append(table_row("all", sum(rows.values(), Row())))
    lines += [f"  {kind}: {found} / {bugs} found" for kind, (found, bugs) in result.difficulties().items()]
    slowest = max(runs, key=lambda run: run.seconds)
    lines.append(f"{len(runs)} programs, slowest {slowest.repository} {slowest.seconds:.1f} s")
    lines += [f"BROKEN {run.repository} at {run.commit[:12]}: {run.trouble}" for run in runs if run.trouble]
    for kind in wanted or ["unjudged"]:
        lines += listing(result, kind)
    return lines


def table_row(name: str, row: Row) -> str:
    judged = row.true + row.false
    return (
        f"{name:8} {row.found:>6} / {row.bugs:<4} {percent(row.found, row.bugs):>7} "
        f"{row.false_alarms:>14} / {row.near_misses:<4} {row.true:>8} / {judged:<4} {percent(row.true, judged):>7} "
        f"{row.unjudged:>9} {row.kept:>9} / {row.known:<4}"
    )


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def listing(result: Score, kind: str) -> list[str]:
    if kind in ("missed", "alarms"):
        chosen = [place for place in result.places if place.label.is_bug == (kind == "missed")]
        chosen = [place for place in chosen if place.reported == (kind == "alarms")]
        return [f"{kind:9} {place_text(place)}" for place in chosen]
    return [f"{kind:9} {finding_text(asdict(one))}" for one in result.findings if one.judgement == kind]


def place_text(place: Place) -> str:
    label = place.label
    return f"{label.rule} {label.repository} {label.path}:{label.line} ({label.origin}) {label.cause or label.reason}"


def finding_text(finding: dict[str, Any]) -> str:
    spot = finding["spot"]
    cell = f"cell {spot['cell']}:" if spot["cell"] is not None else ""
    text = finding["reason"] or finding["message"]
    return f"{finding['rule']} {finding['repository']} {spot['path']}:{cell}{spot['first']} {text[:160]}"


def read_results(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise UsageError(f"{path}: {error}") from error
    if not isinstance(document, dict) or not {"selected", "places", "findings", "runs"} <= document.keys():
        raise UsageError(f"{path}: not a result of this runner")
    return document


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What came and went, over the programs and rules that both runs looked at."""
    both = programs_of(old) & programs_of(new)
    rules = set(old["selected"]) & set(new["selected"])
    before, after = (count_findings(document, both, rules) for document in (old, new))
    texts = {identity(one): finding_text(one) for document in (old, new) for one in document["findings"]}
    judged = {identity(one): one["judgement"] for document in (old, new) for one in document["findings"]}
    lines = [f"compared over {len(both)} programs, {len(rules)} rules"]
    lines += [f"new   {judged[one]:9} {texts[one]}" for one in sorted((after - before).elements(), key=str)]
    lines += [f"gone  {judged[one]:9} {texts[one]}" for one in sorted((before - after).elements(), key=str)]
    earlier = {place_identity(place): place["reported"] for place in old["places"]}
    for place in new["places"]:
        was = earlier.get(place_identity(place), place["reported"])
        if was != place["reported"]:
            change = "now reported" if place["reported"] else "no longer reported"
            where = f"{place['rule']} {place['repository']} {place['path']}:{place['line']}"
            lines.append(f"{place['verdict']:9} {change}: {where}")
    if len(lines) == 1:
        lines.append("no difference")
    return lines


def programs_of(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(run["repository"], run["commit"]) for run in document["runs"] if not run["trouble"]}


def identity(finding: dict[str, Any]) -> tuple[Any, ...]:
    spot = finding["spot"]
    return finding["rule"], finding["repository"], finding["commit"], spot["path"], spot["cell"], spot["first"]


def place_identity(place: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(place[name] for name in ("rule", "repository", "commit", "path", "cell", "line", "origin"))


def count_findings(
    document: dict[str, Any], programs: set[tuple[str, str]], rules: set[str]
) -> Counter[tuple[Any, ...]]:
    chosen = (one for one in document["findings"] if (one["repository"], one["commit"]) in programs)
    return Counter(identity(one) for one in chosen if one["rule"] in rules)
