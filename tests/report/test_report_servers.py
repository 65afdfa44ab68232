"""What GitHub Actions, GitLab and JUnit readers get."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_data import AWKWARD_NAME, awkward_finding, make_finding, make_report

from ddplint.findings import Finding, Span
from ddplint.report.formats import FORMATS
from ddplint.report.model import Report, checkout_root


def render(name: str, report: Report) -> str:
    return FORMATS[name].render(report)


# json-lines


def test_json_lines_are_the_objects_of_the_json_list(tmp_path: Path) -> None:
    report = make_report(tmp_path, make_finding(), awkward_finding())
    lines = render("json-lines", report).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(render("json", report))
    assert render("json-lines", make_report(tmp_path)) == ""


# github


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands as the runner of GitHub Actions reads them."""
    parsed = []
    for line in text.splitlines():
        match = re.fullmatch(r"::(?P<name>\w+) (?P<properties>.*?)::(?P<data>.*)", line)
        assert match, line
        properties = {}
        for pair in match["properties"].split(","):
            key, _, value = pair.partition("=")
            for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
                value = value.replace(code, character)
            properties[key] = value
        data = match["data"].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
        parsed.append((match["name"], properties, data))
    return parsed


def test_github(tmp_path: Path) -> None:
    ((name, properties, data),) = commands(render("github", make_report(tmp_path, make_finding())))
    assert name == "warning"
    assert properties == {
        "file": "train.py",
        "line": "4",
        "endLine": "4",
        "col": "9",
        "endColumn": "31",
        "title": "DDP203 sigmoid-before-bce",
    }
    assert data.splitlines() == [
        "the input of BCELoss is a sigmoid's output",
        "1. net.py:2:12: the sigmoid",
        "2. train.py:4:9: the loss",
        "fix (unsafe): use BCEWithLogitsLoss (the model's output changes)",
    ]


def test_github_escapes(tmp_path: Path) -> None:
    text = render("github", make_report(tmp_path, awkward_finding(severity="note")))
    assert not [character for character in text if ord(character) < 32 and character != "\n"]
    ((name, properties, data),) = commands(text)
    assert (name, properties["file"]) == ("notice", AWKWARD_NAME)
    assert "100% %0A x[0](1)" in data
    # columns go with one row only
    assert (properties["line"], properties["endLine"], "col" in properties) == ("2", "3", False)


def test_github_names_what_was_left_out(tmp_path: Path) -> None:
    report = make_report(tmp_path, skipped=(("bad, file.py", "no Python 3"),), errors=("rule: crashed",))
    assert commands(render("github", report)) == [
        ("notice", {"file": "bad, file.py", "title": "ddplint: skipped"}, "no Python 3"),
        ("error", {"title": "ddplint: internal error"}, "rule: crashed"),
    ]
    assert render("github", make_report(tmp_path)) == ""


# gitlab


def test_gitlab(tmp_path: Path) -> None:
    findings = [make_finding(), awkward_finding(severity="note"), make_finding(severity="error", code="DDP101")]
    entries = json.loads(render("gitlab", make_report(tmp_path, *findings)))
    assert [entry["severity"] for entry in entries] == ["major", "info", "critical"]
    for entry, finding in zip(entries, findings):
        # https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
        assert set(entry) >= {"description", "check_name", "fingerprint", "location", "severity"}
        assert all(isinstance(entry[key], str) and entry[key] for key in ("description", "check_name", "fingerprint"))
        assert entry["location"]["path"] == finding.span.path
        assert entry["location"]["lines"]["begin"] == finding.span.row
    assert len({entry["fingerprint"] for entry in entries}) == 3
    assert json.loads(render("gitlab", make_report(tmp_path))) == []


# junit


def junit(report: Report) -> ElementTree.Element:
    text = render("junit", report)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    (suite,) = root
    for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert suite.get(attribute) == str(len(suite.findall(f"testcase/{tag}")))
    assert suite.get("tests") == root.get("tests") == str(len(suite.findall("testcase")))
    names = [(case.get("classname"), case.get("name")) for case in suite]
    assert len(set(names)) == len(names)
    return suite


def test_junit(tmp_path: Path) -> None:
    findings = [make_finding(), make_finding(span=Span("train.py", 3, 1, 3, 2)), make_finding(severity="note")]
    suite = junit(
        make_report(tmp_path, *findings, skipped=(("bad.py", "no Python 3"),), errors=("rule DDP9 crashed", "and more"))
    )
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["6", "2", "2", "1"]
    first, second, note, *_ = suite
    assert (first.get("classname"), first.get("name")) == ("train.py", "DDP203 sigmoid-before-bce")
    assert (second.get("name"), second.get("line")) == ("DDP203 sigmoid-before-bce (2)", "3")
    failure = first.find("failure")
    assert failure is not None and failure.text is not None
    assert failure.get("message") == "the input of BCELoss is a sigmoid's output"
    assert failure.text.splitlines()[2:4] == ["1. net.py:2:12: the sigmoid", "2. train.py:4:9: the loss"]
    assert note.find("failure") is None and note.find("system-out") is not None


def test_junit_fails_what_fails_the_run(tmp_path: Path) -> None:
    findings = [make_finding(severity=severity) for severity in ("note", "warning", "error")]
    counts = [junit(make_report(tmp_path, *findings, fail_on=limit)).get("failures") for limit in ("note", "error")]
    assert counts == ["3", "1"]


def test_junit_holds_any_text(tmp_path: Path) -> None:
    failure = junit(make_report(tmp_path, awkward_finding(message="a\x00\x1b\ufffe\udcff<&>\"'\t\n\x85 数据"))).find(
        "*/failure"
    )
    assert failure is not None
    assert failure.get("message") == "a\\x00\\x1b\\ufffe\\udcff<&>\"'\t\n\x85 数据"


def test_junit_without_findings_passes(tmp_path: Path) -> None:
    (case,) = junit(make_report(tmp_path))
    assert (case.get("name"), len(case)) == ("no findings", 0)


# paths


def test_paths_count_from_the_root_of_the_checkout(tmp_path: Path) -> None:
    inner = tmp_path / "sub"
    inner.mkdir()
    outside = make_finding(span=Span("../other.py", 1, 1, 1, 2))
    report = make_report(inner, make_finding(), outside, base=str(tmp_path))
    assert [entry["location"]["path"] for entry in json.loads(render("gitlab", report))] == ["sub/train.py", "other.py"]
    assert report.uri("train.py") == "sub/train.py"
    elsewhere = make_report(inner, make_finding(), base=str(tmp_path / "another"))
    assert (elsewhere.path("train.py"), elsewhere.path("../a b.py")) == ("train.py", str(tmp_path / "a b.py"))
    assert elsewhere.uri("../a b.py") == f"file://{tmp_path}/a%20b.py"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, ""), ({"GITHUB_WORKSPACE": "/w"}, "/w"), ({"CI_PROJECT_DIR": "/builds/x"}, "/builds/x")],
)
def test_root_of_the_checkout(environment: dict[str, str], expected: str) -> None:
    assert checkout_root(environment) == expected


# notebooks


@pytest.fixture
def notebook(tmp_path: Path) -> Report:
    cells = [{"cell_type": "code", "source": "import torch\nx = 1"}, {"cell_type": "code", "source": "y = loss(x)"}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    return make_report(tmp_path, in_notebook())


def in_notebook() -> Finding:
    return make_finding(span=Span("n.ipynb", 3, 5, 3, 12), trace=(), fix=None)


def test_notebooks_name_the_cell_and_no_row_of_the_file(notebook: Report) -> None:
    ((_, properties, _),) = commands(render("github", notebook))
    assert properties == {"file": "n.ipynb", "title": "DDP203 sigmoid-before-bce (cell 2, line 1)"}
    (entry,) = json.loads(render("gitlab", notebook))
    assert entry["location"] == {"path": "n.ipynb", "lines": {"begin": 1, "end": 1}}
    assert entry["description"].startswith("DDP203 sigmoid-before-bce (cell 2, line 1): ")
    (case,) = junit(notebook)
    assert case.get("line") is None
    assert "n.ipynb:cell 2:1:5: DDP203" in (case.findtext("failure") or "")
