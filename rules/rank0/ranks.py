"""What each rank does up to a number that one shard alone went into."""

from __future__ import annotations

from ddplint.findings import RankEvent
from ddplint.flow.events import Guard
from ddplint.flow.values import Place
from ddplint.rules.rank0.seen import Loop, Seen, Use
from ddplint.rules.ranks import MAIN, OTHERS, Does, in_order, together

# drawn for four ranks
_FIRST, _REST = "#...", ".###"
_APART = together((MAIN, OTHERS), Does("miss", "nothing brings the ranks' results together"))


def ranks_of(use: Use, seen: Seen, guard: Guard | None, alone: bool, everybody: bool) -> tuple[RankEvent, ...]:
    """`alone`: rank 0 alone goes through the samples, behind `guard`; `everybody`: all ranks are known to."""
    read, used = _where_read(use, seen), Place(*use.at, "")
    result = Does("result", f"{use.act}: 1/N of the samples", used, _FIRST)
    reading = {MAIN: Does("read", "reads shard 0 of N", read, _FIRST)}
    if alone and guard is not None:
        return in_order(
            {MAIN: Does("pass", "goes in alone", guard.place), OTHERS: Does("stop", "stay out", guard.place)},
            {**reading, OTHERS: Does("idle", "their shards are not read", None, _REST)},
            {MAIN: result},
        )
    if everybody:
        reading[OTHERS] = Does("read", "each reads its own shard of N", read, _REST)
    if guard is not None:
        dropped = "stay out: their part is dropped" if everybody else "stay out"
        return in_order(
            reading,
            # a metric object that synchronises itself still may
            {} if use.metric else _APART,
            {MAIN: Does("pass", "goes on alone", guard.place), OTHERS: Does("stop", dropped, guard.place)},
            {MAIN: result},
        )
    others = Does("result", use.acts, used)
    if use.main_only:
        others = Does("idle", "their numbers are dropped")
    elif use.monitored:
        others = Does("idle", "their numbers pick nothing")
    return in_order(reading, _APART, {MAIN: result, OTHERS: others})


def _where_read(use: Use, seen: Seen) -> Place | None:
    """The loop over the shard, or else where the shard comes from."""
    loops = sorted((key, loop) for key, loop in seen.loops.items() if loop.origins & use.tag.origins)
    if loops:
        return _loop_place(loops[0][1])
    return use.tag.steps[0] if use.tag.steps else None


def _loop_place(loop: Loop) -> Place:
    node = loop.node
    iterable = node[3] if node[0] == "for" else node[4][0][1] if node[0] == "comp" else node
    return Place(loop.scope.module.path, iterable[1], "")
