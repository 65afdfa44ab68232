"""Finds bugs in PyTorch training programs that make a run hang, learn nothing or report wrong numbers."""

from __future__ import annotations

__version__ = "0.1.0"
