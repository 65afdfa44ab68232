"""Which names the parts of a file bind and read."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bound:
    """A name that an import binds, what it stands for, and for `import a.b` the whole dotted path."""

    name: str
    target: str
    path: str = ""


def bindings_of(body: Iterable[ast.stmt]) -> Iterator[Bound]:
    for statement in body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.asname:
                    yield Bound(alias.asname, alias.name)
                else:
                    root = alias.name.partition(".")[0]
                    yield Bound(root, root, alias.name)
        elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
            for alias in statement.names:
                yield Bound(alias.asname or alias.name, f"{statement.module}.{alias.name}")


@dataclass(slots=True)
class Scope:
    """One module, class, function, lambda or comprehension: the names it binds and reads."""

    node: ast.AST
    parent: Scope | None
    start: tuple[int, int]
    end: tuple[int, int]
    count: Counter[str] = field(default_factory=Counter)
    imports: Counter[str] = field(default_factory=Counter)
    loads: set[str] = field(default_factory=set)

    @property
    def bound(self) -> Counter[str]:
        return self.count

    def sees(self, name: str) -> bool:
        """Whether this scope or a function around it binds the name, the module left aside."""
        scope: Scope | None = self
        while scope is not None and scope.parent is not None:
            if name in scope.count and (scope is self or not isinstance(scope.node, ast.ClassDef)):
                return True
            scope = scope.parent
        return False


_NEW_SCOPE = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def scopes_of(tree: ast.Module) -> list[Scope]:
    top = Scope(tree, None, (0, 0), (sys.maxsize, 0))
    scopes = [top]
    pending: list[tuple[ast.AST, Scope]] = [(child, top) for child in ast.iter_child_nodes(tree)]
    while pending:
        node, scope = pending.pop(0)
        _bind(node, scope, top)
        inner = scope
        if isinstance(node, _NEW_SCOPE):
            start = (node.lineno, node.col_offset)
            inner = Scope(node, scope, start, (node.end_lineno or node.lineno, node.end_col_offset or 0))
            scopes.append(inner)
            if not isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.ClassDef)):
                arguments = node.args
                plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
                every = [*plain, arguments.vararg, arguments.kwarg]
                inner.count.update(one.arg for one in every if one is not None)
        outside: list[ast.AST] = []
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            outside = list(node.decorator_list)
        pending += [(child, scope if child in outside else inner) for child in ast.iter_child_nodes(node)]
    return scopes


def _bind(node: ast.AST, scope: Scope, top: Scope) -> None:
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load):
            scope.loads.add(node.id)
        else:
            scope.count[node.id] += 1
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        scope.count[node.name] += 1
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope.count[name] += 1
            scope.imports[name] += 1
    elif isinstance(node, ast.ExceptHandler) and node.name:
        scope.count[node.name] += 1
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        top.count.update(node.names)
    elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
        scope.count[node.name] += 1
