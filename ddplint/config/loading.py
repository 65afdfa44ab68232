"""Configuration files: found, read, checked, and put over the files that they extend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddplint.config.kinds import ConfigError, Unfit
from ddplint.config.settings import EXTEND, FILE, Layer, Settings, combine
from ddplint.config.toml import read_text, read_toml
from ddplint.config.user import USERS_KEYS, not_for_projects

if TYPE_CHECKING:
    from ddplint.config.lines import Document

PYPROJECT = "pyproject.toml"
DOTFILE = ".ddplint.yaml"


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file says. TOML comes without lines."""

    path: Path
    data: Any
    document: Document | None = None

    def place(self, trouble: Unfit) -> str:
        return f"{self.path}:{self.document.line(trouble.place)}" if self.document else str(self.path)


def load_settings(start: Path, config: Path | None = None, isolated: bool = False) -> Settings:
    """Settings from `config`, else from the nearest configuration file at or above the folder `start`.

    Raises ConfigError with one line that names the file.
    """
    if config is not None:
        if not config.is_file():
            raise ConfigError(f"no such configuration file: {config}")
        return _settings(_explicit(config))
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
        table = _table(pyproject, read_toml(pyproject))
    if not dotfile.is_file():
        return None if table is None else _settings(_Content(pyproject, table))
    if table is not None:
        raise ConfigError(f"two configurations in one folder: {pyproject} [tool.ddplint] and {dotfile}; keep one")
    return _settings(_yaml(dotfile))


def _settings(content: _Content) -> Settings:
    return combine(_layers(content, (content.path.resolve(),)), content.path)


def _layers(content: _Content, chain: tuple[Path, ...]) -> tuple[Layer, ...]:
    """The file's layer over those of what it extends; `chain` are the files that led here, itself the last."""
    path = content.path
    for key in USERS_KEYS:
        if isinstance(content.data, dict) and key in content.data:
            place = content.place(Unfit("", (), key))
            raise ConfigError(f"{place}: {not_for_projects(key)}")
    try:
        values = FILE.read(content.data, path.absolute().parent)
    except Unfit as trouble:
        raise ConfigError(f"{content.place(trouble)}: {trouble}") from None
    extended = values.pop(EXTEND, None)
    layer = Layer(path, values)
    if extended is None:
        return (layer,)
    real = extended.resolve()
    if real in chain:
        circle = " -> ".join(str(one) for one in (*chain[chain.index(real) :], real))
        raise ConfigError(f"{path}: `{EXTEND}` goes in a circle: {circle}")
    return (*_layers(_explicit(extended), (*chain, real)), layer)


def _explicit(path: Path) -> _Content:
    if path.suffix != ".toml":
        return _yaml(path)
    content = read_toml(path)
    table = _table(path, content)
    if table is None and path.name == PYPROJECT:
        raise ConfigError(f"{path}: no table [tool.ddplint]")
    return _Content(path, content if table is None else table)


def _table(path: Path, content: dict[str, Any]) -> Any:
    tool = content.get("tool", {})
    if not isinstance(tool, dict):
        raise ConfigError(f"{path}: `tool` must be a table")
    return tool.get("ddplint")


def _yaml(path: Path) -> _Content:
    # most configurations are TOML
    from ddplint.config.lines import BrokenYaml, parse_yaml

    try:
        document = parse_yaml(read_text(path))
    except BrokenYaml as error:
        raise ConfigError(f"{path}{f':{error.line}' if error.line else ''}: {error}") from None
    return _Content(path, document.data, document)
