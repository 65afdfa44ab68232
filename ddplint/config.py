"""Settings: command line over the nearest configuration file over defaults."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from ddplint.findings import SEVERITIES, Severity

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OUTPUT_FORMATS = ("text", "concise", "json")

PYPROJECT = "pyproject.toml"
DOTFILE = ".ddplint.yaml"


class ConfigError(Exception):
    """A configuration that cannot be used; the message is one line."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is asked for. `jobs` 0 means one process per core; `exclude` patterns count from `exclude_root`."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_root: Path | None = None
    fail_on: Severity = "warning"
    output_format: str = "text"
    jobs: int = 0
    cache: bool = True
    knowledge: tuple[Path, ...] = ()
    source: Path | None = None


# what a configuration file may say; the other fields follow from where the file is
_DERIVED = ("exclude_root", "source")
_KEYS = {field.name.replace("_", "-"): field.name for field in fields(Settings) if field.name not in _DERIVED}
_LISTS = frozenset({"select", "ignore", "extend-select", "exclude", "knowledge"})
_CHOICES: Mapping[str, tuple[str, ...]] = {"fail-on": SEVERITIES, "output-format": OUTPUT_FORMATS}


def load_settings(start: Path, config: Path | None = None, isolated: bool = False) -> Settings:
    """Settings from `config`, else from the nearest configuration file at or above the folder `start`."""
    if config is not None:
        if not config.is_file():
            raise ConfigError(f"no such configuration file: {config}")
        return _settings(config, _explicit(config))
    if isolated:
        return Settings()
    for folder in (start, *start.parents):
        found = _in_folder(folder)
        if found is not None:
            return found
    return Settings()


def override(settings: Settings, **given: Any) -> Settings:
    """`settings` with those of the command line's values that were given (not None, not empty)."""
    return replace(settings, **{name: value for name, value in given.items() if value is not None and value != ()})


def _in_folder(folder: Path) -> Settings | None:
    pyproject, dotfile = folder / PYPROJECT, folder / DOTFILE
    table = None
    if pyproject.is_file():
        table = _table(pyproject, _toml(pyproject))
    if not dotfile.is_file():
        return None if table is None else _settings(pyproject, table)
    if table is not None:
        raise ConfigError(f"two configurations in one folder: {pyproject} [tool.ddplint] and {dotfile}; keep one")
    return _settings(dotfile, _yaml(dotfile))


def _explicit(path: Path) -> Any:
    if path.suffix != ".toml":
        return _yaml(path)
    content = _toml(path)
    table = _table(path, content)
    if table is None and path.name == PYPROJECT:
        raise ConfigError(f"{path}: no table [tool.ddplint]")
    return content if table is None else table


def _table(path: Path, content: dict[str, Any]) -> Any:
    tool = content.get("tool", {})
    if not isinstance(tool, dict):
        raise ConfigError(f"{path}: `tool` must be a table")
    return tool.get("ddplint")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: broken TOML: {_one_line(error)}") from None
    except RecursionError:
        raise ConfigError(f"{path}: broken TOML: nested too deeply") from None


def _yaml(path: Path) -> Any:
    try:
        content = yaml.safe_load(_read(path))
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: broken YAML: {_one_line(error)}") from None
    except RecursionError:
        raise ConfigError(f"{path}: broken YAML: nested too deeply") from None
    return {} if content is None else content


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _settings(path: Path, content: Any) -> Settings:
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, found {_type_name(content)}")
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, 1)
            hint = f"; did you mean `{close[0]}`?" if close else f"; known keys: {', '.join(_KEYS)}"
            raise ConfigError(f"{path}: unknown key `{key}`{hint}")
        values[_KEYS[key]] = _value(path, key, value)
    folder = path.absolute().parent
    if "knowledge" in values:
        values["knowledge"] = tuple(folder / name for name in values["knowledge"])
        for file in values["knowledge"]:
            if not file.is_file():
                raise ConfigError(f"{path}: knowledge file not found: {file}")
    return Settings(**values, exclude_root=folder, source=path)


def _value(path: Path, key: str, value: Any) -> Any:
    if key in _LISTS:
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise ConfigError(f"{path}: `{key}` must be a list of strings, not {_type_name(value)}")
        return tuple(item.strip() for item in value)
    if key in _CHOICES:
        if value not in _CHOICES[key]:
            raise ConfigError(f"{path}: `{key}` must be one of {', '.join(_CHOICES[key])}, not {_shown(value)}")
        return value
    if key == "jobs":
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ConfigError(f"{path}: `jobs` must be a whole number, 0 for one process per core, not {_shown(value)}")
        return value
    if not isinstance(value, bool):
        raise ConfigError(f"{path}: `{key}` must be true or false, not {_shown(value)}")
    return value


def _type_name(value: Any) -> str:
    if isinstance(value, list):
        wrong = next((item for item in value if not (isinstance(item, str) and item.strip())), None)
        return f"a list with {_shown(wrong)}"
    names = {dict: "a table", str: "a string", int: "a number", float: "a number", bool: "true or false"}
    return names.get(type(value), type(value).__name__)


def _shown(value: Any) -> str:
    text = repr(value)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
