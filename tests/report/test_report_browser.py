"""The HTML page in a real browser: nothing sticks out, the picture is there, the script runs under the policy."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from report_data import awkward_finding, make_finding, make_report

from ddplint.findings import RankEvent, Span
from ddplint.registry import discover
from ddplint.report.formats import FORMATS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")

FLAGS = [
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--hide-scrollbars",
]  # fmt: skip

PLACE = Span("train.py", 4, 9, 4, 31)
TWO = (
    RankEvent(1, "rank 0", "read", "reads shard 0 of N", PLACE, "#..."),
    RankEvent(1, "ranks 1 to N-1", "read", "each reads its own shard of N", PLACE, ".###"),
    RankEvent(2, "rank 0", "miss", "nothing brings the ranks' results together"),
    RankEvent(2, "ranks 1 to N-1", "miss", "nothing brings the ranks' results together"),
    RankEvent(3, "rank 0", "pass", "goes on alone", PLACE),
    RankEvent(3, "ranks 1 to N-1", "stop", "stay out: their part is dropped", PLACE),
    RankEvent(4, "rank 0", "result", "reports a number with_a_very_long_name_in_it: 1/N of the samples", PLACE, "#..."),
)
THREE = (
    *(RankEvent(1, lane, "work", "sums over B/2 samples", PLACE) for lane in ("alone", "rank 0", "rank 1")),
    *(RankEvent(2, lane, "meet", "DDP takes the mean of the gradients") for lane in ("rank 0", "rank 1")),
    *(RankEvent(3, lane, "result", "gradient g/2") for lane in ("alone", "rank 0", "rank 1")),
)

# what the page looks like to the eye, as numbers
MEASURE = """
<script>
const box = (one) => { const r = one.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
const seen = {
  width: innerWidth,
  full: document.documentElement.scrollWidth,
  pictures: [...document.querySelectorAll("svg.lanes")].map((svg) => ({
    box: box(svg),
    heads: svg.querySelectorAll(".head").length,
    events: [...svg.querySelectorAll(".event")].map((one) => ({
      box: box(one.querySelector("rect")), texts: [...one.querySelectorAll("text")].map(box),
      size: parseFloat(getComputedStyle(one.querySelector("text")).fontSize) * svg.getBoundingClientRect().width
        / svg.viewBox.baseVal.width,
    })),
  })),
  tools: !document.getElementById("tools").hidden,
  background: getComputedStyle(document.body).backgroundColor,
};
const filter = document.getElementById("filter");
filter.value = "alert(1)";
filter.dispatchEvent(new Event("input"));
seen.filtered = [...document.querySelectorAll("article:not([hidden])")].length;
parent.postMessage(JSON.stringify(seen), "*");
</script>
"""

# a window cannot be as narrow as a phone, a frame can
FRAME = """<!DOCTYPE html><body><iframe src="measured.html" style="border:0;width:{width}px;height:900px"></iframe>
<script>onmessage = (event) => document.body.setAttribute("data-seen", event.data);</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    findings = [make_finding(ranks=TWO), make_finding(code="DDP202", name="summed", ranks=THREE), awkward_finding()]
    text = FORMATS["html"].render(make_report(folder, *findings, rules=discover()))
    (folder / "page.html").write_text(text, encoding="utf-8")
    # a copy without the policy, which would not let the measuring script run
    measured = re.sub(r"<meta http-equiv[^>]*>", "", text).replace("</body>", f"{MEASURE}</body>")
    (folder / "measured.html").write_text(measured, encoding="utf-8")
    return folder


def chromium(target: Path, profile: Path, *flags: str) -> str:
    assert CHROMIUM is not None
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [CHROMIUM, *FLAGS, *sandbox, f"--user-data-dir={profile}", *flags, target.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout.decode()


def measured(page: Path, tmp_path: Path, *flags: str, width: int = 1000) -> Any:
    frame = page / f"frame{width}.html"
    frame.write_text(FRAME.format(width=width))
    dom = chromium(frame, tmp_path / "profile", "--dump-dom", "--virtual-time-budget=3000", *flags)
    match = re.search(r'data-seen="([^"]*)"', dom)
    assert match
    return json.loads(unescape(match[1]))


@pytest.mark.parametrize("width", [375, 1280])
def test_nothing_sticks_out_and_the_script_filters(page: Path, tmp_path: Path, width: int) -> None:
    seen = measured(page, tmp_path, width=width)
    assert (seen["tools"], seen["filtered"]) == (True, 1)
    assert seen["full"] <= seen["width"] == width
    assert [picture["heads"] for picture in seen["pictures"]] == [3, 2]
    for picture in seen["pictures"]:
        left, _, right, _ = picture["box"]
        assert 0 <= left < right <= width
        for event in picture["events"]:
            assert event["size"] >= 9
            x1, y1, x2, y2 = event["box"]
            for a, b, c, d in event["texts"]:
                assert x1 - 1 <= a and c <= x2 + 1 and y1 - 1 <= b and d <= y2 + 1
    assert [len(picture["events"]) for picture in seen["pictures"]] == [7, 6]


def test_script_runs_under_the_policy_and_no_other_does(page: Path, tmp_path: Path) -> None:
    dom = chromium(page / "page.html", tmp_path / "profile", "--dump-dom")
    tools = re.search(r'<div class="tools" id="tools"[^>]*>', dom)
    assert tools and "hidden" not in tools[0]
    text = (page / "page.html").read_text(encoding="utf-8")
    (page / "foreign.html").write_text(text.replace("</body>", "<script>document.title = 'foreign'</script></body>"))
    assert "<title>foreign" not in chromium(page / "foreign.html", tmp_path / "other", "--dump-dom")


def test_dark_scheme(page: Path, tmp_path: Path) -> None:
    light = measured(page, tmp_path)["background"]
    dark = measured(page, tmp_path, "--blink-settings=preferredColorScheme=0")["background"]
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (light, dark)]
    assert brightness[0] > 600 > 200 > brightness[1]


def test_screenshot_shows_a_page(page: Path, tmp_path: Path) -> None:
    target = tmp_path / "shot.png"
    chromium(page / "page.html", tmp_path / "profile", f"--screenshot={target}", "--window-size=1280,2000")
    data = target.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1280, 2000)
    pixels = b"".join(data[start + 8 : start + 8 + length] for start, length, kind in chunks(data) if kind == b"IDAT")
    assert len(set(zlib.decompress(pixels)[::97])) > 30


def chunks(data: bytes) -> list[tuple[int, int, bytes]]:
    found = []
    start = 8
    while start < len(data):
        (length,) = struct.unpack(">I", data[start : start + 4])
        found.append((start, length, data[start + 4 : start + 8]))
        start += 12 + length
    return found
