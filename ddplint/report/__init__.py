"""Findings as people and programs read them."""

from __future__ import annotations

from ddplint.report.concise import render_concise
from ddplint.report.formats import FORMATS, Format
from ddplint.report.json import render_json, render_json_lines
from ddplint.report.model import Report
from ddplint.report.statistics import render_statistics
from ddplint.report.summary import render_summary
from ddplint.report.text import render_text

__all__ = [
    "FORMATS",
    "Format",
    "Report",
    "render_concise",
    "render_json",
    "render_json_lines",
    "render_statistics",
    "render_summary",
    "render_text",
]
