"""A search against Optuna in one process with a plain PyTorch loop: how fast, how good, and what halving costs.

    python benchmarks/search.py speed|worth|halving|kill [--seeds 20]

speed: 1,000 trials of the tutorial run, the whole command, against Optuna's 1,000 (fewer are timed and scaled).
worth: the time until each of our samplers reaches the value that TPE has after 200 serial trials, on three problems.
halving: 10,000 settings of 1,000 epochs, halved and whole; where the winner stands in the whole. Leaves half a
    gigabyte a seed until the end: after deleting, the file system is slow for a while, and the whole with it.
kill: searches killed at random moments and gone on with, against the undisturbed one.
"""
# ruff: noqa: E402

import argparse
import contextlib
import csv
import functools
import io
import json
import math
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("src", "benchmarks", "")]

import optuna
import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from experiments.__main__ import main

Space = dict[str, tuple[float, float, bool]]
SPACE: Space = {
    "optimizer.lr": (1e-7, 1e-3, True), "optimizer.momentum": (0.0, 0.95, False),
    "optimizer.dampening": (0.0, 0.9, False), "optimizer.weight_decay": (1e-8, 1e-1, True),
}  # fmt: skip
"""All of sgd's keys on the crops: low, high, whether on a log scale."""
RIDGE: Space = {"optimizer.lr": (1e-4, 1.0, True), "loss.l2": (1e-6, 1.0, True)}
"""Ridge on diabetes: 30 % held out, standardised inputs and targets, full batch."""
DIGITS: Space = {
    "optimizer.lr": (1e-4, 1.0, True), "optimizer.momentum": (0.0, 0.95, False),
    "optimizer.weight_decay": (1e-6, 1e-1, True),
}  # fmt: skip
"""A network of 32 hidden units on digits: 30 % held out, batches of 128."""
PROBLEMS: dict[str, tuple[Space, list[str], str]] = {
    "crops": (SPACE, ["training.epochs=100"], "train_loss"),
    "ridge": (RIDGE, ["data=diabetes", "data.validation=0.3", "data.standardize=true", "training.batch_size=null",
                      "training.epochs=100"], "validation_loss"),
    "digits": (DIGITS, ["data=digits", "data.validation=0.3", "model=mlp", "loss=cross_entropy",
                        "training.batch_size=128", "training.epochs=20"], "validation_loss"),
}  # fmt: skip


def searched(space: Space) -> list[str]:
    return [f"{k}={'tag(log,' * log}interval({low},{high}){')' * log}" for k, (low, high, log) in space.items()]


def crops() -> tuple[torch.Tensor, torch.Tensor]:
    from plain_script import ROWS

    table = torch.tensor(ROWS, dtype=torch.float32)
    return table[:, :3], table[:, 3:]


def by_hand(trial: optuna.Trial, problem: str) -> float:
    """One training run as the tutorial has it, of the parameters that Optuna suggests."""
    p = {k: trial.suggest_float(k, low, high, log=log) for k, (low, high, log) in PROBLEMS[problem][0].items()}
    torch.manual_seed(trial.number)
    loss_of, epochs = F.mse_loss, 100
    if problem == "crops":
        x, y = held_x, held_y = crops()
        model: nn.Module = nn.Linear(3, 2)
        batches = DataLoader(TensorDataset(x, y), 5, shuffle=True)
    elif problem == "ridge":
        x, y, held_x, held_y = diabetes()
        model = nn.Linear(10, 1)
        batches = [(x, y)]
    else:
        x, y, held_x, held_y = held_out(*load_digits(return_X_y=True))
        model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        batches = Shuffled(x, y := y.long(), 128)
        held_y, loss_of, epochs = held_y.long(), F.cross_entropy, 20
    options: Any = {k.partition(".")[2]: v for k, v in p.items() if k.startswith("optimizer.")}
    optimizer = torch.optim.SGD(model.parameters(), **options)
    l2 = p.get("loss.l2", 0.0)
    for _ in range(epochs):
        for xb, yb in batches:
            loss = loss_of(model(xb), yb)
            if l2:
                loss = loss + l2 * next(model.parameters()).square().sum()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    with torch.no_grad():
        value = loss_of(model(held_x), held_y).item()
    return value if math.isfinite(value) else math.inf


class Shuffled:
    """Batches by slices: less than a third of the time of a DataLoader."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, size: int) -> None:
        self.x, self.y, self.size = x, y, size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.randperm(len(self.x))
        x, y = self.x[order], self.y[order]
        return ((x[k : k + self.size], y[k : k + self.size]) for k in range(0, len(x), self.size))


def held_out(*arrays: Any) -> tuple[torch.Tensor, ...]:
    """Of as many rows, as ours: x and y to train on, then those held out."""
    x, y = (torch.tensor(a, dtype=torch.float32) for a in arrays)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, held = order[: int(0.7 * len(x))], order[int(0.7 * len(x)) :]
    return x[train], y[train], x[held], y[held]


@functools.cache
def diabetes() -> tuple[torch.Tensor, ...]:
    """Inputs standardised, targets in units of their standard deviation."""
    x, y, held_x, held_y = held_out(*load_diabetes(return_X_y=True))
    y, held_y = ((part[:, None] - y.mean()) / y.std() for part in (y, held_y))
    return (x - x.mean(0)) / x.std(0), y, (held_x - x.mean(0)) / x.std(0), held_y


def quietly(arguments: list[str]) -> float:
    """The seconds of a command in this process."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = main(arguments)
    assert status == 0, arguments
    return time.perf_counter() - began


def processor() -> float:
    """Seconds of processors, of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in used)


def serial(problem: str, trials: int, seed: int) -> tuple[dict[str, float], float]:
    """Optuna's TPE in one process: its best parameters, and its seconds of processors."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    began = processor()
    study.optimize(lambda trial: by_hand(trial, problem), n_trials=trials)
    return study.best_params, processor() - began


def speed(place: Path, seeds: int) -> None:
    command = [sys.executable, "-m", "experiments", "-m", "hydra/sweeper=search", *searched(SPACE)]
    command += ["search.trials=1000", "search.confirm=0"]
    whole = []
    for k in range(5):
        began = time.perf_counter()
        subprocess.run([*command, f"hydra.sweep.dir={place}/{k}"], check=True, capture_output=True, cwd=place,
                       env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""})  # fmt: skip
        whole.append(time.perf_counter() - began)
    hand = [10 * serial("crops", 100, k)[1] for k in range(2)]
    print("1,000 trials, whole command:", " ".join(f"{s:.2f}" for s in whole), "s")
    print("Optuna's TPE and the loop by hand, ten times 100 trials:", " ".join(f"{s:.1f}" for s in hand), "s")
    print(f"ratio of medians {statistics.median(hand) / statistics.median(whole):.1f}")


def worth(place: Path, seeds: int) -> None:
    """The value is scored by ours, so that both are the same number: TPE's best setting is run by us.

    Ours is each time a search of its own from its start to its end, of twice as many trials until it is as good.
    """
    for problem in PROBLEMS:
        times: dict[str, list[float]] = {}
        for seed in range(seeds):
            parameters, seconds = serial(problem, 200, seed)
            goal = scored(place, problem, parameters, seed)
            for sampler in ("sobol", "random", "cmaes", "tpe"):
                times.setdefault(sampler, []).append(seconds / reached(place, problem, sampler, goal, seed))
        for sampler, ratios in times.items():
            print(f"{problem} {sampler}: TPE's time over ours, median {statistics.median(ratios):.1f}, "
                  f"reached {sum(r > 0 for r in ratios)} of {seeds}", flush=True)  # fmt: skip


def scored(place: Path, problem: str, parameters: dict[str, float], seed: int) -> float:
    """What a setting is worth as a run of ours."""
    _, fixed, objective = PROBLEMS[problem]
    told = [f"{k}={v}" for k, v in parameters.items()]
    shutil.rmtree(place / "one", ignore_errors=True)
    quietly(["-m", *told, *fixed, f"seed={seed},{seed + 1000}", f"hydra.sweep.dir={place}/one"])
    with (place / "one" / "results.csv").open() as file:
        return float(next(csv.DictReader(file))[objective])


def reached(place: Path, problem: str, sampler: str, goal: float, seed: int) -> float:
    """Seconds of processors of the least of our searches that comes to the goal; infinite where none does."""
    space, fixed, objective = PROBLEMS[problem]
    for trials in (64, 128, 256, 512, 1024):
        folder, before = place / f"{problem}{sampler}{seed}{trials}", processor()
        quietly(["-m", "hydra/sweeper=search", *searched(space), *fixed, f"seed={seed}", f"search.sampler={sampler}",
                 f"search.trials={trials}", "search.batch=64", f"search.objectives=[{objective}]",
                 "search.confirm=0", f"hydra.sweep.dir={folder}"])  # fmt: skip
        spent = processor() - before
        if json.loads((folder / "search.json").read_text())["found"][objective] <= goal:
            return spent
    return math.inf


def halving(place: Path, seeds: int) -> None:
    common = ["-m", "hydra/sweeper=search", *searched(SPACE), "training.epochs=1000", "training.log_every=100",
              "search.trials=10000", "search.batch=10000", "search.confirm=0"]  # fmt: skip
    ratios, ranks = [], []
    for seed in range(seeds):
        seconds, spent = {}, {}
        for name in ("whole", "halving"):
            more = ["search.pruner=halving"] if name == "halving" else []
            before = processor()
            seconds[name] = quietly([*common, *more, f"seed={seed}", f"hydra.sweep.dir={place}/{name}{seed}"])
            spent[name] = processor() - before
        with (place / f"whole{seed}" / "study.csv").open() as file:
            values = {row["trial"]: float(row["gap"] or "inf") for row in csv.DictReader(file)}
        winner = json.loads((place / f"halving{seed}" / "search.json").read_text())["trial"]
        ranks.append(sum(v < values[str(winner)] for v in values.values()))
        ratios.append((seconds["halving"] / seconds["whole"], spent["halving"] / spent["whole"]))
        print(f"seed {seed}: whole {seconds['whole']:.1f} s ({spent['whole']:.1f} of processors), "
              f"halved {seconds['halving']:.1f} s ({spent['halving']:.1f}), "
              f"the winner is number {ranks[-1] + 1} of the whole", flush=True)  # fmt: skip
    clock, processors = (statistics.median(of_kind) for of_kind in zip(*ratios, strict=True))
    print(f"time {clock:.3f} of the whole, of processors {processors:.3f} (medians); within the best 1 % in "
          f"{sum(r < 100 for r in ranks)} of {seeds}")  # fmt: skip


def kill(place: Path, seeds: int) -> None:
    from tests.support.killing_sweeps import trial, undisturbed
    from tests.sweeps.search.test_kill_search import SEARCH, stored

    dice, kills, wrong = random.Random(0), 0, 0
    for name, more in (("whole", []), ("halving", ["search.pruner=halving", "training.epochs=9"])):
        search = [*SEARCH, *more]
        reference = place / f"{name}_reference"
        seconds, number = undisturbed(search, reference), 0
        goal = kills + 3 * seeds / 2
        while kills < goal:
            count, *problems = trial(search, place / f"{name}{number}", reference, seconds, 3, dice)
            same = stored(place / f"{name}{number}") == stored(reference)
            kills, wrong, number = kills + int(count), wrong + bool(problems or not same), number + 1
            if problems or not same:
                print(name, number, problems, "the study differs" * (not same))
    print(f"{kills} kills, {wrong} searches that ended otherwise")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "worth", "halving", "kill"))
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as where:
        globals()[asked.what](Path(where), asked.seeds)
