"""The accuracy benchmark, over small repositories made here."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from support import git

HOME = Path(__file__).parent.parent / "benchmarks" / "accuracy"
RUN = HOME / "run"
PROGRAM = """\
import torch
import torch.nn.functional as F


def train(model, batches, optimizer):
    for inputs, targets in batches:
        loss = F.binary_cross_entropy(torch.sigmoid(model(inputs)), targets)
        loss.backward()
        optimizer.step()
"""
BUG = PROGRAM.splitlines().index("        loss = F.binary_cross_entropy(torch.sigmoid(model(inputs)), targets)") + 1
# as the real tool reports the program above, only faster
TOOL = f"""\
#!/bin/sh
if [ $1 = rules ]; then echo DDP203 sigmoid-before-bce; exit; fi
grep -q sigmoid train.py || {{ echo '[]'; exit; }}
echo '[{{"code": "DDP203", "message": "a sigmoid", "filename": "train.py", "location": {{"row": {BUG}}}}}]'
"""


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    sys.path.insert(0, str(HOME))
    yield
    sys.path.remove(str(HOME))


@pytest.fixture
def places() -> ModuleType:
    return importlib.import_module("places")


@pytest.fixture
def tables() -> ModuleType:
    return importlib.import_module("tables")


@dataclass
class Done:
    code: int
    out: str
    err: str


class Runner:
    """The runner in this process, with a stand-in for the tool."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capture = capture
        self.tool = self.script("tool", TOOL)

    def script(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def __call__(self, *arguments: object, clones: Path | None = None, main: str = "accuracy") -> Done:
        given = [str(argument) for argument in arguments]
        if main == "accuracy":
            given = ["--command", str(self.tool), "--cache", str(self.folder / "cache"), *given]
        if clones:
            given += ["--clones", str(clones)]
        code = importlib.import_module(main).main(given)
        captured = self.capture.readouterr()
        return Done(code, captured.out, captured.err)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(tmp_path, capsys)


@pytest.fixture
def clones(tmp_path: Path) -> Path:
    """One clone `owner+name`, with the bug in its second commit."""
    folder = tmp_path / "clones" / "owner+name"
    folder.mkdir(parents=True)
    git("init", "--quiet", cwd=folder)
    (folder / "train.py").write_text("x = 1\n")
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "-m", "one", cwd=folder)
    (folder / "train.py").write_text(PROGRAM)
    (folder / "weights.bin").write_bytes(b"\0")
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "-m", "two", cwd=folder)
    (folder / "train.py").write_text("work = 'in progress'\n")
    return tmp_path / "clones"


def entry(**values: Any) -> dict[str, Any]:
    label = {"repository": "owner/name", "commit": "c", "path": "train.py", "line": BUG, "rule": "DDP203"}
    return {**label, "verdict": "bug", "difficulty": "same-function", "origin": "search", "reason": "because", **values}


def write_labels(folder: Path, *entries: dict[str, Any]) -> Path:
    labels = folder / "labels"
    labels.mkdir(exist_ok=True)
    (labels / "some.yaml").write_text(yaml.safe_dump(list(entries)))
    return labels


def commit_of(clones: Path, revision: str = "HEAD") -> str:
    return git("rev-parse", revision, cwd=clones / "owner+name")


def untimed(output: str) -> str:
    """An output without how long the programs took, which is never twice the same."""
    return re.sub(r"\d+\.\d s$", "? s", output, flags=re.MULTILINE)


def made_up(places: ModuleType, path: str, line: int, *, trace: tuple[tuple[str, int], ...] = (), **values: Any) -> Any:
    steps = tuple(places.Spot(name, number, number) for name, number in trace)
    spot = places.Spot(path, line, values.pop("last", line), values.pop("cell", None))
    return places.Finding("owner/name", "c", values.pop("rule", "DDP203"), spot, "message", steps)


def test_the_command_runs_the_real_tool(tmp_path: Path, clones: Path) -> None:
    labels = write_labels(tmp_path, entry(commit=commit_of(clones)))
    options = ["--labels", labels, "--clones", clones, "--cache", tmp_path / "cache", "--rule", "DDP203"]
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, RUN, *options], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "same-function: 1 / 1 found" in done.stdout


def test_counts_bugs_alarms_and_findings_of_the_pinned_commit(tmp_path: Path, clones: Path, run: Runner) -> None:
    head, first = commit_of(clones), commit_of(clones, "HEAD~1")
    labels = write_labels(
        tmp_path,
        entry(commit=head),
        entry(commit=head, origin="finding"),
        entry(commit=first, line=1, difficulty="cross-file"),
        entry(commit=first, line=1, verdict="near-miss"),
        entry(commit=head, rule="DDP204"),
    )
    out = tmp_path / "out.json"
    done = run("--labels", labels, "--json", out, "--list", "missed", "--list", "true", clones=clones)
    assert (done.code, done.err) == (0, "")
    row = next(line.split() for line in done.out.splitlines() if line.startswith("DDP203"))
    # bugs found, recall, near-misses reported, true of the judged, right, unjudged, known bugs kept
    assert " ".join(row[1:]) == "1 / 2 50 % 0 / 1 1 / 1 100 % 0 1 / 1"
    assert "same-function: 1 / 1 found" in done.out
    assert "cross-file: 0 / 1 found" in done.out
    assert "missed    DDP203 owner/name train.py:1 (search) because" in done.out
    assert f"true      DDP203 owner/name train.py:{BUG} because" in done.out
    document = json.loads(out.read_text())
    assert document["selected"] == ["DDP203"]
    assert [place["reported"] for place in document["places"]] == [True, True, False, False]
    assert [finding["judgement"] for finding in document["findings"]] == ["true"]
    assert not (tmp_path / "cache" / f"owner+name@{head[:12]}" / "weights.bin").exists()


def test_unjudged_findings_are_listed_also_where_nothing_is_labelled(tmp_path: Path, clones: Path, run: Runner) -> None:
    head, first = commit_of(clones), commit_of(clones, "HEAD~1")
    labels = write_labels(tmp_path, entry(commit=first, line=1))
    (tmp_path / "repositories.yaml").write_text(yaml.safe_dump([{"repository": "owner/name", "commit": head}]))
    done = run("--labels", labels, "--jobs", "2", clones=clones)
    assert f"unjudged  DDP203 owner/name train.py:{BUG} a sigmoid" in done.out
    assert "2 programs" in done.out
    only = run("--labels", labels, "--repo", "owner/name", "--rule", "DDP203", clones=clones)
    assert untimed(only.out) == untimed(done.out)


def test_compare_shows_what_came_and_went(tmp_path: Path, clones: Path, run: Runner) -> None:
    labels = write_labels(tmp_path, entry(commit=commit_of(clones)))
    with_it, without = tmp_path / "with.json", tmp_path / "without.json"
    assert run("--labels", labels, "--json", with_it, clones=clones).code == 0
    document = json.loads(with_it.read_text())
    document["findings"] = []
    document["places"][0]["reported"] = False
    without.write_text(json.dumps(document))
    came = run("--labels", labels, "--compare", without, clones=clones).out
    assert f"new   true      DDP203 owner/name train.py:{BUG}" in came
    assert f"bug       now reported: DDP203 owner/name train.py:{BUG}" in came
    silent = run.script("silent", "#!/bin/sh\ncase $1 in rules) echo DDP203 x;; *) echo '[]';; esac\n")
    went = run("--labels", labels, "--command", silent, "--compare", with_it, clones=clones).out
    assert f"gone  true      DDP203 owner/name train.py:{BUG}" in went
    assert f"bug       no longer reported: DDP203 owner/name train.py:{BUG}" in went
    same = run("--labels", labels, "--compare", with_it, clones=clones).out
    assert same.endswith("compared over 1 programs, 1 rules\nno difference\n")


def test_takes_folders_that_are_unpacked_already(tmp_path: Path, run: Runner) -> None:
    folder = tmp_path / "unpacked" / "owner+name@0123456789ab"
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(PROGRAM)
    labels = write_labels(tmp_path, entry(commit="0123456789abcdef"))
    done = run("--labels", labels, clones=tmp_path / "unpacked")
    assert done.code == 0
    assert "same-function: 1 / 1 found" in done.out


@pytest.mark.parametrize("home", ["owner+name.git", "owner+name/repo", "owner+name/repo/.git"])
def test_takes_clones_however_they_lie(tmp_path: Path, clones: Path, run: Runner, home: str) -> None:
    place = tmp_path / "others" / home
    place.parent.mkdir(parents=True)
    (clones / "owner+name" / ".git").rename(place)
    commit = git("--git-dir", str(place), "rev-parse", "HEAD")
    done = run("--labels", write_labels(tmp_path, entry(commit=commit)), clones=tmp_path / "others")
    assert "same-function: 1 / 1 found" in done.out


def test_clones_from_the_network_where_no_folder_is_given(
    tmp_path: Path, clones: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "owner").mkdir()
    (clones / "owner+name" / ".git").rename(tmp_path / "owner" / "name.git")
    commit = git("--git-dir", "owner/name.git", "rev-parse", "HEAD", cwd=tmp_path)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    labels = write_labels(tmp_path, entry(commit=commit), entry(repository="owner/gone"))
    done = run("--labels", labels)
    assert done.code == 1
    assert "same-function: 1 / 1 found" in done.out
    assert "BROKEN owner/gone at c: not run: owner/gone: " in done.out


@pytest.mark.parametrize(
    ("script", "trouble"),
    [
        ("sleep 5", "no answer in 0.5 s"),
        ("echo no; exit 0", "no JSON of findings"),
        ("echo '[]'; echo dead >&2; exit 2", "exit 2: dead"),
    ],
)
def test_broken_runs_are_named_and_fail(tmp_path: Path, clones: Path, run: Runner, script: str, trouble: str) -> None:
    tool = run.script("broken", f"#!/bin/sh\nif [ $1 = rules ]; then echo DDP203 x; exit; fi\n{script}\n")
    labels = write_labels(tmp_path, entry(commit=commit_of(clones)))
    done = run("--labels", labels, "--command", tool, "--timeout", "0.5", clones=clones)
    assert done.code == 1
    assert f"BROKEN owner/name at {commit_of(clones)[:12]}: " in done.out
    assert trouble in done.out


def test_a_repository_that_cannot_be_had_counts_for_nothing(tmp_path: Path, clones: Path, run: Runner) -> None:
    wanted = [entry(commit=commit_of(clones)), entry(repository="who/knows"), entry(commit="f" * 40)]
    done = run("--labels", write_labels(tmp_path, *wanted), clones=clones)
    assert done.code == 1
    assert "who/knows: no clone in" in done.out
    assert "BROKEN owner/name at ffffffffffff: not run: owner/name at ffffffffffff: " in done.out
    assert "same-function: 1 / 1 found" in done.out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- [", "some.yaml: "),
        ("a: 1", "some.yaml: not a list of labels"),
        ("- 1", "some.yaml, entry 1: not a mapping"),
        ("- {repository: a/b}", "entry 1: missing 7 required"),
        (yaml.safe_dump([entry(surprise=1)]), "entry 1: got an unexpected keyword argument 'surprise'"),
        (yaml.safe_dump([entry(), entry(verdict="true")]), "entry 2: verdict is 'true', not one of bug, near-miss"),
        (yaml.safe_dump([entry(origin="luck")]), "origin is 'luck', not one of search, finding"),
        (yaml.safe_dump([entry(difficulty="hard")]), "difficulty is 'hard'"),
        (yaml.safe_dump([entry(cause="bad luck")]), "cause is 'bad luck'"),
        (yaml.safe_dump([entry(line="3")]), "line must be a number"),
    ],
)
def test_labels_that_cannot_be_used_are_one_clear_line(tmp_path: Path, run: Runner, text: str, complaint: str) -> None:
    labels = write_labels(tmp_path)
    (labels / "some.yaml").write_text(text)
    done = run("--labels", labels)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("accuracy: ")
    assert done.err.count("\n") == 1
    assert complaint in done.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rule", "DDP999"], "no rule DDP999: the tool has DDP203"),
        (["--repo", "no/one"], "nothing is left to run"),
        (["--labels", "nowhere"], "no label files in nowhere"),
        (["--compare", "nowhere.json"], "nowhere.json: "),
        (["--compare", str(RUN)], f"{RUN}: "),
        (["--command", "no-such-tool"], "no-such-tool: "),
        (["--command", "false"], "false rules: exit 1"),
    ],
)
def test_options_that_cannot_be_used(tmp_path: Path, run: Runner, options: list[str], complaint: str) -> None:
    done = run("--labels", write_labels(tmp_path, entry()), *options)
    assert done.code == 2
    assert done.err.startswith(f"accuracy: {complaint}")
    assert done.err.count("\n") == 1


def test_a_json_of_another_kind_is_refused(tmp_path: Path, run: Runner) -> None:
    (tmp_path / "other.json").write_text("[]")
    done = run("--labels", write_labels(tmp_path, entry()), "--compare", tmp_path / "other.json")
    assert done.code == 2
    assert "not a result of this runner" in done.err


def test_a_list_of_repositories_that_cannot_be_used(tmp_path: Path, run: Runner) -> None:
    labels = write_labels(tmp_path, entry())
    (tmp_path / "repositories.yaml").write_text("- {repository: a/b}")
    done = run("--labels", labels)
    assert done.code == 2
    assert "repositories.yaml: 'commit'" in done.err


def test_the_tables_of_the_documentation(tmp_path: Path, clones: Path, run: Runner, tables: ModuleType) -> None:
    head = commit_of(clones)
    missing = {"commit": head, "line": 50, "difficulty": "needs-types"}
    labels = write_labels(
        tmp_path,
        entry(commit=head),
        entry(commit=head, origin="finding"),
        entry(**missing, cause="container"),
        entry(**{**missing, "line": 70}),
    )
    result = tmp_path / "result.json"
    run("--labels", labels, "--json", result, clones=clones)
    text = run(result, main="tables").out
    assert text.startswith("1 repositories (1 commits; 1 have judged places), 3 places read.\n")
    assert "| DDP203 | 3 | 1 | 33 % | 0 | 0 | 1 | 1 | 100 % |\n| all | 3 | 1 |" in text
    assert "| same-function | 1 | 1 | 100 % |\n| needs-types | 2 | 0 | 0 % |" in text
    assert "| DDP203 | 2 | container 1, not known 1 |" in text
    assert "| rule | judged | true | precision |\n|---|---|---|---|\n| DDP203 | 1 | 1 | 100 % |" in text
    assert "not judged yet" not in text
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.START}\nold\n{tables.END}\nafter\n")
    assert run(result, "--write", page, main="tables").code == 0
    assert page.read_text() == f"before\n{tables.START}\n{text}{tables.END}\nafter\n"


def test_findings_where_the_rules_were_developed_are_no_proof(
    tmp_path: Path, clones: Path, run: Runner, tables: ModuleType
) -> None:
    labels = write_labels(tmp_path, entry(commit=commit_of(clones)))
    (labels / "some.yaml").rename(labels / f"{tables.DEVELOPED}-findings.yaml")
    result = tmp_path / "result.json"
    run("--labels", labels, "--json", result, clones=clones)
    text = run(result, main="tables").out
    assert "| rule | judged | true | precision |\n|---|---|---|---|\n| all | 0 | 0 | - |" in text


def test_unjudged_findings_are_named_below_the_table(tmp_path: Path, clones: Path, run: Runner) -> None:
    labels = write_labels(tmp_path, entry(commit=commit_of(clones), line=50))
    result = tmp_path / "result.json"
    run("--labels", labels, "--json", result, clones=clones)
    assert "1 findings are not judged yet and count for nothing." in run(result, main="tables").out


def test_a_page_without_its_marks_is_left_alone(tmp_path: Path, clones: Path, run: Runner) -> None:
    labels = write_labels(tmp_path, entry(commit=commit_of(clones)))
    result = tmp_path / "result.json"
    run("--labels", labels, "--json", result, clones=clones)
    page = tmp_path / "page.md"
    page.write_text("no marks")
    done = run(result, "--write", page, main="tables")
    assert done.code == 2
    assert done.err.startswith("table: the page needs one")
    assert page.read_text() == "no marks"
    assert run(tmp_path / "none.json", main="tables").err.startswith(f"table: {tmp_path}/none.json: ")


@pytest.mark.parametrize(
    ("line", "hit"),
    [(6, False), (7, True), (10, True), (12, True), (15, True), (16, False)],
)
def test_a_finding_within_three_lines_of_its_span_hits(places: ModuleType, line: int, hit: bool) -> None:
    finding = made_up(places, "train.py", 10, last=12)
    assert finding.hits(places.Label(**entry(line=line))) is hit


def test_only_bugs_are_hit_through_the_trace_and_other_places(places: ModuleType) -> None:
    finding = made_up(places, "train.py", 100, trace=(("model.py", 20),))
    also = ("train.py:101", "no line")
    assert finding.hits(places.Label(**entry(path="model.py", line=21)))
    assert not finding.hits(places.Label(**entry(path="model.py", line=22)))
    assert not finding.hits(places.Label(**entry(path="model.py", line=20, verdict="near-miss")))
    assert finding.hits(places.Label(**entry(path="loss.py", also=also)))
    assert not finding.hits(places.Label(**entry(path="loss.py", also=also, verdict="near-miss")))


OTHERS = [{"rule": "DDP204"}, {"commit": "d"}, {"repository": "a/b"}, {"path": "b.py"}, {"cell": 2}]


@pytest.mark.parametrize("other", OTHERS)
def test_another_rule_program_file_or_cell_is_not_hit(places: ModuleType, other: dict[str, Any]) -> None:
    finding = made_up(places, "train.py", BUG, cell=1)
    assert finding.hits(places.Label(**entry()))
    assert not finding.hits(places.Label(**entry(**other)))


def test_a_finding_takes_the_verdict_of_the_nearest_label(places: ModuleType) -> None:
    def label(line: int, verdict: str, origin: str = "search") -> Any:
        return places.Label(**entry(line=line, verdict=verdict, origin=origin))

    finding = made_up(places, "train.py", 10, trace=(("train.py", 30),))
    assert finding.judged([]).judgement == "unjudged"
    assert finding.judged([label(12, "bug"), label(9, "near-miss")]).judgement == "false"
    assert finding.judged([label(10, "bug"), label(10, "near-miss", "finding")]).judgement == "false"
    assert finding.judged([label(30, "bug"), label(13, "near-miss")]).judgement == "false"
    assert finding.judged([label(30, "bug"), label(40, "near-miss")]).judgement == "true"


def test_recall_counts_independent_places_only(places: ModuleType) -> None:
    labels = [
        places.Label(**entry(line=1)),
        places.Label(**entry(line=50)),
        places.Label(**entry(line=1, origin="finding")),
        places.Label(**entry(line=80, origin="finding", verdict="near-miss")),
        places.Label(**entry(line=90, verdict="near-miss", difficulty="")),
    ]
    found = [made_up(places, "train.py", 1), made_up(places, "train.py", 80), made_up(places, "train.py", 200)]
    row = places.score(labels, found).rows()["DDP203"]
    assert (row.found, row.bugs) == (1, 2)
    assert (row.false_alarms, row.near_misses) == (0, 1)
    assert (row.true, row.false, row.unjudged) == (1, 1, 1)
    assert (row.kept, row.known) == (1, 1)


def test_the_labels_of_the_project_can_be_used(places: ModuleType) -> None:
    labels = places.load(HOME / "labels")
    identities = [(*label.program, label.rule, label.path, label.cell, label.line, label.origin) for label in labels]
    assert len(set(identities)) == len(identities)
    assert all(label.difficulty for label in labels if label.is_bug and label.is_independent)
    assert all(len(label.commit) == 40 for label in labels)
    assert all(label.reason for label in labels)
