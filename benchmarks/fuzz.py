"""Ten thousand bad requests: each runs or prints one `error: ` line with the right exit status.

    python benchmarks/fuzz.py --cases 10000 [--seed 0] [--processes 40] [--only NUMBER] [--every-key]

Command lines through Hydra, plain configs as a stored run has them, commands on stored runs, sweeps, broken tables; in
this process, then a sample as processes of their own. `--every-key` instead sets every key of every choice of every
group to every odd value. A case depends on the seed and its number alone. Prints every case that breaks the rule, and
how the cases ended; exit status 1 if one broke it.
"""
# ruff: noqa: E402

import argparse
import contextlib
import dataclasses
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("src", "")]

import torch

from experiments.config.schema import GROUPS, SECTIONS
from tests.support.odd_commands import half_written, odd_command, odd_sweep, run_odd
from tests.support.odd_tables import odd_table, write
from tests.support.requests import (
    BASE,
    PLAIN,
    SECONDS,
    broken,
    command_line,
    from_config,
    plain_config,
    run_command,
    table_request,
)

KINDS = {"command line": 20, "config": 30, "extreme table": 10, "command": 15, "sweep": 10, "broken table": 15}
"""Shares of the cases, in per cent."""


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=0, help="so many cases as real processes, too")
    parser.add_argument("--only", type=int, help="this case alone")
    parser.add_argument("--every-key", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("always")  # in a process of its own each would be shown
    signal.signal(signal.SIGALRM, _hangs)
    tally = Tally()
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        if asked.every_key:
            for number, config in enumerate(every_key()):
                tally.add(f"key {number}", "key", config, lambda c=config: from_config(c, Path("run").absolute()))
                shutil.rmtree("run", ignore_errors=True)
        else:
            for number in [asked.only] if asked.only is not None else range(asked.cases):
                kind, request = case(asked.seed, number)
                tally.add(f"case {number}", kind, request, lambda k=kind, r=request: answer(k, r, Path(place)))
                for left in ("run", "outputs"):
                    shutil.rmtree(left, ignore_errors=True)
        for number in range(asked.processes):
            kind, request = case(asked.seed + 1000, number)
            if kind not in ("config", "extreme table"):
                tally.add(f"process {number}", kind, request, lambda k=kind, r=request: as_process(k, r, Path(place)))
    return tally.told()


def case(seed: int, number: int) -> tuple[str, Any]:
    """The kind and the content of a request."""
    dice = random.Random(f"{seed}/{number}")
    (kind,) = dice.choices(list(KINDS), list(KINDS.values()))
    make: Any = {
        "command line": command_line, "config": plain_config, "extreme table": table_request, "command": odd_command,
        "sweep": odd_sweep, "broken table": odd_table,
    }[kind]  # fmt: skip
    return kind, make(dice)


def answer(kind: str, request: Any, place: Path) -> tuple[int, str, str]:
    """The request in this process; exit status, output, errors."""
    if kind in ("config", "extreme table"):
        return from_config(request, place / "run")
    if kind in ("command", "sweep"):
        return run_odd(request, place / ("run-sweep" if kind == "sweep" else "run"))
    return run_command(write(request, place) if kind == "broken table" else request, place / "run")


def as_process(kind: str, request: Any, place: Path) -> tuple[int, str, str]:
    """The same in a process of its own."""
    words = write(request, place) if kind == "broken table" else list(request)
    words = [w for w in words if "\0" not in w]  # no process can be given it
    if words[:1] == ["board"]:
        words.append("--port=nope")  # it would serve until it is ended
    if not words or words[0] == "-m" or words[0][:1] in "-+~" or "=" in words[0]:
        words += ["training.epochs=3", "tracking.figures=false"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments", *words], capture_output=True, timeout=120, cwd=place,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "HOME": str(place)},
    )  # fmt: skip
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def every_key() -> Iterator[dict[str, Any]]:
    """A config for each key of each choice of each group and each odd value, all else as it should be."""
    sound = {g: dataclasses.asdict(next(iter(choices.values()))()) for g, choices in GROUPS.items()}
    sound = {**sound, **{k: dict(v) if isinstance(v, dict) else v for k, v in BASE.items()}}
    sound["device"] = {"name": "cpu", "dtype": "float32", "threads": None}
    choices = {(g, s) for g, chosen in GROUPS.items() for s in chosen.values()} | set(SECTIONS.items())
    for group, schema in sorted(choices, key=str):
        for key in dataclasses.fields(schema):
            for value in PLAIN:
                node = {**dataclasses.asdict(schema()), **(BASE.get(group) or {}), key.name: value}
                if key.name == "epochs" and isinstance(value, int) and value > 1000:
                    continue  # a request for a long run is a good one
                yield {**sound, group: node}
    for value in PLAIN:
        yield {**sound, "seed": value}
        for group in GROUPS:
            yield {**sound, group: value}


def _hangs(number: int, frame: Any) -> NoReturn:
    raise TimeoutError(f"it hangs: no answer after {4 * SECONDS:.0f} s")


class Tally:
    """What came of the cases."""

    def __init__(self) -> None:
        self.ends: Counter[tuple[str, int]] = Counter()
        self.bad, self.slowest = 0, (0.0, "")

    def add(self, name: str, kind: str, request: Any, ask: Any) -> None:
        """Put one request and judge the answer."""
        began = time.perf_counter()
        signal.alarm(int(4 * SECONDS))
        status, out, err = ask()
        signal.alarm(0)
        seconds = time.perf_counter() - began
        self.slowest = max(self.slowest, (seconds, str(request)))
        self.ends[kind, status] += 1
        problem = broken(status, out, err, seconds)
        for folder in ("run", "run-sweep"):
            problem = problem or half_written(Path(folder), status)
        shutil.rmtree("run-sweep", ignore_errors=True)
        if problem:
            self.bad += 1
            print(f"{name} ({kind}): {problem}: {str(request)[:1500]}\n    {err[-600:]!r}", flush=True)

    def told(self) -> int:
        """Print the sums; the exit status."""
        for kind in dict.fromkeys(k for k, _ in self.ends):
            ends = {status: n for (k, status), n in sorted(self.ends.items()) if k == kind}
            print(f"{kind}: {sum(ends.values())} cases, exit statuses {ends}")
        print(f"{self.ends.total()} cases, {self.bad} broke the rule; slowest {self.slowest[0]:.1f} s")
        print(f"    {self.slowest[1][:300]}")
        return 1 if self.bad else 0


if __name__ == "__main__":
    sys.exit(main())
