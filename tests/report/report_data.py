"""Findings and files for the tests of the reports."""

from __future__ import annotations

from pathlib import Path

from ddplint.findings import Action, Edit, Finding, Fix, Span, Step
from ddplint.report.model import Report
from ddplint.result import Result
from ddplint.source import Sources

TRAIN = "import torch\n\ndef step(out, target):\n\treturn criterion(out, target)\n"
NET = "def forward(x):\n    return x.sigmoid()\n"

AWKWARD_NAME = "a b/ü#50%,x:1.py"
AWKWARD_TEXT = (
    "\"q\" 'a' <script>alert(1)</script> &amp; ]]> 100% %0A x[0](1) {0} 数据 \x00\x1b[31m\u202e \ufffe\n::error::two"
)


def make_finding(**changes: object) -> Finding:
    values: dict[str, object] = {
        "code": "DDP203",
        "name": "sigmoid-before-bce",
        "severity": "warning",
        "message": "the input of BCELoss is a sigmoid's output",
        "span": Span("train.py", 4, 9, 4, 31),
        "trace": (Step(Span("net.py", 2, 12, 2, 23), "the sigmoid"), Step(Span("train.py", 4, 9, 4, 31), "the loss")),
        "fix": Fix(
            "unsafe", "use BCEWithLogitsLoss", (Action("logits", Span("net.py", 2, 12, 2, 23), (("a", "b"),)),),
            "the model's output changes", (Edit(Span("net.py", 2, 12, 2, 23), "x"),),
        ),
        **changes,
    }  # fmt: skip
    return Finding(**values)  # type: ignore[arg-type]


def awkward_finding(**changes: object) -> Finding:
    """A finding whose texts and path hold whatever a format must escape."""
    span = Span(AWKWARD_NAME, 2, 1, 3, 5)
    fix = Fix("safe", AWKWARD_TEXT, (), AWKWARD_TEXT, (Edit(span, AWKWARD_TEXT),))
    return make_finding(
        **{"message": AWKWARD_TEXT, "span": span, "trace": (Step(span, AWKWARD_TEXT),), "fix": fix, **changes}
    )


def make_report(folder: Path, *findings: Finding, **changes: object) -> Report:
    """A report on a folder with the files that the findings name."""
    (folder / "train.py").write_text(TRAIN)
    (folder / "net.py").write_text(NET)
    awkward = folder / AWKWARD_NAME
    awkward.parent.mkdir(exist_ok=True)
    awkward.write_text("x = 1\n<script>alert('x')</script> = '\x0c%'\ny = '数据'\n", encoding="utf-8")
    values: dict[str, object] = {"files_read": 3, "lines_read": 9, "sources": Sources(str(folder))}
    given = {name: changes.pop(name) for name in ("skipped", "errors") if name in changes}
    result = Result(findings, **{**values, **given})  # type: ignore[arg-type]
    return Report(result, cwd=str(folder), **changes)  # type: ignore[arg-type]
