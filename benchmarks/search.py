"""A search against Optuna in one process with a plain PyTorch loop: how fast, how good, and what halving costs.

    python benchmarks/search.py speed|worth|halving|kill [--seeds 20]

speed: 1,000 trials of the tutorial run, the whole command, against Optuna's 1,000 (fewer are timed and scaled).
worth: the time until each of our samplers reaches the value that TPE has after 200 serial trials, on two problems.
halving: 10,000 settings of 1,000 epochs, halved and whole; where the winner stands in the whole. Leaves half a
    gigabyte a seed until the end: after deleting, the file system is slow for a while, and the whole with it.
kill: searches killed at random moments and gone on with, against the undisturbed one.
"""
# ruff: noqa: E402

import argparse
import contextlib
import csv
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
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("src", "benchmarks", "")]

import optuna
import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes
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
PROBLEMS: dict[str, tuple[Space, list[str], str]] = {
    "crops": (SPACE, ["training.epochs=100"], "train_loss"),
    "ridge": (RIDGE, ["data=diabetes", "data.validation=0.3", "data.standardize=true", "training.batch_size=null",
                      "training.epochs=100"], "validation_loss"),
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
    if problem == "crops":
        x, y = crops()
        batches: Iterable[Any] = DataLoader(TensorDataset(x, y), 5, shuffle=True)
        held_x, held_y = x, y
    else:
        x, y, held_x, held_y = diabetes()
        batches = [(x, y)]
    model = nn.Linear(x.shape[1], y.shape[1])
    options: Any = {k.partition(".")[2]: v for k, v in p.items() if k.startswith("optimizer.")}
    optimizer = torch.optim.SGD(model.parameters(), **options)
    l2 = p.get("loss.l2", 0.0)
    for _ in range(100):
        for xb, yb in batches:
            loss = F.mse_loss(model(xb), yb)
            if l2:
                loss = loss + l2 * model.weight.square().sum()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    with torch.no_grad():
        value = F.mse_loss(model(held_x), held_y).item()
    return value if math.isfinite(value) else math.inf


def diabetes() -> tuple[torch.Tensor, ...]:
    """Of as many rows, as ours; in units of the targets' standard deviation."""
    x, y = (torch.tensor(a, dtype=torch.float32) for a in load_diabetes(return_X_y=True))
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, held = order[: int(0.7 * len(x))], order[int(0.7 * len(x)) :]
    x, y = (x - x[train].mean(0)) / x[train].std(0), ((y - y[train].mean()) / y[train].std())[:, None]
    return x[train], y[train], x[held], y[held]


def quietly(arguments: list[str]) -> float:
    """The seconds of a command in this process."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = main(arguments)
    assert status == 0, arguments
    return time.perf_counter() - began


def processor() -> float:
    """User seconds of this process and of those that it waited for."""
    return sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def serial(problem: str, trials: int, seed: int) -> tuple[float, float]:
    """Optuna's TPE in one process: its best value, and its seconds."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    began = time.perf_counter()
    study.optimize(lambda trial: by_hand(trial, problem), n_trials=trials)
    return study.best_value, time.perf_counter() - began


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
    """The value is scored by ours, so that both are the same number: TPE's best setting is run by us."""
    for problem, (space, fixed, objective) in PROBLEMS.items():
        times: dict[str, list[float]] = {}
        for seed in range(seeds):
            study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
            began = time.perf_counter()
            study.optimize(lambda trial, problem=problem: by_hand(trial, problem), n_trials=200)
            seconds = time.perf_counter() - began
            told = [f"{k}={v}" for k, v in study.best_params.items()]
            shutil.rmtree(place / "one", ignore_errors=True)
            quietly(["-m", *told, *fixed, f"seed={seed},{seed + 1000}", f"hydra.sweep.dir={place}/one"])
            with (place / "one" / "results.csv").open() as file:
                goal = float(next(csv.DictReader(file))[objective])
            for sampler in ("sobol", "random", "cmaes", "tpe"):
                spent = math.inf
                for trials in (64, 128, 256, 512, 1024):
                    folder = place / f"{problem}{sampler}{seed}{trials}"
                    took = quietly(["-m", "hydra/sweeper=search", *searched(space), *fixed, f"seed={seed}",
                                    f"search.sampler={sampler}", f"search.trials={trials}", "search.batch=64",
                                    f"search.objectives=[{objective}]", "search.confirm=0",
                                    f"hydra.sweep.dir={folder}"])  # fmt: skip
                    best = json.loads((folder / "search.json").read_text())["found"][objective]
                    if best <= goal:
                        spent = took
                        break
                times.setdefault(sampler, []).append(seconds / spent)
        for sampler, ratios in times.items():
            reached = sum(r > 0 for r in ratios)
            print(f"{problem} {sampler}: TPE's time over ours, median {statistics.median(ratios):.1f}, "
                  f"reached {reached} of {seeds}")  # fmt: skip


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
