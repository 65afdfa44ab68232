"""The HTML page: well formed, self-contained, complete, and safe whatever the source holds."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest
from report_data import awkward_finding, make_finding, make_report

from ddplint.findings import Edit, Finding, Fix, RankEvent, Span, Step
from ddplint.registry import discover
from ddplint.report.formats import FORMATS
from ddplint.report.model import Report

RESOURCES = Path(__file__).parents[2] / "ddplint" / "report"
RANKS = (
    RankEvent(1, "rank 0", "read", "reads shard 0 of N", Span("train.py", 1, 1, 1, 7), "#..."),
    RankEvent(1, "ranks 1 to N-1", "read", "each reads its own", Span("net.py", 2, 1, 2, 7), ".###"),
    RankEvent(2, "rank 0", "miss", "no reduction"),
    RankEvent(2, "ranks 1 to N-1", "miss", "no reduction"),
    RankEvent(3, "rank 0", "result", "reports <script>it</script>"),
)


def page(report: Report) -> Element:
    """The parsed page; a page with any parse error fails."""
    text = FORMATS["html"].render(report)
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)  # type: ignore[no-any-return]


def classed(root: Element, tag: str, name: str) -> list[Element]:
    return [one for one in root.iter(tag) if name in one.get("class", "").split()]


def text_of(element: Element | None) -> str:
    assert element is not None
    return re.sub(r"\s+", " ", "".join(element.itertext())).strip()


def test_every_finding_is_there_with_all_its_steps(tmp_path: Path) -> None:
    findings = [
        make_finding(),
        make_finding(code="DDP101", name="rank0-evaluation", severity="error", fix=None, no_fix_reason="two `callers`"),
        awkward_finding(severity="note"),
    ]
    root = page(make_report(tmp_path, *findings, rules=discover()))
    articles = list(root.iter("article"))
    assert [one.get("data-severity") for one in articles] == ["error", "warning", "note"]
    assert [section.get("id") for section in classed(root, "section", "rule")] == ["DDP101", "DDP203"]
    first, second, third = articles
    for article in (first, second):
        assert "the input of BCELoss is a sigmoid's output" in text_of(article)
        steps = [text_of(step.find("p")) for step in classed(article, "ol", "trace")[0]]
        assert steps == ["the sigmoid net.py:2:12", "the loss train.py:4:9"]
    fixes = [[text_of(part) for part in classed(article, "div", "fix")[0]][:2] for article in (first, second)]
    assert fixes == [
        ["No fix", "two callers"],
        ["Fix unsafe", "use BCEWithLogitsLoss (the model's output changes)"],
    ]
    assert "数据" in text_of(third)
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(set(ids)) == len(ids)


def test_links_within_the_page_lead_somewhere(tmp_path: Path) -> None:
    root = page(make_report(tmp_path, make_finding(ranks=RANKS), rules=discover()))
    ids = {one.get("id") for one in root.iter()}
    targets = [one.get("href", "") for one in root.iter() if one.get("href", "").startswith("#")]
    assert "#f1-1" in targets
    assert {target[1:] for target in targets} <= ids


def test_source_of_each_step(tmp_path: Path) -> None:
    article = next(page(make_report(tmp_path, make_finding())).iter("article"))
    own, first, second = classed(article, "pre", "source")
    assert text_of(own) == text_of(second)
    assert [text_of(row) for row in first] == ["1def forward(x):", "2 return x.sigmoid()"]
    assert "".join(text_of(mark) for mark in first.iter("mark")) == "x.sigmoid()"
    assert "".join("".join(mark.itertext()) for mark in second.iter("mark")) == "criterion(out, target)"


def test_fix_as_a_diff(tmp_path: Path) -> None:
    (diff,) = classed(page(make_report(tmp_path, make_finding())), "pre", "diff")
    assert ["".join(row.itertext()) for row in diff] == [
        "@@ net.py:1 @@",
        "  def forward(x):",
        "-     return x.sigmoid()",
        "+     return x",
    ]


def test_no_diff_of_what_is_not_there_any_more(tmp_path: Path) -> None:
    gone = Fix("safe", "title", (), "", (Edit(Span("gone.py", 1, 1, 1, 2), "x"),))
    shorter = Fix("safe", "title", (), "", (Edit(Span("net.py", 9, 1, 9, 2), "x"),))
    root = page(make_report(tmp_path, make_finding(fix=gone), make_finding(fix=shorter)))
    assert not classed(root, "pre", "diff")
    assert text_of(root).count("title") >= 2


def test_documentation_of_the_rules_found(tmp_path: Path) -> None:
    root = page(make_report(tmp_path, make_finding(), rules=discover()))
    (documentation,) = classed(root, "details", "doc")
    headings = [text_of(heading) for heading in documentation.iter("h3")]
    assert headings[:3] == ["What it does", "Why it is a bug", "Example"]
    assert any("BCELoss" in text_of(code) for code in documentation.iter("pre"))


def test_picture(tmp_path: Path) -> None:
    root = page(make_report(tmp_path, make_finding(ranks=RANKS)))
    (svg,) = [one for one in root.iter() if one.tag.endswith("svg")]
    texts = [text_of(one) for one in svg.iter() if one.tag.endswith("}text") or one.tag == "text"]
    assert texts[:2] == ["rank 0", "ranks 1 to N-1"]
    for event in RANKS:
        assert event.label.replace(" ", "") in "".join(texts).replace(" ", "")
    kinds = [one.get("class") for one in svg.iter() if "event" in one.get("class", "")]
    assert kinds == ["event read", "event read", "event miss", "event result"]
    named = svg.get("aria-labelledby", "").split()
    told = {one.get("id"): text_of(one) for one in svg.iter() if one.get("id")}
    assert "ranks 1 to N-1: each reads its own" in told[named[1]]
    assert told[named[0]] == "What each rank does (N = world size, drawn for 4)"


def test_no_picture_where_ranks_do_not_differ(tmp_path: Path) -> None:
    assert not [one for one in page(make_report(tmp_path, make_finding())).iter() if one.tag.endswith("svg")]


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    finding = awkward_finding(code="DDP999", name='"><img src=x onerror=alert(1)>', ranks=RANKS)
    report = make_report(tmp_path, finding, skipped=(("<b>.py", "<i>reason"),), errors=("<u>error",))
    root = page(report)
    assert len(list(root.iter("script"))) == 1
    for tag in ("img", "b", "u"):
        assert not [one for one in root.iter(tag) if (one.text or "").strip("0123456789,")]
    assert "<script>alert('x')</script>" in text_of(root)
    assert "reports <script>it</script>" in "".join(text_of(one) for one in root.iter() if one.tag.endswith("desc"))
    assert not [one for one in root.iter() for name in one.attrib if str(name).startswith("on")]
    text = FORMATS["html"].render(report)
    assert "\x1b" not in text and "\x00" not in text and "\u202e" not in text


def test_markdown_of_a_rule_cannot_smuggle_html(tmp_path: Path) -> None:
    (rule, *_) = discover()
    hostile = "<script>alert(1)</script> ![x](https://example.org/x.png) [y](javascript:alert(1)) <https://example.org>"
    documentation = rule.documentation.__class__("<b>s</b>", {"What it does": hostile}, "", "")
    fake: Any = type("Fake", (), {"code": "DDP203", "name": "n", "summary": "<b>s</b>", "documentation": documentation})
    root = page(make_report(tmp_path, make_finding(), rules=[fake]))
    assert len(list(root.iter("script"))) == 1
    assert not list(root.iter("img"))
    assert not [one for one in root.iter("a") if "javascript" in one.get("href", "")]
    assert "<b>s</b>" in text_of(root)


def test_page_needs_nothing_else(tmp_path: Path) -> None:
    report = make_report(tmp_path, make_finding(ranks=RANKS), awkward_finding(), rules=discover())
    root = page(report)
    loading = {"link", "img", "iframe", "object", "embed", "video", "audio", "source", "image", "use", "base"}
    assert not [one.tag for one in root.iter() if one.tag.rpartition("}")[2] in loading]
    assert not [one.tag for one in root.iter() if one.get("src") or one.get("srcset") or one.get("background")]
    (style,) = root.iter("style")
    assert not re.search(r"url\(|@import|@font-face", style.text or "")
    policy = next(one.get("content", "") for one in root.iter("meta") if one.get("http-equiv"))
    assert policy.startswith("default-src 'none'; ")
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]


def test_empty(tmp_path: Path) -> None:
    root = page(make_report(tmp_path, rules=discover()))
    assert "Nothing was found." in text_of(root)
    assert not list(root.iter("article"))
    assert not list(root.iter("table"))


def test_what_was_left_out(tmp_path: Path) -> None:
    root = page(make_report(tmp_path, skipped=(("a.py", "no Python 3"),), errors=("rule DDP9 crashed",)))
    lists = [[text_of(item) for item in one] for one in classed(root, "ul", "left")]
    assert lists == [["rule DDP9 crashed"], ["a.py: no Python 3"]]


def test_long_reports_are_folded_but_whole(tmp_path: Path) -> None:
    root = page(make_report(tmp_path, *[make_finding() for _ in range(30)]))
    traces = [one for article in root.iter("article") for one in article.iter("details")]
    assert len(traces) == 60
    assert not [one for one in traces if "open" in one.attrib]
    assert [one for one in page(make_report(tmp_path, make_finding())).iter("details") if "open" in one.attrib]


def many(folder: Path, count: int) -> Report:
    """As many findings in one file, with the file as long."""
    report = make_report(folder)
    (folder / "long.py").write_text("".join(f"loss{n} = f(x)\n" for n in range(count)))

    def finding(row: int) -> Finding:
        span = Span("long.py", row, 1, row, 5)
        fix = Fix("safe", "t", (), "", (Edit(span, "z"),))
        return make_finding(span=span, trace=(Step(span, "a"), Step(span, "b")), fix=fix, ranks=RANKS)

    return make_report(folder, *[finding(row) for row in range(1, count + 1)], rules=report.rules)


@pytest.mark.parametrize("name", ["html", "sarif", "gitlab", "junit", "text"])
def test_cost_is_linear(tmp_path: Path, name: str) -> None:
    def seconds(count: int) -> float:
        best = 1e9
        for _ in range(2):
            report = many(tmp_path, count)
            started = time.process_time()
            FORMATS[name].render(report)
            best = min(best, time.process_time() - started)
        return best

    seconds(20)
    # four times the findings: four times the work; sixteen times if anything went through all of them for each
    assert seconds(400) < 9 * seconds(100) + 0.05


# colours


def themes() -> list[dict[str, str]]:
    css = (RESOURCES / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", block)) for block in blocks]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


PAIRS = [
    *[(ink, ground) for ink in ("ink", "soft", "link") for ground in ("bg", "card", "code")],
    *[(kind, "code") for kind in ("keyword", "string", "number", "comment")],
    *[(kind, "mark-line") for kind in ("ink", "keyword", "string", "number", "comment")],
    *[("ink", ground) for ground in ("mark", "del", "add")],
    *[(kind, f"{kind}-bg") for kind in ("error", "warning", "note", "good", "work")],
    *[("ink", f"{kind}-bg") for kind in ("read", "work", "miss", "result", "good", "warning")],
]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_is_readable_in_both_themes(theme: int) -> None:
    both = themes()
    assert len(both) == 2 and set(both[0]) == set(both[1])
    for ink, ground in PAIRS:
        light, dark = sorted((luminance(both[theme][ink]), luminance(both[theme][ground])), reverse=True)
        # WCAG 2 AA for text
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
