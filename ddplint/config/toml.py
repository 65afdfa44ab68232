"""Files of text and TOML, with errors of one line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ddplint.config.kinds import ConfigError

__all__ = ["read_text", "read_toml", "tomllib"]

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_text(path: Path) -> str:
    """A file in UTF-8. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """What a file says. Raises ConfigError."""
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: broken TOML: {_one_line(error)}") from None
    except RecursionError:
        raise ConfigError(f"{path}: broken TOML: nested too deeply") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
