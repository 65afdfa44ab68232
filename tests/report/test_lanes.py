"""The picture of what each rank does: as data, as text, and what the rules say for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from report_data import make_finding, make_report

from ddplint.cache import finding_from_data, finding_to_data
from ddplint.config import Settings
from ddplint.engine import check
from ddplint.findings import RankEvent, Span
from ddplint.report.json import render_json
from ddplint.report.lanes import Picture, caption, picture_of, sentences
from ddplint.report.style import Style
from ddplint.report.text import render_text

FIXTURES = Path(__file__).parents[1] / "fixtures"
GUARD = Span("train.py", 3, 1, 3, 4)

RANKS = (
    RankEvent(1, "rank 0", "read", "reads shard 0 of N", Span("train.py", 1, 1, 1, 7)),
    RankEvent(1, "ranks 1 to N-1", "read", "each reads its own shard of N", Span("train.py", 1, 1, 1, 7)),
    RankEvent(2, "rank 0", "miss", "no reduction"),
    RankEvent(2, "ranks 1 to N-1", "miss", "no reduction"),
    RankEvent(3, "rank 0", "pass", "goes on alone", GUARD),
    RankEvent(3, "ranks 1 to N-1", "stop", "stay out", GUARD),
    RankEvent(4, "rank 0", "result", "reports a number that covers only its own part of all the samples"),
)


def picture(*events: RankEvent) -> Picture:
    made = picture_of(make_finding(ranks=events))
    assert made is not None
    return made


def test_moments() -> None:
    made = picture(*RANKS)
    assert made.lanes == ("rank 0", "ranks 1 to N-1")
    assert [sorted(moment.cells) for moment in made.moments] == [[0, 1], [], [0, 1], [0]]
    assert [moment.joint.label if moment.joint else "" for moment in made.moments] == ["", "no reduction", "", ""]
    # who was kept out takes no part any more
    assert [moment.open_ for moment in made.moments] == [(True, True), (True, True), (True, False), (True, False)]
    assert [moment.span.row if moment.span else None for moment in made.moments] == [1, None, 3, None]


def test_some_lanes_meet() -> None:
    lanes = ("alone", "rank 0", "rank 1")
    made = picture(
        *(RankEvent(1, lane, "work", "sums") for lane in lanes),
        *(RankEvent(2, lane, "meet", "mean") for lane in lanes[1:]),
    )
    (first, last) = (made.moments[1].first, made.moments[1].last)
    assert (first, last) == (1, 2)
    assert sentences(made)[-1] == "rank 0, rank 1: mean"


def test_no_picture_without_ranks() -> None:
    assert picture_of(make_finding()) is None


def test_caption_says_what_the_lanes_are() -> None:
    assert caption(picture(*RANKS)) == "What each rank does (N = world size)"
    assert caption(picture(RankEvent(1, "one run", "read", "x"))) == "What each run does"


def test_text(tmp_path: Path) -> None:
    report = make_report(tmp_path, make_finding(ranks=RANKS, trace=(), fix=None))
    text = render_text(report.result, Style(), verbose=True)
    assert (
        text.partition("(N = world size):\n")[2]
        == """\
    rank 0                                       ranks 1 to N-1
    o reads shard 0 of N                         o each reads its own shard of N                train.py:1:1
    |                                            |
    ~~ no reduction ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
    |                                            |
    > goes on alone                              x stay out                                     train.py:3:1
    |                                            :
    ! reports a number that covers only its own  :
    | part of all the samples                    :

"""
    )
    assert "What each" not in render_text(report.result, Style())


def test_hostile_labels_stay_on_their_line(tmp_path: Path) -> None:
    events = (RankEvent(1, "rank\n0", "read", "a\x1b[31m\nb"), RankEvent(2, "rank\n0", "meet", "c\nd"))
    report = make_report(tmp_path, make_finding(ranks=events, trace=(), fix=None))
    text = render_text(report.result, Style(), verbose=True)
    assert "\x1b" not in text
    assert "rank 0\n" in text and "o a\\x1b[31m b" in text and "== c d ==" in text


def test_json(tmp_path: Path) -> None:
    (found,) = json.loads(render_json(make_report(tmp_path, make_finding(ranks=RANKS)).result))
    assert found["ranks"][0] == {
        "moment": 1,
        "lane": "rank 0",
        "kind": "read",
        "label": "reads shard 0 of N",
        "share": None,
        "filename": "train.py",
        "cell": None,
        "location": {"row": 1, "column": 1},
        "end_location": {"row": 1, "column": 7},
    }
    assert (found["ranks"][2]["filename"], found["ranks"][2]["location"]) == (None, None)


def test_ranks_survive_the_cache() -> None:
    found = make_finding(ranks=RANKS)
    assert finding_from_data(json.loads(json.dumps(finding_to_data(found)))) == found


@pytest.mark.parametrize("damage", [{"kind": "jump"}, {"moment": "1"}, {"moment": True}, {"lane": None}, {"span": 3}])
def test_damaged_ranks_are_refused(damage: dict[str, object]) -> None:
    data = json.loads(json.dumps(finding_to_data(make_finding(ranks=RANKS))))
    data["ranks"][0] |= damage
    with pytest.raises((KeyError, TypeError, ValueError)):
        finding_from_data(data)


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        pytest.param(
            "DDP101/bug_accuracy_printed_on_rank0.py",
            [
                "rank 0: reads shard 0 of N",
                "ranks 1 to N-1: each reads its own shard of N",
                "rank 0, ranks 1 to N-1: nothing brings the ranks' results together",
                "rank 0: goes on alone",
                "ranks 1 to N-1: stay out: their part is dropped",
                "rank 0: reports its number: 1/N of the samples",
            ],
            id="guarded report",
        ),
        pytest.param(
            "DDP101/bug_evaluate_called_on_rank0",
            [
                "rank 0: goes in alone",
                "ranks 1 to N-1: stay out",
                "rank 0: reads shard 0 of N",
                "ranks 1 to N-1: their shards are not read",
                "rank 0: reports its number: 1/N of the samples",
            ],
            id="rank 0 alone evaluates",
        ),
        pytest.param(
            "DDP101/bug_every_rank_prints_its_own",
            [
                "rank 0: reads shard 0 of N",
                "ranks 1 to N-1: each reads its own shard of N",
                "rank 0, ranks 1 to N-1: nothing brings the ranks' results together",
                "rank 0: reports its number: 1/N of the samples",
                "ranks 1 to N-1: have other numbers",
            ],
            id="no guard",
        ),
        pytest.param(
            "DDP101/bug_lightning_logged_on_rank_zero_only",
            [
                "rank 0: reads shard 0 of N",
                "ranks 1 to N-1: each reads its own shard of N",
                "rank 0, ranks 1 to N-1: nothing brings the ranks' results together",
                "rank 0: logs its number: 1/N of the samples",
                "ranks 1 to N-1: their numbers are dropped",
            ],
            id="logged for rank 0 only",
        ),
        pytest.param(
            "DDP101/bug_torchmetrics_update_on_rank0.py",
            [
                "rank 0: reads shard 0 of N",
                "ranks 1 to N-1: each reads its own shard of N",
                "rank 0: goes on alone",
                "ranks 1 to N-1: stay out: their part is dropped",
                "rank 0: feeds the metric: 1/N of the samples",
            ],
            id="metric that synchronises itself",
        ),
        pytest.param(
            "DDP201/bug_direct_backward.py",
            [
                "a rank that comes here: loss = 0 x its parameters",
                "a rank with samples: loss of its samples",
                "a rank that comes here: 0, but nan once a parameter is inf or nan",
                "a rank that comes here, a rank with samples: "
                "gradients are averaged, if the wrapped forward ran on both",
            ],
            id="loss of zero",
        ),
        pytest.param(
            "DDP202/bug_accelerate_hand_pose",
            [
                "one rank alone: batch of B samples",
                "rank 0 of two: batch of B/2 samples",
                "rank 1 of two: batch of B/2 samples",
                "one rank alone: sums over B samples",
                "rank 0 of two: sums over B/2 samples",
                "rank 1 of two: sums over B/2 samples",
                "rank 0 of two, rank 1 of two: DDP takes the mean of the gradients",
                "one rank alone: gradient g",
                "rank 0 of two: gradient g/2",
                "rank 1 of two: gradient g/2",
            ],
            id="summed loss",
        ),
        pytest.param(
            "DDP302/bug_drop_last_scores_other_samples.py",
            [
                "one run: draws an order",
                "the next run: draws another order",
                "one run: scores some of the samples",
                "the next run: scores others",
                "one run: a number",
                "the next run: another number, same model",
            ],
            id="unseeded shuffle",
        ),
    ],
)
def test_rules_say_what_ranks_do(
    fixture: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = FIXTURES / fixture
    if place.is_file():
        shutil.copy(place, tmp_path)
    else:
        shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    (found, *_) = check(["."], Settings(cache=False, jobs=1)).findings
    made = picture_of(found)
    assert made is not None
    assert sentences(made) == expected
    rows = {event.span.row for event in found.ranks if event.span}
    assert rows and all(event.span is None or Path(event.span.path).is_file() for event in found.ranks)
