"""One file: bytes to text, notebook cells, suppression comments."""

from __future__ import annotations

import ast
import codecs
import hashlib
import io
import json
import os
import re
import stat
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

SIZE_LIMIT = 5_000_000

_BLANKET = re.compile(r"#\s*(?P<kind>noqa|ddplint\s*:\s*ignore)(?!\w)(?P<rest>[^#]*)", re.IGNORECASE)
_NOQA_CODES = re.compile(r"\s*:\s*(?P<codes>[A-Z][A-Z0-9]*[0-9]+(?:[\s,]+[A-Z][A-Z0-9]*[0-9]+)*)", re.IGNORECASE)
_IGNORE_CODES = re.compile(r"\s*\[(?P<codes>[^\]]*)\]")
_MAGIC = re.compile(r"\s*(?:[%!?]|[\w.]+\?{1,2}\s*$)")
_MAGIC_ASSIGNMENT = re.compile(r"(?P<target>\s*[\w.,\s]+?=\s*)[%!](?!=)")
# cell magics whose body is Python
_PYTHON_CELLS = {"capture", "prun", "time", "timeit"}
_SCAN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*|\\\n|[(\[{]|[)\]}]|\n', re.DOTALL)


class Unreadable(Exception):
    """A file that cannot be read as Python source; `reason` is one short phrase."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell of a notebook: its number among the code cells, and the rows of the joined text that hold it."""

    number: int
    first_row: int
    last_row: int


@dataclass(frozen=True, slots=True)
class SourceFile:
    r"""A file's text with every line end as `\n`, and what is needed to write it back.

    `newline` is "mixed" when the file does not keep to one line end. `cells` is empty unless the file is a notebook.
    """

    path: str
    text: str
    encoding: str
    bom: bool
    newline: Literal["\n", "\r\n", "\r", "mixed"]
    hash: str
    cells: tuple[Cell, ...] = ()

    def cell_position(self, row: int) -> tuple[int, int] | None:
        """`(cell number, row within it)` of a row of the joined text; None if the file is no notebook."""
        for cell in self.cells:
            if cell.first_row <= row <= cell.last_row:
                return cell.number, row - cell.first_row + 1
        return None


@dataclass(frozen=True, slots=True)
class Suppression:
    """A comment that silences findings of its row; no selectors: all of them."""

    row: int
    kind: Literal["noqa", "ignore"]
    selectors: tuple[str, ...]

    @property
    def blanket(self) -> bool:
        return not self.selectors

    def covers(self, code: str, name: str) -> bool:
        if self.blanket:
            return True
        return any(code.startswith(selector.upper()) or selector == name for selector in self.selectors)


def content_hash(data: bytes) -> str:
    """The name of a file's content in caches."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read_bytes(path: str, limit: int = SIZE_LIMIT) -> bytes:
    """The bytes of a regular file no larger than `limit`."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise Unreadable(path, "is a directory")
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(path, "not a regular file")
        if status.st_size > limit:
            raise Unreadable(path, f"larger than {limit / 1_000_000:g} MB")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Unreadable(path, "not found") from None
    except PermissionError:
        raise Unreadable(path, "permission denied") from None
    except (OSError, ValueError) as error:
        raise Unreadable(path, getattr(error, "strerror", None) or str(error)) from None


def read_source(path: str, limit: int = SIZE_LIMIT) -> SourceFile:
    """Read one Python file or notebook; raises Unreadable."""
    return parse_source(path, read_bytes(path, limit))


def parse_source(path: str, data: bytes) -> SourceFile:
    """Decode the bytes of one Python file or notebook; raises Unreadable."""
    if b"\x00" in data:
        raise Unreadable(path, "binary (contains NUL bytes)")
    bom = data.startswith(codecs.BOM_UTF8)
    notebook = path.endswith(".ipynb")
    encoding = "utf-8" if notebook else _encoding(path, data)
    try:
        text = data[len(codecs.BOM_UTF8) if bom else 0 :].decode(encoding)
    except (UnicodeError, LookupError, ValueError):
        raise Unreadable(path, f"not decodable as {encoding}") from None
    newline = _newline(text)
    text = _plain(text)
    cells: tuple[Cell, ...] = ()
    if notebook:
        text, cells = _notebook(path, text)
    return SourceFile(path, text, encoding, bom, newline, content_hash(data), cells)


def _encoding(path: str, data: bytes) -> str:
    lines = iter(re.split(rb"(?<=\n)|(?<=\r)(?!\n)", data[:8192])[:2])
    try:
        encoding = tokenize.detect_encoding(lambda: next(lines, b""))[0]
        codecs.lookup(encoding)
    except (SyntaxError, LookupError, ValueError) as error:
        detail = str(error) or "utf-8"
        reason = f"unknown encoding ({detail})" if "unknown encoding" in detail else "not decodable as utf-8"
        raise Unreadable(path, reason) from None
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _newline(text: str) -> Literal["\n", "\r\n", "\r", "mixed"]:
    windows = text.count("\r\n")
    counts: dict[Literal["\n", "\r\n", "\r", "mixed"], int] = {
        "\n": text.count("\n") - windows,
        "\r\n": windows,
        "\r": text.count("\r") - windows,
    }
    used = [newline for newline, count in counts.items() if count]
    if len(used) > 1:
        return "mixed"
    return used[0] if used else "\n"


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _notebook(path: str, text: str) -> tuple[str, tuple[Cell, ...]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable(path, "not a notebook (broken JSON)") from None
    if not isinstance(content, dict):
        raise Unreadable(path, "not a notebook")
    metadata = _mapping(content.get("metadata"))
    language_info, kernel = _mapping(metadata.get("language_info")), _mapping(metadata.get("kernelspec"))
    language = language_info.get("name") or kernel.get("language")
    if isinstance(language, str) and not language.lower().startswith(("python", "ipython")):
        raise Unreadable(path, f"a notebook in {language[:40]}")
    sheets = content.get("worksheets")
    entries = content.get("cells")
    if entries is None and isinstance(sheets, list) and sheets:
        entries = _mapping(sheets[0]).get("cells")
    if not isinstance(entries, list):
        raise Unreadable(path, "not a notebook (no cells)")
    lines: list[str] = []
    cells: list[Cell] = []
    for entry in map(_mapping, entries):
        if entry.get("cell_type") != "code":
            continue
        source = entry.get("source", entry.get("input", ""))
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        body = _python_cell(_plain(source) if isinstance(source, str) else "").split("\n")
        cells.append(Cell(len(cells) + 1, len(lines) + 1, len(lines) + len(body)))
        lines += body
    return "".join(f"{line}\n" for line in lines), tuple(cells)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _python_cell(text: str) -> str:
    """A cell's text with the lines that only IPython knows replaced; rows stay where they are."""
    first = text.lstrip().partition("\n")[0]
    if first.startswith("%%"):
        if first[2:].split(" ")[0] not in _PYTHON_CELLS:
            return "\n".join("pass" for _ in text.split("\n"))
    elif not re.search(r"[%!?]", text) or _parses(text):
        return text
    lines = text.split("\n")
    row = 0
    while row < len(lines):
        height = 1
        assignment = _MAGIC_ASSIGNMENT.match(lines[row])
        if _MAGIC.match(lines[row]) or assignment:
            while lines[row + height - 1].endswith("\\") and row + height < len(lines):
                height += 1
            indent = re.match(r"\s*", lines[row])
            replacement = f"{assignment['target']}None" if assignment else f"{indent[0] if indent else ''}pass"
            lines[row : row + height] = [replacement, *[""] * (height - 1)]
        else:
            height = _logical_height(lines, row)
        row += height
    return "\n".join(lines)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _logical_height(lines: list[str], row: int) -> int:
    """Rows of the logical line that starts at `row`."""
    text = "\n".join(lines[row:])
    depth = height = position = 0
    while match := _SCAN.search(text, position):
        token, position = match[0], match.end()
        if token in ('"""', "'''"):
            end = text.find(token, position)
            if end < 0:
                break
            height += text.count("\n", position, end)
            position = end + 3
        elif token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        elif token == "\\\n":
            height += 1
        elif token == "\n":
            height += 1
            if depth <= 0:
                return height
        else:
            height += token.count("\n")
    return len(lines) - row


def suppressions(text: str) -> tuple[Suppression, ...]:
    """The suppression comments of a text, in order of rows."""
    if not _BLANKET.search(text):
        return ()
    return tuple(found for row, comment in _comments(text) for found in _suppressions_of(row, comment))


def _comments(text: str) -> Iterator[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    try:
        for token in tokens:
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):
        # text that does not tokenize has no findings below that point
        return


def _suppressions_of(row: int, comment: str) -> Iterator[Suppression]:
    for match in _BLANKET.finditer(comment):
        kind: Literal["noqa", "ignore"] = "noqa" if match["kind"].lower() == "noqa" else "ignore"
        codes = (_NOQA_CODES if kind == "noqa" else _IGNORE_CODES).match(match["rest"])
        yield Suppression(row, kind, tuple(re.split(r"[\s,]+", codes["codes"].strip(" ,"))) if codes else ())


class Sources:
    """Files read once each, by display path, for those who show or judge findings."""

    def __init__(self, cwd: str | None = None) -> None:
        self._cwd = cwd or os.getcwd()
        self._files: dict[str, SourceFile | None] = {}
        self._lines: dict[str, list[str]] = {}

    def get(self, path: str) -> SourceFile | None:
        """The file, or None when it cannot be read (any more)."""
        if path not in self._files:
            try:
                self._files[path] = read_source(os.path.join(self._cwd, path))
            except Unreadable:
                self._files[path] = None
        return self._files[path]

    def line(self, path: str, row: int) -> str | None:
        """One line of a file without its line end."""
        if path not in self._lines:
            source = self.get(path)
            self._lines[path] = source.text.split("\n") if source else []
        lines = self._lines[path]
        return lines[row - 1] if 1 <= row <= len(lines) else None

    def cell_position(self, path: str, row: int) -> tuple[int, int] | None:
        """`(cell number, row within it)` if the file is a notebook."""
        if not path.endswith(".ipynb"):
            return None
        source = self.get(path)
        return source.cell_position(row) if source else None
