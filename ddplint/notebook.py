"""Notebooks: the code cells of a file's JSON text as one Python program, and where in that text they stand."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

NOTEBOOK_SUFFIX = ".ipynb"

_MAGIC = re.compile(r"\s*(?:[%!?]|[\w.]+\?{1,2}\s*$)")
# magics that IPython also takes without their %, as long as the line is no Python
_AUTOMAGIC = re.compile(r"\s*(?:cat|cd|conda|cp|ls|mkdir|mv|pip|pwd|rm)(?:\s|$)")
_MAGIC_ASSIGNMENT = re.compile(r"(?P<target>\s*[\w.,\s]+?=\s*)[%!](?!=)")
# what IPython itself would call there: its value is unknown
_MAGIC_VALUE = "get_ipython()"
# cell magics whose body is Python
_PYTHON_CELLS = {"capture", "prun", "time", "timeit"}
_SCAN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*|\\\n|[(\[{]|[)\]}]|\n', re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")


class NotANotebook(ValueError):
    """A text that cannot be read as a Python notebook; the message is one short phrase."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell of a notebook: its number among the code cells, and the rows of the joined text that hold it.

    `magics` are the first and last rows of what only IPython reads; other text stands there in the joined text.
    """

    number: int
    first_row: int
    last_row: int
    magics: tuple[tuple[int, int], ...] = ()


def plain(text: str) -> str:
    r"""The text with every line end as `\n`."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_notebook(text: str) -> tuple[str, tuple[Cell, ...]]:
    """The code cells joined to one program, and where each is in it; raises NotANotebook."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise NotANotebook("not a notebook (broken JSON)") from None
    if not isinstance(content, dict):
        raise NotANotebook("not a notebook")
    metadata = _mapping(content.get("metadata"))
    language_info, kernel = _mapping(metadata.get("language_info")), _mapping(metadata.get("kernelspec"))
    language = language_info.get("name") or kernel.get("language")
    if isinstance(language, str) and not language.lower().startswith(("python", "ipython")):
        raise NotANotebook(f"a notebook in {language[:40]}")
    sheets = content.get("worksheets")
    entries = content.get("cells")
    if entries is None and isinstance(sheets, list) and sheets:
        entries = _mapping(sheets[0]).get("cells")
    if not isinstance(entries, list):
        raise NotANotebook("not a notebook (no cells)")
    lines: list[str] = []
    cells: list[Cell] = []
    for entry in map(_mapping, entries):
        if entry.get("cell_type") != "code":
            continue
        body, magics = _python_cell(plain(joined_source(entry.get("source", entry.get("input")))).split("\n"))
        above = len(lines)
        places = tuple((above + first, above + last) for first, last in magics)
        cells.append(Cell(len(cells) + 1, above + 1, above + len(body), places))
        lines += body
    return "".join(f"{line}\n" for line in lines), tuple(cells)


def joined_source(source: object) -> str:
    """A cell's source, a string or a list of strings, as one string."""
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def locate_sources(text: str) -> list[tuple[int, int] | None]:
    """Where in a notebook's JSON text the `source` of each code cell begins and ends, in the order of `read_notebook`.

    None for a code cell that has none. The text must be one that `read_notebook` reads.
    """
    whole = dict(_members(text, _skip(text, 0)))
    if "cells" in whole and _value(text, whole["cells"]) is not None:
        cells = whole["cells"]
    else:
        cells = dict(_members(text, next(list_items(text, whole["worksheets"][0]))[0]))["cells"]
    found: list[tuple[int, int] | None] = []
    for start, _ in list_items(text, cells[0]):
        if text[start] == "{":
            cell = dict(_members(text, start))
            if "cell_type" in cell and _value(text, cell["cell_type"]) == "code":
                found.append(cell.get("source", cell.get("input")))
    return found


def _value(text: str, place: tuple[int, int]) -> Any:
    return json.loads(text[place[0] : place[1]])


def _members(text: str, start: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each key of the JSON object that begins at `start`, with the offsets of its value."""
    decode = json.JSONDecoder().raw_decode
    position = _skip(text, start + 1)
    while text[position] != "}":
        key, position = decode(text, position)
        value = _skip(text, _skip(text, position) + 1)
        _, end = decode(text, value)
        yield key, (value, end)
        position = _next(text, end)


def list_items(text: str, start: int) -> Iterator[tuple[int, int]]:
    """The offsets of the values in the JSON list that begins at `start`."""
    decode = json.JSONDecoder().raw_decode
    position = _skip(text, start + 1)
    while text[position] != "]":
        _, end = decode(text, position)
        yield position, end
        position = _next(text, end)


def _next(text: str, end: int) -> int:
    position = _skip(text, end)
    return _skip(text, position + 1) if text[position] == "," else position


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _python_cell(lines: list[str]) -> tuple[list[str], list[tuple[int, int]]]:
    """A cell with the lines that only IPython knows replaced, and those lines' first and last rows, from 1."""
    text = "\n".join(lines)
    first = text.lstrip().partition("\n")[0]
    if first.startswith("%%"):
        if "".join(first[2:].split()[:1]) not in _PYTHON_CELLS:
            return ["pass"] * len(lines), [(1, len(lines))]
    elif _parses(text):
        return lines, []
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    made: list[str] = []
    magics: list[tuple[int, int]] = []
    while len(made) < len(lines):
        row = len(made)
        assignment = _MAGIC_ASSIGNMENT.match(lines[row])
        automagic = _AUTOMAGIC.match(lines[row]) and not _parses(lines[row].strip())
        if not assignment and not automagic and not _MAGIC.match(lines[row]):
            made += lines[row : row + _logical_height(text, starts[row])]
            continue
        height = 1
        while lines[row + height - 1].endswith("\\") and row + height < len(lines):
            height += 1
        indent = lines[row][: len(lines[row]) - len(lines[row].lstrip())]
        made += [f"{assignment['target']}{_MAGIC_VALUE}" if assignment else f"{indent}pass", *[""] * (height - 1)]
        magics.append((row + 1, row + height))
    return made, magics


def _parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _logical_height(text: str, position: int) -> int:
    """Rows of the logical line that starts at `position`."""
    start = position
    depth = 0
    while match := _SCAN.search(text, position):
        token, position = match[0], match.end()
        if token in ('"""', "'''"):
            end = text.find(token, position)
            if end < 0:
                break
            position = end + 3
        elif token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        elif token == "\n" and depth <= 0:
            return text.count("\n", start, position)
    return text.count("\n", start) + 1
