"""Configuration files: found, read, checked, and put over the files that they extend."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any

import yaml

from ddplint.config.kinds import ConfigError, Unfit, type_name
from ddplint.config.settings import EXTEND, EXTEND_KIND, KEYS, Layer, Settings, combine

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = "pyproject.toml"
DOTFILE = ".ddplint.yaml"


def load_settings(start: Path, config: Path | None = None, isolated: bool = False) -> Settings:
    """Settings from `config`, else from the nearest configuration file at or above the folder `start`.

    Raises ConfigError with one line that names the file.
    """
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


def _settings(path: Path, content: Any) -> Settings:
    return combine(_layers(path, content, (_real(path),)), path)


def _layers(path: Path, content: Any, chain: tuple[Path, ...]) -> tuple[Layer, ...]:
    """The file's layer over those of what it extends; `chain` are the files that led here, itself the last."""
    layer, extended = _layer(path, content)
    if extended is None:
        return (layer,)
    real = _real(extended)
    if real in chain:
        circle = " -> ".join(str(one) for one in (*chain[chain.index(real) :], real))
        raise ConfigError(f"{path}: `{EXTEND}` goes in a circle: {circle}")
    return (*_layers(extended, _explicit(extended), (*chain, real)), layer)


def _layer(path: Path, content: Any) -> tuple[Layer, Path | None]:
    """What the file itself says, and which file it extends."""
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type_name(content)}")
    folder = path.absolute().parent
    values: dict[str, Any] = {}
    extended = None
    for name, value in content.items():
        try:
            if name == EXTEND:
                extended = EXTEND_KIND.read(value, folder)
            elif name in KEYS:
                values[name] = KEYS[name].kind.read(value, folder)
            else:
                raise ConfigError(f"unknown key `{name}`{_hint(str(name))}")
        except Unfit as unfit:
            where = ".".join((name, *unfit.at))
            raise ConfigError(f"{path}: `{where}` must be {unfit.expected}, not {unfit.found}") from None
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None
    return Layer(path, values), extended


def _hint(name: str) -> str:
    known = [*KEYS, EXTEND]
    close = difflib.get_close_matches(name.replace("_", "-"), known, 1)
    return f"; did you mean `{close[0]}`?" if close else f"; known keys: {', '.join(known)}"


def _real(path: Path) -> Path:
    return path.resolve()


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
