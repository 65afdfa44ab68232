from __future__ import annotations

from pathlib import Path

import pytest
from fake_core import RULES

from ddplint.config import ConfigError, Settings, load_settings, override
from ddplint.selection import find_rule, select_rules


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def error(start: Path, config: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(start, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()


def test_all_keys_in_toml_and_yaml_alike(tmp_path: Path) -> None:
    write(tmp_path / "a/mine.yaml", "{}")
    write(tmp_path / "b/mine.yaml", "{}")
    write(
        tmp_path / "a/pyproject.toml",
        '[tool.ddplint]\nselect = ["DDP2"]\nignore = ["DDP203"]\nextend-select = ["DDP101"]\nexclude = ["third/"]\n'
        'fail-on = "error"\noutput-format = "json"\njobs = 3\ncache = false\nknowledge = ["mine.yaml"]\n',
    )
    write(
        tmp_path / "b/.ddplint.yaml",
        "select: [DDP2]\nignore: [DDP203]\nextend-select: [DDP101]\nexclude: [third/]\n"
        "fail-on: error\noutput-format: json\njobs: 3\ncache: false\nknowledge: [mine.yaml]\n",
    )
    for folder in ("a", "b"):
        settings = load_settings(tmp_path / folder)
        assert settings == Settings(
            select=("DDP2",), ignore=("DDP203",), extend_select=("DDP101",), exclude=("third/",),
            exclude_root=tmp_path / folder, fail_on="error", output_format="json", jobs=3, cache=False,
            knowledge=(tmp_path / folder / "mine.yaml",), source=settings.source,
        )  # fmt: skip


def test_nearest_configuration_wins_alone(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.ddplint]\njobs = 1\ncache = false\n")
    write(tmp_path / "p/.ddplint.yaml", "jobs: 2\n")
    write(tmp_path / "p/q/pyproject.toml", "[tool.black]\n")
    settings = load_settings(tmp_path / "p/q")
    assert (settings.jobs, settings.cache) == (2, True)


def test_command_line_wins(tmp_path: Path) -> None:
    settings = override(Settings(jobs=2, select=("DDP1",)), jobs=4, select=(), cache=None)
    assert settings == Settings(jobs=4, select=("DDP1",))


def test_isolated_and_explicit(tmp_path: Path) -> None:
    write(tmp_path / ".ddplint.yaml", "jobs: 2\n")
    assert load_settings(tmp_path, isolated=True) == Settings()
    assert load_settings(tmp_path, write(tmp_path / "c/own.toml", "jobs = 5\n")).jobs == 5
    assert load_settings(tmp_path, write(tmp_path / "c/own.yaml", "jobs: 6\n")).jobs == 6
    assert "no such configuration file" in error(tmp_path, tmp_path / "none.yaml")
    assert "no table [tool.ddplint]" in error(tmp_path, write(tmp_path / "c/pyproject.toml", "[tool.x]\n"))


def test_two_configurations_in_one_folder(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.ddplint]\n")
    write(tmp_path / ".ddplint.yaml", "")
    message = error(tmp_path)
    assert "pyproject.toml" in message
    assert ".ddplint.yaml" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("selekt: [DDP1]", "unknown key `selekt`; did you mean `select`?"),
        ("zzz: 1", "unknown key `zzz`; known keys: select, ignore"),
        ("fail_on: error", "did you mean `fail-on`?"),
        ("select: DDP1", "`select` must be a list of strings, not a string"),
        ("select: [1]", "`select` must be a list of strings, not a list with `1`"),
        ("fail-on: fatal", "`fail-on` must be one of note, warning, error, not `'fatal'`"),
        ("output-format: []", "`output-format` must be one of"),
        ("jobs: -1", "`jobs` must be a whole number"),
        ("jobs: true", "`jobs` must be a whole number"),
        ("cache: 1", "`cache` must be true or false, not `1`"),
        ("knowledge: [none.yaml]", "knowledge file not found"),
        ("- a", "expected keys and values, found a list"),
        ("a: [", "broken YAML"),
        ("a: !!python/object/apply:os.system ['true']", "broken YAML"),
        ("[" * 3000, "broken YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path / ".ddplint.yaml", text)
    message = error(tmp_path)
    assert expected in message
    assert str(path) in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tool.ddplint\n", "broken TOML"),
        ("tool = 1\n", "`tool` must be a table"),
        ("[tool]\nddplint = 3\n", "expected keys"),
    ],
)
def test_broken_toml(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path / "pyproject.toml", text)
    assert expected in error(tmp_path)


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / ".ddplint.yaml").write_bytes(b"select: ['\xe9']")
    assert "not UTF-8" in error(tmp_path)


@pytest.mark.parametrize(
    ("select", "ignore", "extend", "expected"),
    [
        pytest.param((), (), (), ["DDP101", "DDP203", "DDP204"], id="all by default"),
        pytest.param(("ALL",), (), (), ["DDP101", "DDP203", "DDP204"], id="all by name"),
        pytest.param(("DDP2",), (), (), ["DDP203", "DDP204"], id="prefix"),
        pytest.param(("ddp203",), (), (), ["DDP203"], id="code in lower case"),
        pytest.param(("sigmoid-before-bce",), (), (), ["DDP203"], id="name"),
        pytest.param((), ("DDP2",), (), ["DDP101"], id="ignored prefix"),
        pytest.param(("DDP203",), ("DDP2",), (), ["DDP203"], id="code over prefix"),
        pytest.param(("DDP2",), ("DDP2",), (), [], id="draw"),
        pytest.param(("DDP2",), (), ("DDP101",), ["DDP101", "DDP203", "DDP204"], id="extended"),
        pytest.param((), ("ALL",), ("DDP2",), ["DDP203", "DDP204"], id="all ignored but some"),
    ],
)
def test_selection(
    select: tuple[str, ...], ignore: tuple[str, ...], extend: tuple[str, ...], expected: list[str]
) -> None:
    assert [rule.code for rule in select_rules(RULES, select, ignore, extend)] == expected


@pytest.mark.parametrize("where", ["select", "ignore", "extend_select"])
def test_unknown_rule(where: str) -> None:
    with pytest.raises(ConfigError, match="unknown rule `sigmoid-bce`; did you mean sigmoid-before-bce"):
        select_rules(RULES, **{where: ("sigmoid-bce",)})
    with pytest.raises(ConfigError, match="unknown rule `E501`"):
        select_rules(RULES, **{where: ("E501",)})


def test_find_rule() -> None:
    assert find_rule(RULES, "ddp203") is find_rule(RULES, "Sigmoid-Before-BCE") is RULES[1]
    with pytest.raises(ConfigError):
        find_rule(RULES, "DDP2")
