"""What servers recognise a finding by from commit to commit: what a baseline says of it, so never its row."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from ddplint.baseline.entries import Baseline
from ddplint.baseline.matching import Describer
from ddplint.report.model import Report


def fingerprints(report: Report) -> list[str]:
    """One per finding, of path, rule, enclosing function or class, and statement; order tells equal ones apart."""
    describer = Describer(Baseline(Path(report.root, "baseline")), report.result.sources)
    seen: Counter[tuple[str, ...]] = Counter()
    made: list[str] = []
    for finding in report.result.findings:
        entry = describer.entry(finding)
        key = (report.path(finding.span.path), entry.rule, entry.scope, entry.hash)
        text = "\0".join((*key, str(seen[key])))
        made.append(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40])
        seen[key] += 1
    return made
