"""What only the user may say, never the configuration of a project: which code runs as rules."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ddplint.config.kinds import ConfigError, File, Flag, List, Record, Unfit
from ddplint.config.toml import read_toml

ENVIRONMENT = "DDPLINT_RULE_PATHS"

# the user's file
USER_FILE = Record(
    {"rule-paths": List(File()), "plugins": Flag()},
    help={
        "rule-paths": "Folders and files with rules, relative to this file; `~` is the home folder.",
        "plugins": "Whether the rules of installed packages are used; true without it.",
    },
    empty=True,
)
USERS_KEYS = tuple(USER_FILE.fields)


@dataclass(frozen=True, slots=True)
class UserSettings:
    """Where further rules are, and whether those of installed packages are used."""

    rule_paths: tuple[Path, ...] = ()
    plugins: bool = True


def user_file() -> Path:
    """The user's own configuration file."""
    return Path(platformdirs.user_config_dir("ddplint", appauthor=False)) / "ddplint.toml"


def not_for_projects(key: str) -> str:
    """Why a key of the user's file does not count in that of a project."""
    return (
        f"`{key}` only counts in your own file {user_file()}: rules are code that runs, and what a project says "
        "must not run any; on the command line it is --rule-path and --no-plugins"
    )


def load_user_settings(environment: Mapping[str, str] = os.environ) -> UserSettings:
    """The user's file, and the paths in $DDPLINT_RULE_PATHS. Raises ConfigError."""
    path = user_file()
    settings = UserSettings()
    if path.is_file():
        content = read_toml(path)
        try:
            values = USER_FILE.read(_with_home(content), path.parent)
        except Unfit as trouble:
            raise ConfigError(f"{path}: {trouble}") from None
        settings = UserSettings(values.get("rule-paths", ()), values.get("plugins", True))
    named = [Path(text) for text in environment.get(ENVIRONMENT, "").split(os.pathsep) if text]
    for one in named:
        if not one.is_absolute():
            # else the folder that ddplint happens to run in would choose the rules
            raise ConfigError(f"${ENVIRONMENT}: must be absolute paths, not `{one}`")
    return UserSettings((*settings.rule_paths, *named), settings.plugins)


def _with_home(content: dict[str, object]) -> dict[str, object]:
    paths = content.get("rule-paths")
    if not isinstance(paths, list):
        return content
    expanded = [os.path.expanduser(one) if isinstance(one, str) else one for one in paths]
    return {**content, "rule-paths": expanded}
