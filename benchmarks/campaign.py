"""A campaign of kills, for kill.py and kill_sweeps.py: every case tried until it was killed its share of the times."""

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

Trial = Callable[[Path, random.Random], list[str]]
"""Kills whatever it begins in a folder and lets it end: the number of kills first, then each problem."""


def campaign(
    description: str, kills: int, cases: Callable[[Path], Mapping[str, Any]],
    undisturbed: Callable[[Any, Path], tuple[Trial, str]],
) -> int:  # fmt: skip
    """Run a campaign of `kills`, or of --kills, and print its lines; the exit status, 1 on any problem.

    `cases` are asked for once, with a folder that lasts as long as they do. `undisturbed` makes a case's reference
    below a folder, and gives its trial and what is to be told of it.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--kills", type=int, default=kills)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    dice, total, bad, trials = random.Random(asked.seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as place:
        found = cases(Path(place))
        for name, case in found.items():
            reference, folder, kills = Path(place) / "reference", Path(place) / "killed", 0
            trial, said = undisturbed(case, reference)
            while kills < -(-asked.kills // len(found)):
                trials += 1
                count, *problems = trial(folder, dice)
                kills += int(count)
                bad += bool(problems)
                for problem in problems:
                    print(f"  {name}: {problem}", flush=True)
                shutil.rmtree(folder, ignore_errors=True)
            total += kills
            print(f"{name}: {kills} kills; {said}", flush=True)
            shutil.rmtree(reference)
    print(f"{total} kills in {trials} trials, {bad} with a difference, a leftover or an unreadable file")
    return 1 if bad else 0
