"""Suppression comments that are unused, misspelt or blanket: reported, removed; and those that are written in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_core import FakeCore, installed

from ddplint.cli import main


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def found(self) -> list[tuple[str, int, int, str]]:
        return [
            (item["code"], item["location"]["row"], item["location"]["column"], item["message"])
            for item in json.loads(self.out)
        ]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DDPLINT_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.fixture(autouse=True)
def core() -> Iterator[FakeCore]:
    with installed() as fake:
        yield fake


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    def call(*arguments: str) -> Ran:
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    yield call


@pytest.fixture
def flaws(run):  # type: ignore[no-untyped-def]
    """What is reported of the comments of one text: code, row, column, message."""

    def call(text: str, *arguments: str) -> list[tuple[str, int, int, str]]:
        Path("a.py").write_text(text)
        found = run("check", "--report-unused-ignores", "--output-format", "json", *arguments).found
        return [item for item in found if item[0].startswith("DDP0")]

    return call


FLAWS = [
    pytest.param("x = 1  # noqa: DDP203\n", "DDP001", 8, "unused: no finding of DDP203 here", id="unused noqa"),
    pytest.param(
        "x = 1  # ddplint: ignore[DDP203, rank0-evaluation]\n",
        "DDP001",
        8,
        "unused: no finding of DDP203, rank0-evaluation here",
        id="unused ignore",
    ),
    pytest.param(
        "BUG203(1)  # noqa: E501, DDP101, DDP203\n", "DDP001", 12, "unused: no finding of DDP101 here", id="one of two"
    ),
    pytest.param(
        "x = 1  # ddplint: ignore[DDP2]\n", "DDP001", 8, "unused: no finding of DDP2 here", id="unused prefix"
    ),
    pytest.param("x = 1  # ddplint: ignore\n", "DDP001", 8, "unused: no finding here", id="unused blanket"),
    pytest.param(
        "# ddplint: ignore-file[DDP203]\nx = 1\n",
        "DDP001",
        1,
        "unused: no finding of DDP203 in this file",
        id="unused file",
    ),
    pytest.param("# ddplint: ignore-file\nx = 1\n", "DDP001", 1, "unused: no finding in this file", id="blanket file"),
    pytest.param(
        "BUG203(1)  # noqa: DDP230\n",
        "DDP002",
        20,
        "unknown rule `DDP230`; did you mean DDP203?",
        id="unknown code",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore[sigmoid-befor-bce]\n",
        "DDP002",
        30,
        "unknown rule `sigmoid-befor-bce`; did you mean sigmoid-before-bce?",
        id="unknown name",
    ),
    pytest.param(
        "BUG203(1)  # noqa DDP203\n",
        "DDP002",
        12,
        "it names no rule and silences all of them; write `# noqa: DDP203`",
        id="no colon",
    ),
    pytest.param(
        "BUG203(1)  # noqa: sigmoid-before-bce\n",
        "DDP002",
        12,
        "it names no rule and silences all of them; write `# noqa: DDP203`",
        id="name after noqa",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignroe[DDP203] -- why\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="misspelt ignore",
    ),
    pytest.param(
        "BUG203(1)  # ddlint: ignore[sigmoid-before-bce]\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="misspelt ddplint",
    ),
    pytest.param(
        "BUG203(1)  # ddplint-ignore[DDP203]\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="hyphen for colon",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore DDP203\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="no brackets",
    ),
    pytest.param(
        "# ddplint: ignore-fil[DDP203]\nBUG203(1)\n",
        "DDP002",
        1,
        "it silences nothing; write `# ddplint: ignore-file[DDP203]`",
        id="misspelt ignore-file",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: disable\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[CODE]`",
        id="another word",
    ),
    pytest.param(
        "BUG203(1)  # nqoa: DDP203\n", "DDP002", 12, "it silences nothing; write `# noqa: DDP203`", id="misspelt noqa"
    ),
    pytest.param(
        "BUG203(1)  # type: ignore[DDP203]\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="for another tool",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore[]\n", "DDP002", 12, "it names no rule and silences nothing", id="empty brackets"
    ),
    pytest.param(
        "# noqa: DDP203\nBUG203(1)\n",
        "DDP002",
        1,
        "it covers nothing; `noqa` must stand at the end of the line that it is for",
        id="noqa above",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore-file[DDP203]\n",
        "DDP002",
        12,
        "it covers nothing; `ignore-file` must stand on a line of its own",
        id="file beside code",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore-file\n",
        "DDP002",
        12,
        "it covers nothing; `ignore-file` must stand on a line of its own",
        id="blanket file beside code",
    ),
    pytest.param(
        "BUG203(1)\n# ddplint: ignore[DDP203]\n",
        "DDP002",
        1,
        "it covers nothing; no statement follows",
        id="at the end",
    ),
    pytest.param(
        "BUG203(BUG101)  # noqa\n",
        "DDP003",
        17,
        "it silences every rule; name what is meant: `# noqa: DDP101, DDP203`",
        id="blanket noqa",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore -- why\n",
        "DDP003",
        12,
        "it silences every rule; name what is meant: `# ddplint: ignore[DDP203]`",
        id="blanket ignore",
    ),
    pytest.param(
        "# ddplint: ignore-file\nBUG203(1)\n",
        "DDP003",
        1,
        "it silences every rule; name what is meant: `# ddplint: ignore-file[DDP203]`",
        id="blanket file in use",
    ),
]


@pytest.mark.parametrize(("text", "code", "column", "message"), FLAWS)
def test_flaws(flaws, text: str, code: str, column: int, message: str) -> None:  # type: ignore[no-untyped-def]
    assert [(item[0], item[2], item[3]) for item in flaws(text)] == [(code, column, message)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("BUG203(1)  # noqa: DDP203\n", id="used"),
        pytest.param("BUG203(1)  # noqa: DDP2, E501 -- why\n", id="used prefix, and a code of another tool"),
        pytest.param("x = 1  # noqa\n", id="bare noqa may be another tool's"),
        pytest.param("x = 1  # noqa: E501, F401\n", id="codes of other tools"),
        pytest.param("x = 1  # noqa E501\n", id="misspelt for other tools"),
        pytest.param("BUG203(1)  # noqa: DDP203  # ddplint: ignore[DDP203]\n", id="two for one finding"),
        pytest.param("# ddplint: ignore[DDP203]\nBUG203(\n  1,\n)\n", id="above"),
        pytest.param("# ddplint: ignore-file[DDP203]\nx = 1\nBUG203(1)\n", id="file"),
        pytest.param("x = 1  # see DDP203 and ddplint ignores\n", id="prose"),
        pytest.param("x = 1  # expect: DDP203 warning\n", id="a word before a colon"),
        pytest.param("x = 1  # type: ignore[arg-type]  # ruff: ignore[F401]\n", id="other tools"),
        pytest.param("x = '# ddplint: ignroe[DDP203]'\n", id="string"),
    ],
)
def test_nothing_wrong(flaws, text: str) -> None:  # type: ignore[no-untyped-def]
    assert flaws(text) == []


def test_only_rules_that_ran_are_judged(run, flaws) -> None:  # type: ignore[no-untyped-def]
    text = "x = 1  # noqa: DDP203\ny = 1  # ddplint: ignore\nz = 1  # ddplint: ignore[DDP2]\nBUG203(1)  # noqa: DDP2\n"
    assert [row for _, row, _, _ in flaws(text)] == [1, 2, 3]
    assert flaws(text, "--select", "DDP101") == []
    assert [row for _, row, _, _ in flaws(text, "--select", "DDP203")] == [1]
    assert flaws(text + "w = 1  # CRASH\n") == []


def test_rule_left_out_in_a_file_is_not_unused(flaws) -> None:  # type: ignore[no-untyped-def]
    Path("pyproject.toml").write_text('[tool.ddplint.per-file-ignores]\n"a.py" = ["DDP203"]\n')
    assert flaws("BUG203(1)  # noqa: DDP203\n") == []


def test_exit_code_and_reports(run) -> None:  # type: ignore[no-untyped-def]
    Path("a.py").write_text("x = 1  # noqa: DDP203\n")
    assert run("check").code == 0
    done = run("check", "--report-unused-ignores")
    assert done.code == 1
    assert "a.py:1:8: warning DDP001 unused-ignore: unused: no finding of DDP203 here\n" in done.out
    assert "no fix: `ddplint fix --remove-unused-ignores` removes it\n" in done.out
    assert run("check", "--report-unused-ignores", "--fail-on", "error").code == 0
    Path("pyproject.toml").write_text("[tool.ddplint]\nreport-unused-ignores = true\n")
    assert run("check").code == 1
    for name in ("concise", "json", "json-lines", "sarif", "github", "gitlab", "junit"):
        assert "DDP001" in run("check", "--output-format", name).out, name


def test_given_files_only(run) -> None:  # type: ignore[no-untyped-def]
    for name in ("a.py", "b.py"):
        Path(name).write_text("x = 1  # noqa: DDP203\n")
    done = run("check", "--report-unused-ignores", "--output-format", "json", "a.py")
    assert [item["filename"] for item in json.loads(done.out)] == ["a.py"]


def test_explained(run) -> None:  # type: ignore[no-untyped-def]
    for name in ("DDP001", "misspelt-ignore", "ddp003"):
        done = run("explain", name)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("# DDP00")
