"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The configuration of whoever runs the tests does not count in them."""
    folder = tmp_path_factory.mktemp("user") / "ddplint"
    with (
        mock.patch.dict("os.environ", {"DDPLINT_RULE_PATHS": ""}),
        mock.patch("ddplint.config.user.user_file", lambda: Path(folder) / "ddplint.toml"),
    ):
        yield
