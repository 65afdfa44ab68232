"""Lower one parsed file to facts.

A node is a list `[kind, position, ...]`; `pack` and `unpack` turn a position into one integer and back. Rows count
from 1, columns from 0, in characters. None stands for an absent child.

Expressions
    const value | name id | attr value name | call function args keywords | bin op left right | unary op operand
    bool op values | cmp left ops rights | tuple items | list items | set items | dict pairs | sub value index
    slice lower upper step | ifexp test body orelse | lambda function | comp type element generators | star value
    yield value | await value | fstr values | walrus name value
`keywords` holds `[name or None, value]`, `pairs` `[key or None, value]`, `element` one expression or `[key, value]`,
`generators` `[target, iterable, conditions]`.

Statements
    expr value | assign targets value | aug target op value | ann target annotation value | if test body orelse
    for target iterable body orelse | while test body orelse | with items body | try body handlers orelse final
    return value | def function | class class | import names | from module level names | raise value | assert test
    del targets | break | continue | match subject cases | global names
`handlers` holds `[type, name, body]`, `cases` `[bound names, guard, body]`, `items` `[context, target]`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

Node = list[Any]

_OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.MatMult: "@", ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&",
    ast.Not: "not", ast.Invert: "~", ast.UAdd: "u+", ast.USub: "u-", ast.And: "and", ast.Or: "or",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip

_COLUMN_BITS = 14
_HEIGHT_BITS = 16
_COLUMN_MAX = (1 << _COLUMN_BITS) - 1
_HEIGHT_MAX = (1 << _HEIGHT_BITS) - 1
_LONG_TEXT = 400
_SHORT_TEXT = 40
_ZERO_TIMES = "'0*"
_STRIDED = "'x::y"
_NAMES = re.compile(r"[^\W\d]\w*")


def pack(row: int, column: int, end_row: int, end_column: int) -> int:
    """One integer for a position; columns and heights beyond the field's size are cut to it."""
    height = min(end_row - row, _HEIGHT_MAX)
    start = (row << _COLUMN_BITS) | min(column, _COLUMN_MAX)
    return (((start << _HEIGHT_BITS) | height) << _COLUMN_BITS) | min(end_column, _COLUMN_MAX)


def unpack(position: int) -> tuple[int, int, int, int]:
    """`(row, column, end row, end column)` of a packed position."""
    end_column = position & _COLUMN_MAX
    position >>= _COLUMN_BITS
    height = position & _HEIGHT_MAX
    position >>= _HEIGHT_BITS
    row = position >> _COLUMN_BITS
    return row, position & _COLUMN_MAX, row + height, end_column


class Lowering:
    """Turns one module into facts; functions and classes are collected in `functions` and `classes`."""

    def __init__(self, text: str) -> None:
        self.functions: list[dict[str, Any]] = []
        self.classes: list[dict[str, Any]] = []
        self.references: set[str] = set()
        # of the file's variables: what their values mention
        self.variables: dict[str, set[str]] = {}
        self.stored: set[str] = set()
        self.factors: set[str] = set()
        self._zeros = {"0"}
        self.imported: set[str] = set()
        self._outer: list[tuple[set[str], set[str], set[str]]] = []
        self._scope: list[str] = []
        self._owner: list[int | None] = [None]
        # ast counts columns in UTF-8 bytes, people and editors in characters
        self._lines = None if text.isascii() else [line.encode("utf-8", "surrogatepass") for line in text.split("\n")]

    def module(self, tree: ast.Module) -> Node:
        return self.body(tree.body)

    def _column(self, row: int, column: int) -> int:
        if self._lines is None or row > len(self._lines):
            return column
        return len(self._lines[row - 1][:column].decode("utf-8", "replace"))

    def position(self, node: Any) -> int:
        row, end_row = node.lineno, node.end_lineno or node.lineno
        if self._lines is None:
            return pack(row, node.col_offset, end_row, node.end_col_offset)
        return pack(row, self._column(row, node.col_offset), end_row, self._column(end_row, node.end_col_offset))

    def body(self, statements: list[ast.stmt]) -> list[Node]:
        lowered = []
        for statement in statements:
            method = _STATEMENTS.get(type(statement))
            node = method(self, statement) if method else None
            if node is not None:
                lowered.append(node)
        return lowered

    def expression(self, node: ast.expr | None) -> Any:
        if node is None:
            return None
        method = _EXPRESSIONS.get(type(node))
        return method(self, node) if method else ["const", self.position(node), None]

    def expressions(self, nodes: list[ast.expr]) -> list[Any]:
        return [self.expression(node) for node in nodes]

    def bound(self, targets: list[ast.expr], value: ast.expr | None) -> Any:
        """The value of an assignment; what it mentions is remembered for the variables of the file."""
        if self._scope:
            return self.expression(value)
        outer, self.references = self.references, set()
        lowered = self.expression(value)
        own, self.references = self.references, outer | self.references
        for name in (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)):
            self.variables.setdefault(name, set()).update(own)
        return lowered

    def function(self, node: Any) -> int:
        """Index of a new function record for a def or a lambda."""
        index = len(self.functions)
        record: dict[str, Any] = {}
        self.functions.append(record)
        name = getattr(node, "name", "<lambda>")
        record.update(
            name=name,
            qualname=".".join([*self._scope, name]),
            position=self.position(node),
            owner=self._owner[-1],
            parameters=self._parameters(node.args),
            decorators=self.expressions(getattr(node, "decorator_list", [])),
            generator=False,
        )
        self._scope.append(name)
        self._owner.append(None)
        self.stored.add(name)
        self._outer.append((self.references, self.stored, self.factors))
        parameters = {row[0] for row in record["parameters"]}
        self.references, self.stored, self.factors = set(), set(parameters), set()
        if isinstance(node, ast.Lambda):
            record["body"] = [["return", self.position(node.body), self.expression(node.body)]]
        else:
            record["body"] = self.body(node.body)
            record["generator"] = _yields(node)
        own = _seen_from_outside(self.references, self.stored)
        record["references"] = own
        record["factors"] = self.factors | ({f"{name}(0)"} if self.factors & parameters else set())
        self.references, self.stored, self.factors = self._outer.pop()
        self.references |= own
        self.factors |= record["factors"]
        self._scope.pop()
        self._owner.pop()
        return index

    def zero(self, name: str | None, value: ast.expr | None) -> None:
        """A name is given a value: remember it if that is `0.0`; a whole zero is rather the start of a count."""
        if name and _is_zero(value) and isinstance(value, ast.Constant) and isinstance(value.value, float):
            self._zeros.add(name)

    def zero_given(self, function: str) -> None:
        """A function is called with a literal zero."""
        self._zeros.add(f"{function}(0)")
        if function.startswith("mul"):
            self.factors.add("0")

    def finish(self) -> None:
        """Mark functions in which something that the file sets to zero is a factor, and make text of references."""
        for record in self.functions:
            references = self._members_of_imports(record["references"])
            if record.pop("factors") & self._zeros:
                references.add(_ZERO_TIMES)
            record["references"] = " ".join(sorted(references))
        self.references = self._members_of_imports(self.references)
        if self.factors & self._zeros:
            self.references.add(_ZERO_TIMES)
        for name, own in self.variables.items():
            if own:
                self.references.add(f"{name}<{','.join(sorted(self._members_of_imports(own)))}")

    def _members_of_imports(self, references: set[str]) -> set[str]:
        """The references, `x.y` only where `x` is imported."""
        seen: set[str] = set()
        for reference in references:
            base, dot, attribute = reference.partition(".")
            seen.add(f".{attribute}" if dot and base not in self.imported else reference)
        return seen

    def class_(self, node: ast.ClassDef) -> int:
        index = len(self.classes)
        record: dict[str, Any] = {}
        self.classes.append(record)
        record.update(
            name=node.name,
            qualname=".".join([*self._scope, node.name]),
            position=self.position(node),
            bases=self.expressions(node.bases),
            keywords=[[keyword.arg, self.expression(keyword.value)] for keyword in node.keywords],
            decorators=self.expressions(node.decorator_list),
        )
        self._scope.append(node.name)
        self._owner.append(index)
        record["body"] = self.body(node.body)
        self._scope.pop()
        self._owner.pop()
        return index

    def _parameters(self, arguments: ast.arguments) -> list[list[Any]]:
        """`[name, kind, default]` with kind one of position, both, star, keyword, stars."""
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + [*arguments.defaults]
        rows = []
        for number, (argument, default) in enumerate(zip(positional, defaults, strict=True)):
            self.zero(argument.arg, default)
            kind = "position" if number < len(arguments.posonlyargs) else "both"
            rows.append([argument.arg, kind, self.expression(default), self._annotation(argument)])
        if arguments.vararg:
            rows.append([arguments.vararg.arg, "star", None, None])
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            self.zero(argument.arg, default)
            rows.append([argument.arg, "keyword", self.expression(default), self._annotation(argument)])
        if arguments.kwarg:
            rows.append([arguments.kwarg.arg, "stars", None, None])
        return rows

    def _annotation(self, argument: ast.arg) -> Any:
        note = argument.annotation
        if isinstance(note, ast.Constant) and isinstance(note.value, str):
            try:
                note = ast.parse(note.value, mode="eval").body
            except SyntaxError:
                return None
            ast.increment_lineno(note, argument.lineno)
        return self.expression(note) if isinstance(note, (ast.Name, ast.Attribute)) else None


def _yields(function: Any) -> bool:
    """Whether a function is a generator: a yield in its own body, not in a function nested in it."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))
    return False


def _constant(low: Lowering, node: ast.Constant) -> Node:
    value = node.value
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        value = None
    if isinstance(value, str) and len(value) <= _SHORT_TEXT:
        low.references.update(f"'{name}" for name in _NAMES.findall(value))
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        value = None
    plain = value is None or isinstance(value, (bool, int, float, str))
    if plain and isinstance(value, str):
        value = value.encode("utf-8", "replace").decode("utf-8")
    kind = "const" if plain and (value is not None or node.value is None) else "opaque"
    return [kind, low.position(node), value if plain else None]


def _seen_from_outside(references: set[str], stored: set[str]) -> set[str]:
    """A function's references, its own variables marked: `=x` for a variable, `.x` for an attribute of one."""
    seen: set[str] = set()
    for reference in references:
        base, dot, attribute = reference.partition(".")
        if base not in stored:
            seen.add(reference)
        else:
            seen.add(f".{attribute}" if dot else f"={base}")
    return seen


def _name(low: Lowering, node: ast.Name) -> Node:
    (low.stored if isinstance(node.ctx, ast.Store) else low.references).add(node.id)
    return ["name", low.position(node), node.id]


def _attribute(low: Lowering, node: ast.Attribute) -> Node:
    base: ast.expr = node.value
    while isinstance(base, ast.Attribute):
        base = base.value
    low.references.add(f"{base.id if isinstance(base, ast.Name) else ''}.{node.attr}")
    return ["attr", low.position(node), low.expression(node.value), node.attr]


def _call(low: Lowering, node: ast.Call) -> Node:
    keywords = [[keyword.arg, low.expression(keyword.value)] for keyword in node.keywords]
    for keyword in node.keywords:
        if keyword.arg:
            low.references.add(f"'{keyword.arg}")
            low.zero(keyword.arg, keyword.value)
    if any(map(_is_zero, node.args)):
        low.zero_given(_last_name(node.func))
    return ["call", low.position(node), low.expression(node.func), low.expressions(node.args), keywords]


def _dict(low: Lowering, node: ast.Dict) -> Node:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            low.zero(key.value, value)
    pairs = [[low.expression(key), low.expression(value)] for key, value in zip(node.keys, node.values, strict=True)]
    return ["dict", low.position(node), pairs]


def _comprehension(kind: str) -> Callable[[Lowering, Any], Node]:
    def lower(low: Lowering, node: Any) -> Node:
        generators = [
            [low.expression(one.target), low.expression(one.iter), low.expressions(one.ifs)] for one in node.generators
        ]
        element = [low.expression(node.key), low.expression(node.value)] if kind == "dict" else low.expression(node.elt)
        return ["comp", low.position(node), kind, element, generators]

    return lower


def _slice(low: Lowering, node: ast.Slice) -> Node:
    if node.lower is not None and node.step is not None:
        low.references.add(_STRIDED)
    return [
        "slice",
        low.position(node),
        low.expression(node.lower),
        low.expression(node.upper),
        low.expression(node.step),
    ]


def _compare(low: Lowering, node: ast.Compare) -> Node:
    operators = [_OPERATORS[type(one)] for one in node.ops]
    return ["cmp", low.position(node), low.expression(node.left), operators, low.expressions(node.comparators)]


def _binary(low: Lowering, node: ast.BinOp) -> Node:
    # text and lists are repeated, not multiplied
    if isinstance(node.op, ast.Mult) and not (_is_sequence(node.left) or _is_sequence(node.right)):
        low.factors.update(_factor(side) for side in (node.left, node.right))
    return [
        "bin", low.position(node), _OPERATORS[type(node.op)], low.expression(node.left), low.expression(node.right)
    ]  # fmt: skip


def _is_sequence(node: ast.expr) -> bool:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    return is_text or isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple))


def _is_zero(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value == 0


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _factor(node: ast.expr) -> str:
    """The last name of a factor, `0` for a literal zero, else an empty string."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return "0" if _is_zero(node) else _last_name(node)


def _unary(low: Lowering, node: ast.UnaryOp) -> Node:
    operand = low.expression(node.operand)
    if isinstance(node.op, ast.USub) and operand[0] == "const" and type(operand[2]) in (int, float):
        return ["const", low.position(node), -operand[2]]
    return ["unary", low.position(node), _OPERATORS[type(node.op)], operand]


def _formatted(low: Lowering, node: Any) -> Node:
    values = [low.expression(part.value) for part in node.values if isinstance(part, ast.FormattedValue)]
    return ["fstr", low.position(node), values]


def _items(kind: str) -> Callable[[Lowering, Any], Node]:
    return lambda low, node: [kind, low.position(node), low.expressions(node.elts)]


def _value(kind: str) -> Callable[[Lowering, Any], Node]:
    return lambda low, node: [kind, low.position(node), low.expression(node.value)]


_EXPRESSIONS: dict[type, Callable[[Lowering, Any], Node]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: lambda low, node: ["bool", low.position(node), _OPERATORS[type(node.op)], low.expressions(node.values)],
    ast.Compare: _compare,
    ast.Tuple: _items("tuple"),
    ast.List: _items("list"),
    ast.Set: _items("set"),
    ast.Dict: _dict,
    ast.Subscript: lambda low, node: [
        "sub", low.position(node), low.expression(node.value), low.expression(node.slice)
    ],
    ast.Slice: _slice,
    ast.IfExp: lambda low, node: [
        "ifexp", low.position(node), low.expression(node.test), low.expression(node.body), low.expression(node.orelse)
    ],
    ast.Lambda: lambda low, node: ["lambda", low.position(node), low.function(node)],
    ast.ListComp: _comprehension("list"),
    ast.SetComp: _comprehension("set"),
    ast.GeneratorExp: _comprehension("generator"),
    ast.DictComp: _comprehension("dict"),
    ast.Starred: _value("star"),
    ast.Yield: _value("yield"),
    ast.YieldFrom: _value("yieldfrom"),
    ast.Await: _value("await"),
    ast.JoinedStr: _formatted,
    ast.NamedExpr: lambda low, node: ["walrus", low.position(node), node.target.id, low.expression(node.value)],
}  # fmt: skip


def _expression_statement(low: Lowering, node: ast.Expr) -> Node | None:
    if isinstance(node.value, ast.Constant):
        return None
    return ["expr", low.position(node), low.expression(node.value)]


def _for(low: Lowering, node: Any) -> Node:
    target, iterable = low.expression(node.target), low.expression(node.iter)
    return ["for", low.position(node), target, iterable, low.body(node.body), low.body(node.orelse)]


def _with(low: Lowering, node: Any) -> Node:
    items = [[low.expression(item.context_expr), low.expression(item.optional_vars)] for item in node.items]
    return ["with", low.position(node), items, low.body(node.body)]


def _try(low: Lowering, node: Any) -> Node:
    handlers = [[low.expression(one.type), one.name, low.body(one.body)] for one in node.handlers]
    return ["try", low.position(node), low.body(node.body), handlers, low.body(node.orelse), low.body(node.finalbody)]


def _match(low: Lowering, node: Any) -> Node:
    cases = []
    for case in node.cases:
        names = [
            bound
            for part in ast.walk(case.pattern)
            for bound in (getattr(part, "name", None), getattr(part, "rest", None))
            if bound
        ]
        cases.append([names, low.expression(case.guard), low.body(case.body)])
    return ["match", low.position(node), low.expression(node.subject), cases]


def _if(low: Lowering, node: ast.If) -> Node:
    return ["if", low.position(node), low.expression(node.test), low.body(node.body), low.body(node.orelse)]


def _import(low: Lowering, node: ast.Import) -> Node:
    low.imported.update(one.asname or one.name.partition(".")[0] for one in node.names)
    return ["import", low.position(node), [[one.name, one.asname] for one in node.names]]


def _import_from(low: Lowering, node: ast.ImportFrom) -> Node:
    names = [[one.name, one.asname] for one in node.names]
    low.imported.update(one.asname or one.name for one in node.names)
    low.references.update(f"{one.asname}>{one.name}" for one in node.names if one.asname)
    return ["from", low.position(node), node.module or "", node.level, names]


def _assign(low: Lowering, node: ast.Assign) -> Node:
    for target in node.targets:
        low.zero(_last_name(target), node.value)
    return ["assign", low.position(node), low.expressions(node.targets), low.bound(node.targets, node.value)]


def _augmented(low: Lowering, node: ast.AugAssign) -> Node:
    target, value = low.expression(node.target), low.expression(node.value)
    if isinstance(node.op, ast.Mult):
        low.factors.add(_factor(node.value))
    return ["aug", low.position(node), target, _OPERATORS[type(node.op)], value]


def _annotated(low: Lowering, node: ast.AnnAssign) -> Node:
    low.zero(_last_name(node.target), node.value)
    return [
        "ann",
        low.position(node),
        low.expression(node.target),
        low.expression(node.annotation),
        low.bound([node.target], node.value),
    ]


_STATEMENTS: dict[type, Callable[[Lowering, Any], Node | None]] = {
    ast.Expr: _expression_statement,
    ast.Assign: _assign,
    ast.AugAssign: _augmented,
    ast.AnnAssign: _annotated,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: lambda low, node: [
        "while", low.position(node), low.expression(node.test), low.body(node.body), low.body(node.orelse)
    ],
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.Return: lambda low, node: ["return", low.position(node), low.expression(node.value)],
    ast.FunctionDef: lambda low, node: ["def", low.position(node), low.function(node)],
    ast.AsyncFunctionDef: lambda low, node: ["def", low.position(node), low.function(node)],
    ast.ClassDef: lambda low, node: ["class", low.position(node), low.class_(node)],
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Raise: lambda low, node: ["raise", low.position(node), low.expression(node.exc)],
    ast.Assert: lambda low, node: ["assert", low.position(node), low.expression(node.test)],
    ast.Delete: lambda low, node: ["del", low.position(node), low.expressions(node.targets)],
    ast.Break: lambda low, node: ["break", low.position(node)],
    ast.Continue: lambda low, node: ["continue", low.position(node)],
    ast.Match: _match,
    ast.Global: lambda low, node: ["global", low.position(node), list(node.names)],
    ast.Nonlocal: lambda low, node: ["global", low.position(node), list(node.names)],
}  # fmt: skip
if hasattr(ast, "TryStar"):
    _STATEMENTS[ast.TryStar] = _try


def lower(text: str) -> dict[str, Any]:
    """Facts of one file's text: its body, functions, classes, and all names that it reads (`references`).

    A reference is `x`; `x.y` for what is reached through an imported name, `.y` for other attributes; `x>y`
    for an import of `y` as `x`; in a function `=x` for its own variables, whose attributes are `.y`; `'x` for keywords
    and the words of short texts; `x<y,z` for a variable of the file and what its values mention; `'0*` for a product
    with zero, `'x::y` for a slice with a start and a step.

    Raises SyntaxError, ValueError, RecursionError or MemoryError as `ast.parse` does.
    """
    tree = ast.parse(text)
    low = Lowering(text)
    body = low.module(tree)
    low.finish()
    return {"body": body, "functions": low.functions, "classes": low.classes, "references": sorted(low.references)}
