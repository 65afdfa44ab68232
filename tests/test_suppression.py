"""Suppression comments: what they say, which rows they cover."""

from __future__ import annotations

import pytest

from ddplint.findings import Finding, Span
from ddplint.suppression import suppressions


def finding(row: int, end_row: int = 0, code: str = "DDP203", name: str = "sigmoid-before-bce") -> Finding:
    return Finding(code, name, "warning", "bad", Span("a.py", row, 1, end_row or row, 2))


def silenced(text: str) -> list[int]:
    """The rows on which a finding of DDP203 is silenced."""
    comments = suppressions(text)
    return [row for row in range(1, text.count("\n") + 2) if any(one.covers(finding(row)) for one in comments)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x  # noqa: DDP203", [("noqa", ["DDP203"], "")]),
        ("x  # noqa:DDP203,E501", [("noqa", ["DDP203", "E501"], "")]),
        ("x  # NOQA : DDP203 F401 because", [("noqa", ["DDP203", "F401"], "")]),
        ("x  # noqa: DDP203 -- the loss wants it", [("noqa", ["DDP203"], "the loss wants it")]),
        ("x  # noqa", [("noqa", None, "")]),
        ("x  # noqa -- everything", [("noqa", None, "everything")]),
        ("x  # noqa: it is fine", [("noqa", None, "")]),
        ("x  # ddplint: ignore[DDP203, sigmoid-before-bce]", [("ignore", ["DDP203", "sigmoid-before-bce"], "")]),
        ("x  #ddplint:ignore [ DDP203 , ] -- see #12, it is fine", [("ignore", ["DDP203"], "see #12, it is fine")]),
        ("x  # ddplint: ignore", [("ignore", None, "")]),
        ("x  # ddplint: ignore -- all of it", [("ignore", None, "all of it")]),
        ("x  # ddplint: ignore[]", [("ignore", [], "")]),
        (
            "x  # type: ignore # noqa: E501 -- long # ddplint: ignore[DDP2]",
            [("noqa", ["E501"], "long"), ("ignore", ["DDP2"], "")],
        ),
        ("# ddplint: ignore-file[DDP203]", [("ignore-file", ["DDP203"], "")]),
        ("# ddplint: ignore-file", [("ignore-file", None, "")]),
        ("x  # noqatall", []),
        ("x  # ddplint: ignored", []),
        ("x  # ddplint: ignore DDP203", []),
        ("x  # ddplint: ignore[DDP203", []),
        ("x  # ddplint: ignroe[DDP203]", []),
        ("x  # flake8: noqa: DDP203", []),
        ("x = '# noqa: DDP203'", []),
        ('x = """\n# noqa\n"""', []),
        ("x  # fine", []),
    ],
)
def test_what_a_comment_says(line: str, expected: list[tuple[str, list[str] | None, str]]) -> None:
    found = suppressions(f"first = 1\n{line}\n")
    said = [(one.kind, None if one.blanket else [item.text for item in one.selectors], one.reason) for one in found]
    assert said == expected
    assert all(one.row == 2 for one in found)


def test_columns() -> None:
    line = "é = 1  # fine  # noqa: E501, DDP203 -- so # ddplint: ignore[a]"
    first, second = suppressions(line)
    assert (line[first.start : first.end], line[second.start : second.end]) == (
        "# noqa: E501, DDP203 -- so",
        "# ddplint: ignore[a]",
    )
    assert [line[one.start : one.end] for one in (*first.selectors, *second.selectors)] == ["E501", "DDP203", "a"]


@pytest.mark.parametrize(
    ("comment", "code", "name", "expected"),
    [
        pytest.param("# noqa", "DDP203", "n", True, id="blanket"),
        pytest.param("# noqa: ddp203", "DDP203", "n", True, id="code in any case"),
        pytest.param("# ddplint: ignore[DDP2]", "DDP203", "n", True, id="prefix"),
        pytest.param("# ddplint: ignore[Some-Name]", "DDP203", "some-name", True, id="name"),
        pytest.param("# noqa: E501, DDP2031", "DDP203", "n", False, id="other codes"),
        pytest.param("# ddplint: ignore[DDP101]", "DDP203", "n", False, id="another rule"),
        pytest.param("# ddplint: ignore[some]", "DDP203", "some-name", False, id="part of a name"),
        pytest.param("# ddplint: ignore[]", "DDP203", "n", False, id="nothing named"),
    ],
)
def test_what_it_means(comment: str, code: str, name: str, expected: bool) -> None:
    (only,) = suppressions(f"x  {comment}\n")
    assert only.covers(finding(1, code=code, name=name)) is expected


N = "# noqa: DDP203"
I = "# ddplint: ignore[DDP203]"  # noqa: E741


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param(f"a\nb  {N}\nc\n", [2], id="its line"),
        pytest.param(f"a = f(  {N}\n  b,\n)\nc\n", [1, 2, 3], id="first line of a statement"),
        pytest.param(f"a = f(\n  b,\n)  {N}\nc\n", [1, 2, 3], id="last line of a statement"),
        pytest.param(f"a = f(\n  b,  {N}\n  c,\n)\n", [2], id="a line within a statement"),
        pytest.param(f"a = b + \\\n  c  {N}\nd\n", [1, 2], id="backslash"),
        pytest.param(f"a = f(\n  b + \\\n  c,  {N}\n  d,\n)\n", [2, 3], id="backslash within a statement"),
        pytest.param(f'a = f(\n  """b\n  c""",  {N}\n  d,\n)\n', [2, 3], id="string within a statement"),
        pytest.param(f'a = f(\n  b, """\n  c""", """\n  d""",  {N}\n  e,\n)\n', [2, 3, 4], id="strings in a row"),
        pytest.param(f'a = f(\n  f"""{{b}}\n  {{c}}""",  {N}\n  d,\n)\n', [2, 3], id="f-string within a statement"),
        pytest.param(f"if f(\n  a,\n):  {N}\n  b\n", [1, 2, 3], id="header of a compound statement"),
        pytest.param(f"for a in b:  {N}\n  c\nelse:\n  d\n", [1], id="header, not body"),
        pytest.param(f"a; b = f(\n  c)  {N}\n", [1, 2], id="statements in one line"),
        pytest.param(f"@a  {N}\n@b(\n  c,\n)\ndef f(\n  d,\n):\n  e\n", [1, 2, 3, 4, 5, 6, 7], id="decorator"),
        pytest.param(f"@a\n@b(\n  c,  {N}\n)\ndef f():\n  e\n", [3], id="line within a decorator"),
        pytest.param(f"@a\n\nclass C(\n  B,\n):  {N}\n  e\n", [1, 2, 3, 4, 5], id="header of what is decorated"),
        pytest.param(f"@a\nasync def f():\n  b  {N}\n", [3], id="body of what is decorated"),
        pytest.param(f"{N}\na\n", [], id="noqa in a line of its own"),
        pytest.param(f"{I}\n\n# why\na = f(\n  b,\n)\nc\n", [4, 5, 6], id="ignore above a statement"),
        pytest.param(f"{I}\n@a\ndef f(\n  b,\n):\n  c\n", [2, 3, 4, 5], id="ignore above a decorator"),
        pytest.param(f"@a\n{I}\ndef f():\n  c\n", [1, 2, 3], id="ignore below a decorator"),
        pytest.param(f"a = f(\n  {I}\n  # why\n  b,\n  c,\n)\n", [4], id="ignore within a statement"),
        pytest.param(f"a = f(\n  b,\n  {I}\n)\n", [4], id="ignore before the closing bracket"),
        pytest.param(f"a\n{I}\n", [], id="ignore at the end"),
        pytest.param(f"a \\\n{N}\n", [1, 2], id="comment after a backslash stands in the statement"),
        pytest.param("a\n  # ddplint: ignore-file[DDP203]\nb\n", [1, 2, 3, 4], id="file"),
        pytest.param("a\n# ddplint: ignore-file\nb\n", [1, 2, 3, 4], id="file, all rules"),
        pytest.param("a\nb  # ddplint: ignore\nc\n", [2], id="all rules"),
        pytest.param("a  # ddplint: ignore-file[DDP203]\nb\n", [], id="file needs a line of its own"),
        pytest.param(f"a  {N}\nb = (\n", [1], id="before broken text"),
        pytest.param(f"if a:\n\tb  {N}\n\x0cc\n", [2], id="tab and form feed"),
    ],
)
def test_rows_covered(text: str, rows: list[int]) -> None:
    assert silenced(text) == rows


@pytest.mark.parametrize(
    ("text", "first", "last", "expected"),
    [
        pytest.param(f"a = f(\n  g(\n    b,\n  ),  {N}\n  c,\n)\n", 2, 4, True, id="at the end of what is found"),
        pytest.param(f"a = f(\n  g(\n    b,  {N}\n  ),\n  c,\n)\n", 2, 4, False, id="in the middle of what is found"),
        pytest.param(f"for a in b:\n  c\n  d  {N}\n", 1, 3, False, id="at the end of a compound statement's body"),
        pytest.param(f"for a in b:  {N}\n  c\n  d\n", 1, 3, True, id="at its header"),
    ],
)
def test_findings_over_several_rows(text: str, first: int, last: int, expected: bool) -> None:
    (only,) = suppressions(text)
    assert only.covers(finding(first, last)) is expected
