from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddplint.source import SourceFile, Sources, Unreadable, parse_source, read_source


def reason(data: bytes, path: str = "x.py") -> str:
    with pytest.raises(Unreadable) as caught:
        parse_source(path, data)
    return caught.value.reason


@pytest.mark.parametrize(
    ("data", "text", "encoding", "bom", "newline"),
    [
        pytest.param(b"x = 1\n", "x = 1\n", "utf-8", False, "\n", id="plain"),
        pytest.param(b"", "", "utf-8", False, "\n", id="empty"),
        pytest.param(b"\xef\xbb\xbfx = 1\r\n", "x = 1\n", "utf-8", True, "\r\n", id="BOM and Windows lines"),
        pytest.param(b"x\ry\r", "x\ny\n", "utf-8", False, "\r", id="old Mac lines"),
        pytest.param(b"x\r\ny\nz\n", "x\ny\nz\n", "utf-8", False, "mixed", id="mixed lines"),
        pytest.param(b"# -*- coding: latin-1 -*-\ns = '\xe9'\n", None, "iso-8859-1", False, "\n", id="cookie"),
        pytest.param(b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\ns = '\x80'\n", None, "cp1252", False, "\n",
                     id="cookie in the second line"),
        pytest.param("# coding: gbk\ns = '数据'\n".encode("gbk"), None, "gbk", False, "\n", id="gbk"),
        pytest.param("s = 'é数'\n".encode(), "s = 'é数'\n", "utf-8", False, "\n", id="utf-8"),
    ],
)  # fmt: skip
def test_text_and_form(data: bytes, text: str | None, encoding: str, bom: bool, newline: str) -> None:
    source = parse_source("x.py", data)
    assert source.text == (data.decode(encoding) if text is None else text)
    assert (source.encoding, source.bom, source.newline) == (encoding, bom, newline)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"\x7fELF\x00\x00", "binary (contains NUL bytes)", id="binary"),
        pytest.param("x = 1\n".encode("utf-16"), "binary (contains NUL bytes)", id="utf-16"),
        pytest.param(b"s = '\xe9'\n", "not decodable as utf-8", id="latin-1 without cookie"),
        pytest.param(b"x = 1\n" * 2000 + b"'\xe9'\n", "not decodable as utf-8", id="bad byte far below"),
        pytest.param(b"# coding: klingon\n", "unknown encoding (unknown encoding: klingon)", id="unknown cookie"),
        pytest.param(b"# coding: rot13\nx\n", "not decodable as rot13", id="no text encoding"),
        pytest.param(b"\xef\xbb\xbf# coding: latin-1\n", "not decodable as utf-8", id="BOM against cookie"),
    ],
)
def test_undecodable(data: bytes, expected: str) -> None:
    assert reason(data) == expected


def test_unreadable_files(tmp_path: Path) -> None:
    def why(path: Path, **options: int) -> str:
        with pytest.raises(Unreadable) as caught:
            read_source(str(path), **options)
        return caught.value.reason

    (tmp_path / "big.py").write_text("x = 1\n" * 100)
    assert why(tmp_path / "absent.py") == "not found"
    assert why(tmp_path) == "is a directory"
    assert why(tmp_path / "big.py", limit=100) == "larger than 0.0001 MB"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.py")
        assert why(tmp_path / "pipe.py") == "not a regular file"
        (tmp_path / "loop.py").symlink_to("loop.py")
        assert "symbolic links" in why(tmp_path / "loop.py")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.touch()
    path.chmod(0)
    with pytest.raises(Unreadable, match="permission denied"):
        read_source(str(path))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for path in ("x.py", "x.ipynb"):
        try:
            source = parse_source(path, data)
        except Unreadable as trouble:
            assert trouble.reason
        else:
            assert "\r" not in source.text


def test_sources(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("a\nb")
    sources = Sources(str(tmp_path))
    assert isinstance(sources.get("x.py"), SourceFile)
    assert (sources.line("x.py", 2), sources.line("x.py", 3), sources.line("y.py", 1)) == ("b", None, None)
