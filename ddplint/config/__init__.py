"""Settings: command line over the nearest configuration file over defaults. `settings.py` has the table of all keys."""

from __future__ import annotations

from ddplint.config.kinds import ConfigError
from ddplint.config.loading import load_settings
from ddplint.config.settings import OUTPUT_FORMATS, Settings, override

__all__ = ["OUTPUT_FORMATS", "ConfigError", "Settings", "load_settings", "override"]
