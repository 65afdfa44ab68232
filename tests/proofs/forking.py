"""An interpreter that imports torch once and forks for every job: what a job does to its process ends with the process.

Requests and answers are lines of JSON on the standard streams.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

# how long the other processes of a request may live once one has failed
GRACE_SECONDS = 3.0


def run(job: dict[str, Any]) -> None:
    """Run one job in this process, which ends with it."""
    output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    status = 1
    try:
        os.chdir(job["folder"])
        sys.path.insert(0, job["folder"])
        os.environ.update(job["environment"])
        probe = getattr(importlib.import_module("probes"), job["probe"])
        value = probe(*job["arguments"])
        with open(job["result"], "w", encoding="utf-8") as stream:
            json.dump(value, stream)
        status = 0
    finally:
        if status:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(children: Sequence[int], seconds: float) -> list[int]:
    """The exit codes of processes; those that take too long are killed."""
    codes: dict[int, int] = {}
    deadline = time.monotonic() + seconds
    while len(codes) < len(children):
        child, status = os.waitpid(-1, os.WNOHANG)
        if child:
            codes[child] = os.waitstatus_to_exitcode(status)
            if codes[child]:
                deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
        elif time.monotonic() > deadline:
            for child in children:
                if child not in codes:
                    os.kill(child, signal.SIGKILL)
            deadline = float("inf")
        else:
            time.sleep(0.005)
    return [codes[child] for child in children]


def main() -> None:
    import torch

    # the first step of an optimizer imports it: here once, instead of in every job
    import torch._dynamo

    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for line in sys.stdin:
        request = json.loads(line)
        for name in request["imports"]:
            importlib.import_module(name)
        children = []
        for job in request["jobs"]:
            child = os.fork()
            if child == 0:
                run(job)
            children.append(child)
        answers.write(json.dumps(wait(children, request["seconds"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
