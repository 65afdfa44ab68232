"""Findings as people and programs read them: text, concise, JSON, statistics."""

from __future__ import annotations

from ddplint.report.concise import render_concise
from ddplint.report.json import render_json
from ddplint.report.statistics import render_statistics
from ddplint.report.summary import render_summary
from ddplint.report.text import render_text

__all__ = ["render_concise", "render_json", "render_statistics", "render_summary", "render_text"]
