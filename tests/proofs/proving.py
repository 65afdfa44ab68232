"""What every proof needs: the program before and after the repair, and processes to run both in."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ddplint.cli import cli

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
SECONDS = 60.0
_COMMON = ["--isolated", "--no-cache", "--jobs", "1"]


def need(*packages: str) -> None:
    """Skip the proof where a package that its program runs on is missing."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}, which is not installed")


def findings(folder: Path) -> Counter[str]:
    """The codes of what ddplint reports in a folder."""
    result = CliRunner().invoke(cli, ["check", *_COMMON, "--output-format", "concise", str(folder)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Counter(line.split()[2] for line in result.output.splitlines() if line.startswith(str(folder)))


def apply_fixes(folder: Path) -> str:
    """Let ddplint repair a folder, and return what it says."""
    result = CliRunner().invoke(cli, ["fix", "--apply", "--unsafe-fixes", *_COMMON, str(folder)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


@dataclass(frozen=True)
class Repairs:
    """Makes copies of programs, before and after the repair."""

    place: Path
    identity: bool

    def pair(self, name: str, count: int = 1) -> tuple[Path, Path]:
        """The program as it is, with exactly `count` findings, all of the rule that it is named after, and repaired."""
        before = self.place / "before"
        shutil.copytree(PROGRAMS / name, before, ignore=shutil.ignore_patterns("__pycache__"))
        (before / "pyproject.toml").touch()
        code = name.partition("_")[0].upper()
        assert findings(before) == Counter({code: count})
        return before, self.fixed(before)

    def fixed(self, folder: Path) -> Path:
        """A copy of a folder, repaired by ddplint: `fix --apply --unsafe-fixes`."""
        copy = folder.with_name("after")
        shutil.copytree(folder, copy)
        if self.identity:
            return copy
        said = apply_fixes(copy)
        if all((copy / path.name).read_bytes() == path.read_bytes() for path in folder.glob("*.py")):
            pytest.fail(f"ddplint repaired nothing in {folder}:\n{said}", pytrace=False)
        left = findings(copy)
        if left:
            pytest.fail(f"after the repair ddplint still reports {dict(left)}:\n{said}", pytrace=False)
        return copy


@dataclass(frozen=True)
class Job:
    """A function of `probes` to call in a process of its own, with a program's folder as the current one."""

    folder: Path
    probe: str
    arguments: Sequence[Any] = ()
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a probe returned and what its process printed."""

    value: Any
    output: str


def single(folder: Path, probe: str, *arguments: Any) -> list[Job]:
    """A job on one process."""
    return [Job(folder, probe, arguments)]


def free_port() -> int:
    """A free port below those that the system gives away: nothing takes it before the program does."""
    for port in random.Random().sample(range(15000, 30000), 100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)):
                return port
    raise OSError("no free port")


def launched(folder: Path, probe: str, *arguments: Any, ranks: int = 2) -> list[Job]:
    """A job on several processes, with the environment that torchrun gives them."""
    common = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "GROUP_RANK": "0",
        "TORCHELASTIC_RUN_ID": "proof",
    }
    if sys.platform.startswith("linux"):
        common["GLOO_SOCKET_IFNAME"] = "lo"
    return [
        Job(folder, probe, arguments, {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(ranks)
    ]


class Interpreter:
    """A fresh interpreter that runs jobs, each in a fork of its own."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._numbers = itertools.count()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "forking.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, *groups: Sequence[Job], imports: Sequence[str] = ()) -> list[list[Outcome]]:
        """Run all groups at once; the outcomes by group."""
        return self.start(*groups, imports=imports)()

    def start(self, *groups: Sequence[Job], imports: Sequence[str] = ()) -> Callable[[], list[list[Outcome]]]:
        """Start all groups; what is returned waits for the outcomes."""
        rows = []
        for job in itertools.chain(*groups):
            name = str(self._place / str(next(self._numbers)))
            rows.append(
                {
                    "folder": str(job.folder),
                    "probe": job.probe,
                    "arguments": list(job.arguments),
                    "environment": job.environment,
                    "output": f"{name}.txt",
                    "result": f"{name}.json",
                }
            )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jobs": rows, "imports": list(imports), "seconds": SECONDS}) + "\n")
        self._process.stdin.flush()
        return lambda: list(self._outcomes(rows, groups))

    def close(self) -> None:
        # idle by now: nothing is lost, and its own end would take seconds
        self._process.kill()
        self._process.communicate()

    def _outcomes(self, rows: list[dict[str, Any]], groups: Sequence[Sequence[Job]]) -> Iterator[list[Outcome]]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the interpreter that runs the programs has ended"
        outputs = [Path(row["output"]).read_text(encoding="utf-8") for row in rows]
        for row, code, output in zip(rows, json.loads(line), outputs):
            assert code == 0, f"{row['probe']} in {row['folder']} ended with {code}:\n{output}"
        values = [json.loads(Path(row["result"]).read_text(encoding="utf-8")) for row in rows]
        outcomes = iter([Outcome(value, output) for value, output in zip(values, outputs)])
        for group in groups:
            yield list(itertools.islice(outcomes, len(group)))
