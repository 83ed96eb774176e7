"""Ten thousand bad requests in process: each runs or prints one `error: ` line with the right exit status.

    python benchmarks/fuzz.py --cases 10000 [--seed 0]

A quarter are command lines through Hydra, the rest plain configs, as a stored run has them. Prints every line that
breaks the rule, and how the cases ended; exit status 1 if one broke it.
"""
# ruff: noqa: E402

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("src", "")]

import torch

from tests.requests import broken, command_line, from_config, plain_config, run_command, table_request


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.25, help="command lines among the cases")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    dice, ends, kinds, bad, slowest = random.Random(asked.seed), Counter(), Counter(), 0, (0.0, "")
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        for number in range(asked.cases):
            kind = dice.random()
            request: Any
            answer: Any
            if kind < asked.share:
                request, answer = command_line(dice), run_command
            elif kind < asked.share + 0.15:
                request, answer = table_request(dice), from_config
            else:
                request, answer = plain_config(dice), from_config
            kinds[answer.__name__] += 1
            began = time.perf_counter()
            status, out, err = answer(request, Path(place) / f"{number}")
            seconds = time.perf_counter() - began
            slowest = max(slowest, (seconds, str(request)))
            ends[status] += 1
            if problem := broken(status, out, err, seconds):
                bad += 1
                print(f"case {number}: {problem}: {request}\n    {err[:400]!r}", flush=True)
            if number % 200 == 0:
                os.system("rm -rf ./*")  # a thousand run folders are no part of the question
    print(f"{asked.cases} cases {dict(kinds)}, exit statuses {dict(ends)}, {bad} broke the rule")
    print(f"slowest: {slowest[0]:.1f} s, {slowest[1][:300]}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
