"""Names and imports of a file: what is reachable where, and edits that change it."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator
from functools import cached_property

import libcst as cst

from ddplint.rewriting.changes import CannotRewrite, Change
from ddplint.rewriting.edits import Edits
from ddplint.rewriting.scopes import Bound, Scope, bindings_of, scopes_of

# what importing a package makes reachable as attributes beside the package itself
_LOADED_WITH = {"torch": ("nn", "nn.functional", "distributed", "utils.data", "nn.parallel")}


class Imports(Edits):
    """Edits that keep a file's imports in order."""

    def fresh_name(self, prefix: str) -> str:
        """A name that the file does not use, `prefix` if that is free."""
        taken = self._words | self._state.names | set(dir(builtins))
        name = prefix
        number = 2
        while name in taken:
            name = f"{prefix}_{number}"
            number += 1
        self._state.names.add(name)
        return name

    def is_bound(self, name: str, where: cst.CSTNode | None = None) -> bool:
        """Whether a name means something at `where` (default: at the top of the file), builtins left aside."""
        return any(name in scope.bound for scope in self._scopes_at(where))

    def add_import(
        self,
        module: str,
        name: str | None = None,
        alias: str | None = None,
        where: cst.CSTNode | None = None,
        bare: bool = False,
    ) -> str:
        """The expression under which a module, or a name in it, is reachable at `where`; imports it if need be.

        `alias` is the name to import it under unless the file has another. No `where`: reachable in the whole file.
        `bare`: a name for itself where the file has a `from module import ...`, even if it could be reached otherwise.
        """
        key = (module, name)
        if key in self._state.imported:
            return self._state.imported[key]
        known = self._reachable(module, name, where)
        # a from-import of the same module beats a long dotted path
        if known is not None and known.count(".") < (1 if bare and name else 2):
            return known
        expression = self._extend_from(module, name, where) if name is not None else None
        if expression is None and known is not None:
            return known
        expression = expression or self._new_import(module, name, alias, where)
        self._state.imported[key] = expression
        return expression

    def remove_unused_import(self, name: str) -> None:
        """Take the import of a name away once nothing in the file reads it any more."""
        self._state.unused.append(name)

    def _reachable(self, module: str, name: str | None, where: cst.CSTNode | None) -> str | None:
        full = f"{module}.{name}" if name else module
        candidates: list[tuple[int, str]] = []
        for bound in self._imports(where):
            if bound.target == full:
                candidates.append((0, bound.name))
            elif bound.target == module or full.startswith(f"{bound.target}."):
                rest = full[len(bound.target) + 1 :]
                package = bound.target.partition(".")[0]
                below = bound.target[len(package) + 1 :]
                inner = ".".join(filter(None, [below, rest.rpartition(".")[0] if name else rest]))
                if bound.target == module or inner in _LOADED_WITH.get(package, ()):
                    candidates.append((1 + rest.count("."), f"{bound.name}.{rest}"))
            if bound.path == full or (name and bound.path == module):
                candidates.append((5, full))
        free = [one for one in candidates if not self._is_shadowed(one[1].partition(".")[0], where)]
        return min(free, key=lambda one: one[0])[1] if free else None

    def _imports(self, where: cst.CSTNode | None) -> Iterator[Bound]:
        yield from bindings_of(self._tree.body)
        if where is not None:
            offset = self.range_of(where)[0]
            for scope in self._scopes_at(where):
                if isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    body = scope.node.body
                    yield from bindings_of(one for one in body if self._starts[one.lineno - 1] < offset)

    def _is_shadowed(self, name: str, where: cst.CSTNode | None) -> bool:
        """Whether `name` may be something else than what an import bound it to."""
        scopes = self._scopes_at(where) if where is not None else self._scopes
        for scope in scopes:
            if scope.parent is None:
                if scope.count[name] > scope.imports[name]:
                    return True
            elif name in scope.bound and scope.imports[name] != scope.count[name]:
                return True
        return False

    def _taken(self, name: str, where: cst.CSTNode | None) -> bool:
        if name in self._state.names or name in dir(builtins) or name in self._scopes[0].bound:
            return True
        if any(name in scope.bound for scope in (self._scopes_at(where) if where is not None else self._scopes)):
            return True
        return any(name in scope.loads and not scope.sees(name) for scope in self._scopes)

    def _extend_from(self, module: str, name: str, where: cst.CSTNode | None) -> str | None:
        """Add the name to a `from module import ...` that the file has."""
        if self._taken(name, where):
            return None
        for line in self.module.body:
            for statement in line.body if isinstance(line, cst.SimpleStatementLine) else ():
                if not isinstance(statement, cst.ImportFrom) or isinstance(statement.names, cst.ImportStar):
                    continue
                if statement.relative or statement.module is None or dotted(statement.module) != module:
                    continue
                if statement in self._state.removed:
                    continue
                last = statement.names[-1]
                end = self.range_of(last.asname or last.name)[1]
                first = self.range_of(last)[0]
                margin = self._indent(self._line_of(first))
                if statement.lpar and margin and self._line_of(first) + len(margin) == first:
                    self.insert_text(end, f",\n{margin}{name}")
                else:
                    self.insert_text(end, f", {name}")
                self._state.extended.setdefault(statement, []).append((len(self._state.changes) - 1, name))
                self._state.names.add(name)
                return name
        return None

    def _new_import(self, module: str, name: str | None, alias: str | None, where: cst.CSTNode | None) -> str:
        bound = alias or name or module.partition(".")[0]
        if self._taken(bound, where):
            stem = alias or module.rpartition(".")[2]
            bound = self.fresh_name(f"{name}_" if name else f"{stem}_module")
            alias = bound
        if name is not None:
            code = f"from {module} import {name}" + (f" as {bound}" if bound != name else "")
        else:
            code = f"import {module}" + (f" as {alias}" if alias and alias != module else "")
        self._state.names.add(bound)
        self._place_import(code, module)
        return bound if name is not None or alias else module

    def _place_import(self, code: str, module: str) -> None:
        """Put an import statement where the file keeps its like."""
        header = self._header_imports()
        kind = code.split()[0]
        own = is_standard(module)
        alike = [one for one in header if is_standard(one[2]) == own and not one[2].startswith((".", "__future__"))]
        same = [one for one in alike if one[1] == kind]
        smaller = [one for one in same if one[2].lower() <= module.lower()]
        if smaller:
            self._insert_below(self._after(smaller[-1][0]), f"{code}\n")
        elif same:
            self.insert_text(self._line_of(self._first(same[0][0])), f"{code}\n")
        elif alike and kind == "from":
            self._insert_below(self._after(alike[-1][0]), f"{code}\n")
        elif alike:
            self.insert_text(self._line_of(self._first(alike[0][0])), f"{code}\n")
        else:
            self._place_first_of_kind(code, own, [one for one in header if one[2] != "__future__"], header)

    def _place_first_of_kind(
        self,
        code: str,
        standard: bool,
        others: list[tuple[cst.SimpleStatementLine, str, str]],
        header: list[tuple[cst.SimpleStatementLine, str, str]],
    ) -> None:
        absolute = [one for one in others if not one[2].startswith(".")]
        if others and (standard or not absolute):
            self.insert_text(self._line_of(self._first(others[0][0])), f"{code}\n\n")
            return
        if absolute or header:
            offset = self._after((absolute or header)[-1][0])
        elif self.module.get_docstring() is not None:
            offset = self._after(self.module.body[0])
        elif self.module.body:
            self.insert_text(self._line_of(self._first(self.module.body[0])), f"{code}\n\n")
            return
        else:
            self._insert_below(len(self.text), f"{code}\n")
            return
        crowded = offset < len(self.text) and offset not in self._borders and not self._blank(offset)
        self._insert_below(offset, f"\n{code}\n\n" if crowded else f"\n{code}\n")

    def _header_imports(self) -> list[tuple[cst.SimpleStatementLine, str, str]]:
        """The import lines at the top of the file: line, `import` or `from`, module."""
        found: list[tuple[cst.SimpleStatementLine, str, str]] = []
        for number, line in enumerate(self.module.body):
            if not isinstance(line, cst.SimpleStatementLine):
                if found and not isinstance(line, (cst.FunctionDef, cst.ClassDef)):
                    continue
                break
            first = line.body[0]
            if isinstance(first, cst.Import):
                found.append((line, "import", dotted(first.names[0].name)))
            elif isinstance(first, cst.ImportFrom):
                module = dotted(first.module) if first.module is not None else ""
                found.append((line, "from", "." * len(first.relative) + module))
            elif number and found and not isinstance(first, cst.Expr):
                break
        return found

    def _drop_unused(self) -> None:
        """Carry out what `remove_unused_import` was asked for."""
        if not self._state.unused or self.path.endswith("__init__.py"):
            return
        try:
            tree = ast.parse(self.code())
        except SyntaxError:
            return
        nodes = list(ast.walk(tree))
        read = {node.id for node in nodes if isinstance(node, ast.Name)}
        # a name in a string may be exported or a forward reference
        spoken = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        for name in list(self._state.unused):
            if (
                name in read
                or name in self._layout.words
                or any(re.search(rf"\b{re.escape(name)}\b", text) for text in spoken if len(text) < 200)
            ):
                continue
            if name in self._state.names or name not in self._loaded:
                continue
            self._drop_import(name)
            self._state.unused.remove(name)

    def _drop_import(self, name: str) -> None:
        for line in self.module.body:
            if not isinstance(line, cst.SimpleStatementLine):
                continue
            for statement in line.body:
                if not isinstance(statement, (cst.Import, cst.ImportFrom)):
                    continue
                if isinstance(statement.names, cst.ImportStar):
                    continue
                for alias in statement.names:
                    if _bound_by(alias) != name or statement in self._state.removed:
                        continue
                    if isinstance(statement, cst.Import) and alias.asname is None and "." in dotted(alias.name):
                        continue
                    comment = line.trailing_whitespace.comment
                    if comment is not None and "noqa" in comment.value:
                        continue
                    others = [one for one in statement.names if one is not alias and one not in self._state.removed]
                    self._state.removed.add(alias)
                    added = self._state.extended.get(statement)
                    if others:
                        self.drop_item(alias, statement.names, self.range_of(statement)[1])
                    elif added:
                        # the first name that was added takes the place of the one that goes
                        index, new = added[0]
                        self._state.changes[index] = Change(*self.range_of(alias), new)
                    else:
                        self.remove(statement)
                    return

    @cached_property
    def _tree(self) -> ast.Module:
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError):
            raise CannotRewrite("the file cannot be parsed") from None

    @cached_property
    def _loaded(self) -> frozenset[str]:
        return frozenset(node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name))

    @cached_property
    def _scopes(self) -> list[Scope]:
        return scopes_of(self._tree)

    def _scopes_at(self, where: cst.CSTNode | None) -> list[Scope]:
        """The scopes in which names are looked up at a place, the module's first."""
        if where is None:
            return self._scopes[:1]
        row, column = self.place(self.range_of(where)[0])
        if not self.text.isascii():
            start = self._starts[row - 1]
            column = len(self.text[start : start + column - 1].encode("utf-8", "surrogatepass")) + 1
        here = (row, column - 1)
        around = [scope for scope in self._scopes if scope.start <= here < scope.end]
        # names of a class body are not seen from the functions in it
        return [one for one in around if not isinstance(one.node, ast.ClassDef) or one is around[-1]]


def dotted(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def _bound_by(alias: cst.ImportAlias) -> str:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return dotted(alias.name).partition(".")[0]


def is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names
