"""Halving inside the stack: who goes on, and that who goes on does so as if it had run alone."""

import json
import math
import statistics
from pathlib import Path

import numpy as np
import pytest

from experiments.__main__ import main
from experiments.sweeps.compose.halving import Halving, rungs
from tests.sweeps.search.test_searching import MOMENTUM, RATE, rows, stored

SEARCH = [
    "-m",
    "hydra/sweeper=search",
    RATE,
    MOMENTUM,
    "training.epochs=30",
    "search.trials=24",
    "search.seeds=2",
    "search.confirm=0",
]


def folders(place: str) -> set[str]:
    return {path.name for path in Path(place).iterdir() if path.name[0].isdecimal()}


def losses(place: Path) -> list[float]:
    """train_loss after each epoch; infinite after divergence."""
    found = [json.loads(line)["loss/gap"] for line in (place / "metrics.jsonl").read_text().splitlines()]
    return [float("inf") if loss is None else loss for loss in found] + [float("inf")] * 30


def where_it_goes(curve: list[float], epoch: int) -> float:
    """A loss after 30 epochs on the straight line through its last two looks, on log scales, that does not rise."""
    first, last = curve[epoch // 3 - 1], curve[epoch - 1]
    if last == float("inf") or last >= first:
        return last
    slope = (math.log(last) - math.log(first)) / (math.log(epoch) - math.log(epoch // 3))
    return math.exp(math.log(last) + max(-3, slope) * (math.log(30) - math.log(epoch)))


def test_the_best_third_of_each_rung_goes_on_with_the_bits_of_the_whole_run() -> None:
    assert main([*SEARCH, "hydra.sweep.dir=whole"]) == 0
    assert (
        main([*SEARCH, "search.pruner=halving", "search.eta=3", "search.min_epochs=3", "hydra.sweep.dir=halved"]) == 0
    )
    curves = {int(name.partition("_")[0]): losses(Path("whole") / name) for name in folders("whole")}
    left, pruned = list(range(24)), {}
    for rung, epoch in enumerate((3, 9, 27)):  # 24, then 8, 2, and no fewer than one
        values = {t: statistics.mean(curves[2 * t + k][epoch - 1] for k in (0, 1)) for t in left}
        ends = {t: statistics.mean(where_it_goes(curves[2 * t + k], epoch) for k in (0, 1)) for t in left}
        going = sorted(left, key=lambda t: ends[t])[: max(1, 24 // 3 ** (rung + 1))]
        pruned |= {t: (rung, epoch, values[t]) for t in left if t not in going}
        left = going
    jobs = rows("halved")
    assert [int(job["number"]) for job in jobs] == list(range(48))
    for trial, of_whole in zip(stored("halved"), stored("whole"), strict=True):
        own = jobs[2 * trial.number : 2 * trial.number + 2]
        assert trial.params == of_whole.params
        if trial.number in left:
            assert trial.state.name == "COMPLETE" and trial.value == of_whole.value
            assert {job["status"] for job in own} == {"completed"} and {job["rung"] for job in own} == {""}
        else:
            rung, epoch, value = pruned[trial.number]
            assert trial.state.name == "PRUNED" and trial.last_step == epoch
            assert trial.value == pytest.approx(value, rel=1e-5)
            assert {(job["status"], job["rung"], job["epochs"]) for job in own} == {("pruned", str(rung), str(epoch))}
    kept = folders("halved")
    assert {int(name.partition("_")[0]) // 2 for name in kept} == set(left) and len(kept) == 2 * len(left)
    for name in kept:
        for file in ("model.safetensors", "metrics.jsonl"):
            assert (Path("halved") / name / file).read_bytes() == (Path("whole") / name / file).read_bytes()


def test_a_run_that_has_overflown_by_its_rung_is_infinitely_bad() -> None:
    more = ["optimizer.lr=tag(log,interval(1e-6,1e3))", "training.log_every=30", "search.min_epochs=20"]
    assert main([*SEARCH, *more, "search.pruner=halving", "search.seeds=1", "hydra.sweep.dir=a"]) == 0
    worst = [trial.value for trial in stored("a") if trial.params["optimizer.lr"] > 1]
    assert worst and set(worst) == {float("inf")}


def test_hyperband_begins_each_generation_one_rung_later() -> None:
    more = ["search.pruner=hyperband", "search.min_epochs=3", "search.trials=16", "search.batch=4", "search.seeds=1"]
    assert main([*SEARCH, *more, "search.eta=3", "hydra.sweep.dir=a"]) == 0
    jobs = [job for job in rows("a") if job["status"] == "pruned"]
    first = [min((int(j["epochs"]) for j in jobs if int(j["number"]) // 4 == g), default=0) for g in range(4)]
    assert first == [3, 9, 27, 0]


def test_survivors_are_those_of_the_least_average_and_a_diverged_seed_counts() -> None:
    halving = Halving((1, 2), eta=2, seeds=2)
    scores = np.array([1.0, 5.0, 2.0, 2.0, np.inf, 0.0, 9.0, 9.0])  # 3, 2, inf, 9
    alive = np.array([0, 1, 2, 3, 5, 6, 7])
    assert halving.survivors(0, scores, alive).tolist() == [True] * 4 + [False] * 3
    assert halving.survivors(1, scores, alive).tolist() == [False, False, True, True, False, False, False]
    largest = Halving((1,), eta=2, objective="gap", sign=-1)
    assert largest.scores({"loss/train": np.zeros(2), "loss/gap": np.array([1.0, np.nan])}).tolist() == [-1, np.inf]
    assert largest.projected(np.ones(1), np.full(1, 2.0), 9, np.full(1, 27)).tolist() == [1]
    assert rungs(3, 3, 81) == (3, 9, 27) and rungs(5, 2, 5) == ()


def test_a_power_law_is_projected_to_what_it_comes_to_and_what_rises_stays() -> None:
    halving = Halving((10, 50), eta=5)
    assert sorted(halving.looks) == [3, 16]
    epoch, ends = np.array([50.0, 16.0]), np.array([1000, 400])
    now, before = (7 * e**-0.7 for e in epoch)
    found = halving.projected(np.array([now, now]), np.array([before, before]), 50, ends)
    assert found == pytest.approx(7 * ends**-0.7, rel=1e-12)
    odd = halving.projected(np.array([2.0, 2.0, np.inf, 0.0]), np.array([1.0, np.inf, 1.0, 1.0]), 50, np.full(4, 100))
    assert odd.tolist() == [2, 2, np.inf, 0]
    assert halving.projected(np.array([1.0]), np.array([1e9]), 50, np.full(1, 100)) == pytest.approx(0.5**3)
    assert halving.projected(np.array([1.0]), np.array([2.0]), 2, np.full(1, 100)).tolist() == [1]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (["search.pruner=halvin"], "did you mean halving?"),
        (["search.pruner=halving", "search.objectives=[gap,steps]"], "compares runs by one objective"),
        (["search.eta=1"], "search.eta=1: must be at least 2"),
        (["search.objectives=[gap,steps,gap]"], "search.objectives: has gap twice"),
    ],
)
def test_bad_settings_are_one_line(asked: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, *asked]) == 2
    assert reason in capsys.readouterr().err
