"""One file: bytes to text."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import stat
import tokenize
from dataclasses import dataclass
from typing import Literal

from ddplint.notebook import NOTEBOOK_SUFFIX, Cell, NotANotebook, plain, read_notebook

SIZE_LIMIT = 5_000_000
# most of a notebook is pictures
NOTEBOOK_SIZE_LIMIT = 50_000_000

# a string in triple quotes, or something in which such quotes mean nothing
_STRINGS = re.compile(
    r"""(?P<quote>\"{3}|'{3})(?:[^"'\\]+|\\.|(?!(?P=quote))["'])*(?:(?P=quote)|\Z)"""
    r"""|\#[^\n]*|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?""",
    re.DOTALL,
)


class Unreadable(Exception):
    """A file that cannot be read as Python source; `reason` is one short phrase."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


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


def content_hash(data: bytes) -> str:
    """The name of a file's content in caches."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def limited(path: str, data: bytes) -> bytes:
    """The bytes; raises Unreadable if they are too many for a file of that name."""
    _check_size(path, len(data), None)
    return data


def _check_size(path: str, size: int, limit: int | None) -> None:
    if limit is None:
        limit = NOTEBOOK_SIZE_LIMIT if path.endswith(NOTEBOOK_SUFFIX) else SIZE_LIMIT
    if size > limit:
        raise Unreadable(path, f"larger than {limit / 1_000_000:g} MB")


def read_bytes(path: str, limit: int | None = None) -> bytes:
    """The bytes of a regular file no larger than `limit` (default: what is sensible for its kind)."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise Unreadable(path, "is a directory")
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(path, "not a regular file")
        _check_size(path, status.st_size, limit)
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Unreadable(path, "not found") from None
    except PermissionError:
        raise Unreadable(path, "permission denied") from None
    except (OSError, ValueError) as error:
        raise Unreadable(path, getattr(error, "strerror", None) or str(error)) from None


def read_source(path: str, limit: int | None = None) -> SourceFile:
    """Read one Python file or notebook; raises Unreadable."""
    return parse_source(path, read_bytes(path, limit))


def parse_source(path: str, data: bytes) -> SourceFile:
    """Decode the bytes of one Python file or notebook; raises Unreadable."""
    if b"\x00" in data:
        raise Unreadable(path, "binary (contains NUL bytes)")
    bom = data.startswith(codecs.BOM_UTF8)
    notebook = path.endswith(NOTEBOOK_SUFFIX)
    encoding = "utf-8" if notebook else _encoding(path, data)
    try:
        text = data[len(codecs.BOM_UTF8) if bom else 0 :].decode(encoding)
    except (UnicodeError, LookupError, ValueError):
        raise Unreadable(path, f"not decodable as {encoding}") from None
    newline = _newline(text)
    text = plain(text)
    cells: tuple[Cell, ...] = ()
    if notebook:
        try:
            text, cells = read_notebook(text)
        except NotANotebook as trouble:
            raise Unreadable(path, str(trouble)) from None
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


def _long_strings(text: str) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    row, seen = 1, 0
    for match in _STRINGS.finditer(text):
        if "\n" not in match[0]:
            continue
        row += text.count("\n", seen, match.start())
        seen = match.start()
        column = seen - (text.rfind("\n", 0, seen) + 1)
        for number, part in enumerate(match[0].split("\n")):
            found.setdefault(row + number, []).append((column, column + len(part)))
            column = 0
    return found


class Sources:
    """Files read once each, by display path, for those who show or judge findings."""

    def __init__(self, cwd: str | None = None) -> None:
        self._cwd = cwd or os.getcwd()
        self._files: dict[str, SourceFile | None] = {}
        self._lines: dict[str, list[str]] = {}
        self._strings: dict[str, dict[int, list[tuple[int, int]]]] = {}

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

    def long_strings(self, path: str) -> dict[int, list[tuple[int, int]]]:
        """By row, the offsets of what belongs to strings that reach over several rows."""
        if path not in self._strings:
            source = self.get(path)
            self._strings[path] = _long_strings(source.text) if source else {}
        return self._strings[path]

    def cell_position(self, path: str, row: int) -> tuple[int, int] | None:
        """`(cell number, row within it)` if the file is a notebook."""
        if not path.endswith(NOTEBOOK_SUFFIX):
            return None
        source = self.get(path)
        return source.cell_position(row) if source else None
