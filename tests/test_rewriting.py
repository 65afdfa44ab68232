"""`FileRewriter`: nodes by span, edits of the text, imports and names."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ddplint.findings import Action, Span
from ddplint.rewriting import CannotRewrite, Conflict, FileRewriter, comments_of, rewrite_common

libcst = pytest.importorskip("libcst")


def open_at(text: str, part: str, nth: int = 1) -> tuple[FileRewriter, Span]:
    """A file and the span of the nth occurrence of a part of it."""
    file = FileRewriter("a.py", text)
    start = -1
    for _ in range(nth):
        start = text.index(part, start + 1)
    return file, Span("a.py", *file.place(start), *file.place(start + len(part)))


def act(code: str, part: str, kind: str, /, **arguments: str) -> str:
    file, span = open_at(code, part)
    rewrite_common(Action(kind, span, tuple(arguments.items())), file)
    file.finish()
    made = file.code()
    ast.parse(made)
    return made


# nodes


@pytest.mark.parametrize(
    ("text", "part", "kind"),
    [
        pytest.param("x = (a + b) * c\n", "a + b", "BinaryOperation", id="within parentheses"),
        pytest.param("x = (a + b) * c\n", "(a + b)", "BinaryOperation", id="with parentheses"),
        pytest.param("x = ((a)) * c\n", "((a))", "Name", id="two pairs"),
        pytest.param("x = ((a)) * c\n", "(a)", "Name", id="the inner pair"),
        pytest.param("x = (1, 2)\n", "(1, 2)", "Tuple", id="tuple"),
        pytest.param("x = 1, 2\n", "1, 2", "Tuple", id="tuple without parentheses"),
        pytest.param("f(x for x in y)\n", "(x for x in y)", "GeneratorExp", id="generator as sole argument"),
        pytest.param("f( x for x in y )\n", "( x for x in y )", "GeneratorExp", id="the same with spaces"),
        pytest.param("f((x for x in y), 1)\n", "(x for x in y)", "GeneratorExp", id="generator in parentheses"),
        pytest.param("f(a)\n", "f(a)", "Call", id="expression rather than statement"),
        pytest.param("@d(1)\ndef f(): pass\n", "d(1)", "Call", id="decorator"),
        pytest.param("@d\ndef f(): pass\n", "def f(): pass", "FunctionDef", id="decorated function"),
        pytest.param("y = f'{a + b:{w}}'\n", "a + b", "BinaryOperation", id="within an f-string"),
        pytest.param("é = 'ß', f(ü)\n", "f(ü)", "Call", id="wide characters"),
        pytest.param("if a:\n\tf(1)\n", "f(1)", "Call", id="tab"),
        pytest.param("x = f(\n    a,\n)\n", "f(\n    a,\n)", "Call", id="several rows"),
        pytest.param("def f(a, bc=1): pass\n", "bc", "Name", id="parameter"),
    ],
)
def test_node_at(text: str, part: str, kind: str) -> None:
    file, span = open_at(text, part)
    assert type(file.node_at(span)).__name__ == kind


def test_no_node_there() -> None:
    file, span = open_at("x = a + b\n", "x = a")
    with pytest.raises(CannotRewrite, match=r"no node at a\.py:1:1"):
        file.node_at(span)


# expressions


@pytest.mark.parametrize(
    ("text", "part", "new", "expected"),
    [
        ("x = a * b\n", "b", "c + d", "x = a * (c + d)\n"),
        ("x = a + b\n", "a", "c + d", "x = c + d + b\n"),
        ("x = a - b\n", "b", "c - d", "x = a - (c - d)\n"),
        ("x = a ** b\n", "b", "-c", "x = a ** -c\n"),
        ("x = a ** b\n", "a", "-c", "x = (-c) ** b\n"),
        ("x = a.mean()\n", "a", "b / c", "x = (b / c).mean()\n"),
        ("x = (a + b).mean()\n", "a + b", "c", "x = c.mean()\n"),
        ("x = (a + b).mean()\n", "a + b", "c * 2", "x = (c * 2).mean()\n"),
        ("x = [(a + b), 2]\n", "(a + b)", "c", "x = [c, 2]\n"),
        ("x = f(a, b)\n", "b", "c if d else e", "x = f(a, c if d else e)\n"),
        ("x = not a\n", "a", "b or c", "x = not (b or c)\n"),
        ("x = a < b\n", "b", "c < d", "x = a < (c < d)\n"),
        ("x = -a\n", "a", "b + c", "x = -(b + c)\n"),
        ("x = (\n    a +\n    b\n)\n", "a +\n    b", "c", "x = (\n    c\n)\n"),
        ("x = a\n", "a", "(b +\n     c)", "x = (b +\n     c)\n"),
        ("x = a\n", "a", "b +\\\n     c", "x = b +\\\n     c\n"),
        ("f(x for x in y)\n", "(x for x in y)", "z", "f(z)\n"),
        ("x = a[b]\n", "b", "c, d", "x = a[(c, d)]\n"),
        ("f(*a)\n", "a", "b or c", "f(*(b or c))\n"),
    ],
)
def test_replace_keeps_the_meaning(text: str, part: str, new: str, expected: str) -> None:
    assert act(text, part, "replace-text", text=new) == expected


def test_comment_in_what_is_replaced_moves_up() -> None:
    text = "def f():\n    x = g(\n        a,  # first\n        b,\n    )  # last\n"
    made = act(text, "g(\n        a,  # first\n        b,\n    )", "replace-text", text="h(1)")
    assert made == "def f():\n    # first\n    x = h(1)  # last\n"


def test_string_in_an_f_string() -> None:
    file, span = open_at("y = f'{a}'\n", "a")
    with pytest.raises(CannotRewrite, match="f-string"):
        file.replace(file.node_at(span), "b['c']")
    assert act("y = f'{a}'\n", "a", "replace-text", text='b["c"]') == "y = f'{b[\"c\"]}'\n"


@pytest.mark.parametrize(
    ("text", "part", "template", "expected"),
    [
        ("x = a + b\n", "a + b", "f({})", "x = f(a + b)\n"),
        ("x = a + b\n", "a + b", "{}.mean()", "x = (a + b).mean()\n"),
        ("x = (a + b) * 2\n", "(a + b)", "{}.mean()", "x = (a + b).mean() * 2\n"),
        ("x = a * b\n", "b", "{} + 1", "x = a * (b + 1)\n"),
        ("x = a.b\n", "a", "f({})", "x = f(a).b\n"),
    ],
)
def test_wrap(text: str, part: str, template: str, expected: str) -> None:
    assert act(text, part, "wrap", template=template) == expected


@pytest.mark.parametrize(
    ("text", "part", "keep", "expected"),
    [
        ("x = s(a)\n", "s(a)", "argument", "x = a\n"),
        ("x = s(a + b) * 2\n", "s(a + b)", "argument", "x = (a + b) * 2\n"),
        ("x = s((a + b))\n", "s((a + b))", "argument", "x = a + b\n"),
        ("x = (a + b).s()\n", "(a + b).s()", "receiver", "x = a + b\n"),
        ("x = a.s().t()\n", "a.s()", "receiver", "x = a.t()\n"),
        ("x = s(\n    a,\n    dim=1,  # why\n)\n", "s(\n    a,\n    dim=1,  # why\n)", "argument", "# why\nx = a\n"),
        ("x = s(a\n      + b)\n", "s(a\n      + b)", "argument", "x = (a\n      + b)\n"),
        ("x = f(s(a\n      + b))\n", "s(a\n      + b)", "argument", "x = f((a\n      + b))\n"),
    ],
)
def test_unwrap(text: str, part: str, keep: str, expected: str) -> None:
    assert act(text, part, "unwrap-call", keep=keep) == expected


# calls


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("f()", "f(k=1)"),
        ("f(a)", "f(a, k=1)"),
        ("f(a, )", "f(a, k=1, )"),
        ("f(a, k=2)", "f(a, k=1)"),
        ("f(k = 2, b=3)", "f(k = 1, b=3)"),
        ("f(*a, **b)", "f(*a, **b, k=1)"),
        ("f(x for x in y)", "f((x for x in y), k=1)"),
        ("f(\n    a,\n    b,\n)", "f(\n    a,\n    b,\n    k=1,\n)"),
        ("f(\n    a,\n    b\n)", "f(\n    a,\n    b,\n    k=1\n)"),
        ("f(\n    a,\n    b,  # c\n)", "f(\n    a,\n    b,  # c\n    k=1,\n)"),
        ("f(\n    a,\n    b  # c\n)", "f(\n    a,\n    b,  # c\n    k=1\n)"),
        ("f(a,\n  b)", "f(a,\n  b,\n  k=1)"),
        ("f(\n    a, b\n)", "f(\n    a, b, k=1\n)"),
        ("f(\n    (a),\n)", "f(\n    (a),\n    k=1,\n)"),
    ],
)
def test_set_keyword(call: str, expected: str) -> None:
    assert act(f"x = {call}\n", call, "set-keyword", name="k", value="1") == f"x = {expected}\n"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("f(k=1)", "f()"),
        ("f(k=1,)", "f()"),
        ("f(a, k=1)", "f(a)"),
        ("f(k=1, b=2)", "f(b=2)"),
        ("f(a, k=1, b=2)", "f(a, b=2)"),
        ("f(\n    a,\n    k=1,\n)", "f(\n    a,\n)"),
        ("f(\n    a,\n    k=1,\n    b=2,\n)", "f(\n    a,\n    b=2,\n)"),
        ("f(a)", "f(a)"),
    ],
)
def test_drop_keyword(call: str, expected: str) -> None:
    assert act(f"x = {call}\n", call, "drop-keyword", name="k") == f"x = {expected}\n"


# statements


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("# c\nm(1)\n", "before", "# c\nnew\nm(1)\n"),
        ("def f():\n  if a:\n    m(1)  # c\n", "after", "def f():\n  if a:\n    m(1)  # c\n    new\n"),
        ("a; m(1); b\n", "before", "a\nnew\nm(1); b\n"),
        ("a; m(1); b  # c\n", "after", "a; m(1)\nnew\nb  # c\n"),
        ("if a: m(1)  # c\n", "before", "if a:\n    new\n    m(1)  # c\n"),
        ("if a: m(1)", "after", "if a:\n    m(1)\n    new"),
        ("m(1)", "after", "m(1)\nnew"),
        ("@m(1)\ndef f(): pass\n", "before", "new\n@m(1)\ndef f(): pass\n"),
        ("for i in m(1):\n    pass\n    # end\nz\n", "after", "for i in m(1):\n    pass\n    # end\nnew\nz\n"),
        ("if a:\n    b\nelif m(1):\n    c\n", "before", "new\nif a:\n    b\nelif m(1):\n    c\n"),
        ("x = [\n    m(1),\n]\n", "after", "x = [\n    m(1),\n]\nnew\n"),
    ],
)
def test_insert(text: str, kind: str, expected: str) -> None:
    assert act(text, "m(1)", f"insert-{kind}", code="new") == expected


def test_inserted_code_takes_the_unit_of_the_file() -> None:
    made = act("def f():\n\tm(1)\n", "m(1)", "insert-before", code="if a:\n    if b:\n        c")
    assert made == "def f():\n\tif a:\n\t\tif b:\n\t\t\tc\n\tm(1)\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nm(1)\nb\n", "a\nb\n"),
        ("# lead\nm(1)  # trail\nb\n", "# lead\n# trail\nb\n"),
        ("if a:\n    m(1)\n", "if a:\n    pass\n"),
        ("if a: m(1)\n", "if a: pass\n"),
        ("a; m(1); b\n", "a; b\n"),
        ("a; m(1)\n", "a\n"),
        ("m(1); a\n", "a\n"),
        ("a\n\nm(1)\n\nb\n", "a\n\nb\n"),
        ("a\nm(1)", "a"),
        ("def f():\n    x = m(1)\n    return 2\n", "def f():\n    return 2\n"),
        ("while m(1):\n    a\nb\n", "b\n"),
    ],
)
def test_remove(text: str, expected: str) -> None:
    assert act(text, "m(1)", "remove-statement") == expected


def test_remove_all_of_a_block() -> None:
    file, span = open_at("if a:\n    b\n    c\nd\n", "b")
    file.remove(file.node_at(span))
    other = open_at("if a:\n    b\n    c\nd\n", "c")[1]
    file.remove(file.node_at(other))
    assert file.code() == "if a:\n    pass\nd\n"


# imports


@pytest.mark.parametrize(
    ("text", "request_", "expression", "added"),
    [
        ("import torch\n", ("torch.distributed",), "torch.distributed", ""),
        ("import torch.distributed as td\n", ("torch.distributed", None, "dist"), "td", ""),
        ("from torch import distributed as td\n", ("torch.distributed", None, "dist"), "td", ""),
        ("from torch import nn\n", ("torch.nn", "BCEWithLogitsLoss"), "nn.BCEWithLogitsLoss", ""),
        ("import torch.nn as nn\n", ("torch.nn.functional", "x"), "nn.functional.x", ""),
        ("from torch.nn import functional as F\n", ("torch.nn.functional", "x"), "F.x", ""),
        ("from torch.nn import Linear\n", ("torch.nn", "L1Loss"), "L1Loss", "from torch.nn import Linear, L1Loss\n"),
        ("import a.b\n", ("a.b", "c"), "a.b.c", ""),
        ("import a\n", ("a.b", None, "ab"), "ab", "import a\nimport a.b as ab\n"),
        ("import sys\n", ("random",), "random", "import random\nimport sys\n"),
        ("import os\n", ("random",), "random", "import os\nimport random\n"),
        ("import torch\n", ("random",), "random", "import random\n\nimport torch\n"),
        ("import os\n", ("webdataset", None, "wds"), "wds", "import os\n\nimport webdataset as wds\n"),
        ('"""Doc."""\nx\n', ("random",), "random", '"""Doc."""\n\nimport random\n\nx\n'),
        (
            "from __future__ import annotations\n\nx\n",
            ("random",),
            "random",
            "from __future__ import annotations\n\nimport random\n\nx\n",
        ),
        ("try:\n    import random\nexcept E:\n    random = None\n", ("os",), "os", None),
        ("random = 3\n", ("random",), "random_module", "import random as random_module\n\nrandom = 3\n"),
        ("print(random)\n", ("random",), "random_module", None),
        ("import random\nrandom = 1\n", ("random",), "random_module", None),
        ("def f():\n    import random\n", ("random",), "random_module", None),
        ("", ("random",), "random", "import random\n"),
    ],
)
def test_add_import(text: str, request_: tuple[str, ...], expression: str, added: str | None) -> None:
    file = FileRewriter("a.py", text)
    assert file.add_import(*request_) == expression
    assert file.add_import(*request_) == expression
    ast.parse(file.code())
    if added is not None:
        assert file.code() == (added or text)


def test_import_within_the_function() -> None:
    text = "def f():\n    import torch.distributed as td\n    use()\n\ndef g(dist):\n    other()\n"
    file, span = open_at(text, "use()")
    assert file.add_import("torch.distributed", None, "dist", file.node_at(span)) == "td"
    file, span = open_at(text, "other()")
    assert file.add_import("torch.distributed", None, "dist", file.node_at(span)) == "dist_module"


def test_from_import_over_several_rows() -> None:
    file = FileRewriter("a.py", "from a import (\n    b,\n    c,\n)\n")
    assert file.add_import("a", "d") == "d"
    assert file.code() == "from a import (\n    b,\n    c,\n    d,\n)\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from a import b\nb(1)\n", "c(1)\n"),
        ("from a import b, d\nb(1)\n", "from a import d\nc(1)\n"),
        ("from a import (\n    d,\n    b,\n)\nb(1)\n", "from a import (\n    d,\n)\nc(1)\n"),
        ("from a import b\nb(1)\nb\n", "from a import b\nc(1)\nb\n"),
        ("from a import b  # noqa: F401\nb(1)\n", "from a import b  # noqa: F401\nc(1)\n"),
        ("from a import b\n__all__ = ['b']\nb(1)\n", "from a import b\n__all__ = ['b']\nc(1)\n"),
    ],
)
def test_import_that_is_no_longer_used(text: str, expected: str) -> None:
    assert act(text, "b(1)", "replace-callee", text="c") == expected


def test_new_name_and_old_import_in_one_statement() -> None:
    text = "from torch.nn import BCELoss\nloss = BCELoss(reduction='sum')\n"
    made = act(text, "BCELoss(reduction='sum')", "replace-callee", module="torch.nn", name="BCEWithLogitsLoss")
    assert made == "from torch.nn import BCEWithLogitsLoss\nloss = BCEWithLogitsLoss(reduction='sum')\n"


def test_fresh_name_and_strings() -> None:
    file = FileRewriter("a.py", "total = 'x'; y = 'z'\n")
    assert [file.fresh_name("total"), file.fresh_name("total"), file.fresh_name("print")] == [
        "total_2",
        "total_3",
        "print_2",
    ]
    assert [file.string("a"), file.string("it's"), file.quote] == ["'a'", '"it\'s"', "'"]


# edits


def test_conflicts_and_rollback() -> None:
    file, span = open_at("x = f(g(a))\n", "g(a)")
    start = file.checkpoint()
    file.replace(file.node_at(span), "h")
    inner = open_at("x = f(g(a))\n", "a")[1]
    with pytest.raises(Conflict):
        file.replace(file.node_at(inner), "b")
    file.rollback(start)
    file.replace(file.node_at(inner), "b")
    assert file.code() == "x = f(g(b))\n"
    assert len(file.changes_since(start)) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f(a,\n  b)", "longer(a,\n       b)"),
        ("f(a,\n  b,\n    c)", "longer(a,\n       b,\n         c)"),
        ("f(a,\n  b\n)", "longer(a,\n       b\n)"),
        ("f(a,\n    b)", "longer(a,\n    b)"),
        ("f(\n    a,\n    b,\n)", "longer(\n    a,\n    b,\n)"),
        ("f(a,\n b)", "longer(a,\n b)"),
        ("f(a,\n  b,\n c)", "longer(a,\n  b,\n c)"),
        ("f(a,\n\t b)", "longer(a,\n\t b)"),
        ("f(a,\n  '''b\n  c''')", "longer(a,\n  '''b\n  c''')"),
        ("f(a,\n  # why\n  b)", "longer(a,\n       # why\n       b)"),
        ("long_name(a,\n          b)", "longer(a,\n       b)"),
        ("x.y(f(a,\n      b),\n    c)", "x.y(longer(a,\n           b),\n    c)"),
    ],
)
def test_aligned_arguments_stay_aligned(before: str, after: str) -> None:
    part = "f(a,\n      b)" if before.startswith("x") else before
    assert act(f"{before}\n", part, "replace-callee", text="longer") == f"{after}\n"


def test_rows_that_change_otherwise_are_not_realigned() -> None:
    text = "f(a,\n  g(\n  b))\n"
    file, span = open_at(text, text[:-1])
    rewrite_common(Action("replace-callee", span, (("text", "longer"),)), file)
    rewrite_common(Action("unwrap-call", open_at(text, "g(\n  b)")[1]), file)
    file.finish()
    assert file.code() == "longer(a,\n  b)\n"


def test_comments_of() -> None:
    assert comments_of("a  # b\n'# no'\n# c") == [(3, "# b"), (14, "# c")]


SOURCES = sorted((Path(__file__).parent / "fixtures").rglob("*.py"))


@pytest.mark.parametrize("change", ["insert-before", "insert-after", "remove-statement"])
def test_statements_of_real_programs(change: str) -> None:
    for path in SOURCES[::40]:
        text = path.read_text(encoding="utf-8")
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
        node = next((one for one in nodes if not isinstance(one, (ast.Import, ast.ImportFrom))), None)
        if node is None or not text.isascii():
            continue
        span = Span("a.py", node.lineno, node.col_offset + 1, node.end_lineno or 0, (node.end_col_offset or 0) + 1)
        file = FileRewriter("a.py", text)
        statement = file.statement_at(span)
        rewrite_common(Action(change, span, (("code", "pass"),)), file)
        made = file.code()
        ast.parse(made)
        kept = [comment for _, comment in comments_of(text)]
        if isinstance(statement, libcst.BaseSmallStatement) or change != "remove-statement":
            assert sorted(comment for _, comment in comments_of(made)) == sorted(kept)
