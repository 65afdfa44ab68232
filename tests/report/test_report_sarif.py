"""SARIF against the published schema and against what its readers rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from fake_core import make_rule
from report_data import AWKWARD_NAME, awkward_finding, make_finding, make_report

from ddplint.findings import Span
from ddplint.registry import discover
from ddplint.report.formats import FORMATS
from ddplint.report.model import Report

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))


def sarif(report: Report) -> Any:
    """The only run of a report that keeps to the schema."""
    log = json.loads(FORMATS["sarif"].render(report))
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    return run


def test_schema_refuses_what_is_no_sarif() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(SCHEMA).validate({"version": "2.1.0", "runs": [{}]})


def test_result(tmp_path: Path) -> None:
    run = sarif(make_report(tmp_path, make_finding(), rules=discover()))
    (result,) = run["results"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert (result["ruleId"], result["level"]) == ("DDP203", "warning")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "DDP203"
    place = {
        "artifactLocation": {"uri": "train.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 4, "startColumn": 9, "endLine": 4, "endColumn": 31},
    }
    assert result["locations"] == [{"physicalLocation": place}]
    ((flow,),) = [[thread["locations"] for thread in flow["threadFlows"]] for flow in result["codeFlows"]]
    assert [step["location"]["message"]["text"] for step in flow] == ["the sigmoid", "the loss"]
    assert flow[-1]["location"]["physicalLocation"] == place
    assert [location["id"] for location in result["relatedLocations"]] == [1, 2]
    (fix,) = result["fixes"]
    assert fix["description"]["text"] == "use BCEWithLogitsLoss"
    assert fix["properties"] == {"applicability": "unsafe", "reason": "the model's output changes"}
    (change,) = fix["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "net.py"
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 2, "startColumn": 12, "endLine": 2, "endColumn": 23},
            "insertedContent": {"text": "x"},
        }
    ]


def test_flow_ends_where_the_finding_is(tmp_path: Path) -> None:
    finding = make_finding(span=Span("train.py", 3, 1, 3, 4), fix=None, no_fix_reason="two callers")
    (result,) = sarif(make_report(tmp_path, finding))["results"]
    ends = [flow["threadFlows"][0]["locations"][-1]["location"] for flow in result["codeFlows"]]
    assert [end["physicalLocation"]["region"]["startLine"] for end in ends] == [3]
    assert result["properties"] == {"noFixReason": "two callers"}
    assert "fixes" not in result and "ruleIndex" not in result


def test_rules_carry_their_documentation(tmp_path: Path) -> None:
    rules = discover()
    described = sarif(make_report(tmp_path, rules=rules))["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in described] == [rule.code for rule in rules]
    for rule, made in zip(rules, described):
        assert made["shortDescription"]["text"] == rule.summary
        assert "## Why it is a bug" in made["help"]["markdown"]
        assert rule.documentation.example in made["help"]["text"]
        assert made["defaultConfiguration"]["level"] == rule.severity


def test_help_uri_of_rules_that_have_a_page(tmp_path: Path) -> None:
    (rule, *_) = discover()
    own = make_rule("ACME101", "own-habit")
    made, theirs = sarif(make_report(tmp_path, rules=[rule, own]))["tool"]["driver"]["rules"]
    assert made["helpUri"] == f"https://ddplint.github.io/ddplint/rules/{rule.name}/"
    assert "helpUri" not in theirs


def test_awkward_text(tmp_path: Path) -> None:
    report = make_report(tmp_path, awkward_finding())
    (result,) = sarif(report)["results"]
    text = result["message"]["text"]
    assert text.startswith("\"q\" 'a' <script>")
    assert text.endswith("数据 \x00\x1b[31m\u202e \ufffe\n::error::two")
    # no link of SARIF's own kind may arise from code
    assert "x[0] (1)" in text
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == AWKWARD_NAME
    assert uri.isascii() and not set(uri) & set(" #:,")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    report = make_report(tmp_path, make_finding(message="\udcff", span=Span("\udcff.py", 1, 1, 1, 2)))
    (result,) = sarif(report)["results"]
    assert result["message"]["text"] == "\\udcff"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "%FF.py"


def test_empty(tmp_path: Path) -> None:
    run = sarif(make_report(tmp_path))
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is True
    assert "toolExecutionNotifications" not in run["invocations"][0]


def test_what_was_left_out(tmp_path: Path) -> None:
    run = sarif(make_report(tmp_path, skipped=(("a b.py", "no Python 3"),), errors=("rule DDP203 crashed",)))
    (invocation,) = run["invocations"]
    skipped, error = invocation["toolExecutionNotifications"]
    assert invocation["executionSuccessful"] is False
    assert (skipped["level"], skipped["message"]["text"]) == ("warning", "skipped: no Python 3")
    assert skipped["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.py"
    assert (error["level"], error["message"]["text"]) == ("error", "rule DDP203 crashed")


def test_files_elsewhere_have_absolute_uris(tmp_path: Path) -> None:
    report = make_report(tmp_path, make_finding(span=Span("/else where/x.py", 1, 1, 1, 2)))
    run = sarif(report)
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "file:///else%20where/x.py"}
    assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"] == f"{tmp_path.as_uri()}/"


def test_notebooks_name_the_cell(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": "x = 1"}]}))
    finding = make_finding(span=Span("n.ipynb", 1, 5, 1, 6), trace=())
    (result,) = sarif(make_report(tmp_path, finding))["results"]
    (location,) = result["locations"]
    assert "region" not in location["physicalLocation"]
    assert location["logicalLocations"] == [{"name": "cell 1, line 1, column 5", "kind": "cell"}]


def fingerprints(folder: Path, *findings: Any) -> list[str]:
    results = sarif(make_report(folder, *findings))["results"]
    return [result["partialFingerprints"]["ddplintContext/v1"] for result in results]


def test_fingerprint_stays_when_lines_move(tmp_path: Path) -> None:
    def finding(row: int) -> Any:
        return make_finding(span=Span("loop.py", row, 5, row, 9), trace=(), fix=None)

    body = "def step():\n    loss(x)\n    loss(x)\n"
    (tmp_path / "loop.py").write_text(body)
    before = fingerprints(tmp_path, finding(2), finding(3))
    (tmp_path / "loop.py").write_text(f"import torch\n\n# more\n{body}".replace("loss(x)", "loss( x )"))
    assert fingerprints(tmp_path, finding(5), finding(6)) == before
    assert len(set(before)) == 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("def step():\n    loss(y)\n", id="other code"),
        pytest.param("def other():\n    loss(x)\n", id="other function"),
        pytest.param("class A:\n  def step():\n    loss(x)\n", id="other class"),
    ],
)
def test_fingerprint_tells_code_apart(tmp_path: Path, text: str) -> None:
    def marks(source: str, name: str = "loop.py") -> list[str]:
        (tmp_path / name).write_text(source)
        row = source.count("\n")
        return fingerprints(tmp_path, make_finding(span=Span(name, row, 5, row, 9), trace=(), fix=None))

    first = marks("def step():\n    loss(x)\n")
    assert marks(text) != first
    assert marks("def step():\n    loss(x)\n", "renamed.py") != first
