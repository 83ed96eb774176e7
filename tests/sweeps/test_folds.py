"""Whole sweeps and searches over the folds of a cross-validation."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from experiments.__main__ import main
from experiments.comparison.against import against
from experiments.comparison.deciding import Fold, decide
from experiments.comparison.runs_table import collect
from experiments.data.dataset import Dataset
from experiments.errors import UserError
from experiments.learning import devices
from experiments.running import assembly, runner
from experiments.stored.lookup import resolve
from experiments.sweeps.results import jobs_table
from experiments.tracking.result import Result, read_result
from tests.support.stacks import config, stacked

FOLDS = {"data": "linnerud", "data__folds": 3, "data__standardize": True}


def rows(place: str) -> list[dict[str, str]]:
    with (Path(place) / "results.csv").open() as file:
        return list(csv.DictReader(file))


def table(fold: int) -> tuple[Dataset, Dataset]:
    data = assembly.load(config(data__fold=fold, **FOLDS), devices.choose("cpu", "float32"), devices.torch.float32)
    assert data.held_out is not None
    return data.table, data.held_out


def test_folds_of_unequal_size_train_stacked_as_each_would_alone(tmp_path: Path) -> None:
    runs = [config(data__fold=k, seed=s, optimizer__lr=0.01, **FOLDS) for s in (0, 1) for k in range(3)][:5]
    together = [read_result(folder) for folder in stacked(runs, tmp_path / "a")]
    assert [r.rows["train"] for r in together] == [13, 13, 14, 13, 13]
    for number, (run, ours) in enumerate(zip(runs[:3], together, strict=False)):
        serial = runner.run(run, tmp_path / f"serial{number}")
        (by_itself,) = stacked([run], tmp_path / f"one{number}")
        assert read_result(by_itself).parameters == ours.parameters  # the same bits in any pack
        for name in ("train_loss", "validation_loss", "optimum_loss", "gap"):
            assert ours.metrics[name] == pytest.approx(serial.metrics[name], rel=1e-4)


def test_the_optimum_of_a_fold_is_that_of_its_training_rows(tmp_path: Path) -> None:
    for fold, folder in enumerate(stacked([config(data__fold=k, **FOLDS) for k in range(3)], tmp_path / "a")):
        trained, held = table(fold)
        best = LinearRegression().fit(trained.x.numpy(), trained.y.numpy())
        found: Result = read_result(folder)
        assert found.optimum is not None
        assert np.allclose(found.optimum["weight"], best.coef_)
        assert found.metrics["optimum_loss"] == pytest.approx(
            np.square(best.predict(trained.x.numpy()) - trained.y.numpy()).mean()
        )
        assert found.parameters is not None
        weight, bias = (np.array(found.parameters[name]) for name in ("weight", "bias"))
        error = held.x.numpy() @ weight.T + bias - held.y.numpy()
        assert found.metrics["validation_loss"] == pytest.approx(np.square(error).mean())


def test_a_sweep_with_folds_runs_on_each_and_says_which_setting_is_best(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data=linnerud", "data.standardize=true", "data.folds=4", "optimizer.lr=0.01,0.03", "hydra.sweep.dir=a"]
    assert main(["-m", *words, "training.epochs=5", "seed=0,1"]) == 0
    said, jobs = capsys.readouterr().out, rows("a")
    assert [job["data.fold"] for job in jobs] == ["0", "1", "2", "3"] * 4
    assert {job["executed"] for job in jobs} == {"stacked"}
    means = {
        lr: np.mean([float(job["validation_loss"]) for job in jobs if job["optimizer.lr"] == lr])
        for lr in ("0.01", "0.03")
    }
    best = min(means, key=lambda lr: means[lr])
    assert "validation_loss over seeds and folds" in said and "best 10" not in said
    assert f"best: optimizer.lr={best}, whose mean validation_loss differs by" in said
    assert "4 folds, p" in said and "more seeds" not in said
    winner = read_result(resolve("best", "."))
    assert winner.lr == float(best)  # not the run with the easiest rows


def test_the_closing_sentence_asks_for_no_more_folds() -> None:
    jobs = [
        {"optimizer.lr": lr, "data.fold": str(k), "status": "completed", "validation_loss": 1 + k + 0.1 * k * n}
        for n, lr in enumerate(("1", "2"))
        for k in range(5)
    ]
    said = jobs_table.surest(jobs, ["optimizer.lr", "data.fold"], "validation_loss", 5)
    d = 0.1 * np.arange(5)
    p = 2 * stats.t(4).sf(d.mean() / (d.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)))
    assert said is not None
    assert said.endswith(f"which may be luck (5 folds, p {p:.2g})")
    other = [{**job, "data.folds": "5" if job["optimizer.lr"] == "1" else "6"} for job in jobs]
    assert jobs_table.surest(other, ["optimizer.lr", "data.folds", "data.fold"], "validation_loss") is None


def test_folds_are_compared_in_pairs_with_the_variance_corrected_for_their_common_rows(tmp_path: Path) -> None:
    words = ["optimizer.lr=0.01,0.03", "data.folds=5", "seed=0,1,2", "training.epochs=5", "data.standardize=true"]
    assert main(["-m", "data=linnerud", *words, f"hydra.sweep.dir={tmp_path / 'a'}"]) == 0
    runs = collect([tmp_path / "a"])
    found = against(runs, runs.table, "lr=0.01", "validation_loss", "mean").row(0, named=True)
    of = {(job["optimizer.lr"], job["data.fold"], job["seed"]): float(job["validation_loss"])
          for job in rows(str(tmp_path / "a"))}  # fmt: skip
    d = np.array([np.mean([of["0.03", k, s] - of["0.01", k, s] for s in "012"]) for k in "01234"])
    error = d.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)  # Nadeau and Bengio: 1 / folds + held-out rows / training rows
    half = stats.t(4).ppf(0.975) * error
    assert (found["folds"], found["paired"]) == (5, True)
    assert [found[name] for name in ("difference", "low", "high")] == pytest.approx(
        [d.mean(), d.mean() - half, d.mean() + half]
    )
    assert found["p"] == pytest.approx(2 * stats.t(4).sf(abs(d.mean() / error)))


def test_what_folds_can_not_tell() -> None:
    ours, theirs = ({Fold(k, n, 0, 0): float(k) for k in range(n)} for n in (4, 5))
    with pytest.raises(UserError, match=r"two folds that both settings have, of as many data\.folds"):
        decide(ours, theirs)
    with pytest.raises(UserError, match="--statistic median: of folds"):
        decide(ours, ours, "median")


def test_two_learners_as_good_as_each_other_are_called_different_no_more_often_than_said() -> None:
    """Cross-validated on many fresh tables; without the correction p < 0.05 in 10 % of them."""
    draws, corrected, naive = np.random.default_rng(0), 0, 0
    for _ in range(400):
        features, y = draws.normal(size=(2, 40, 25)), draws.normal(size=40)
        losses: list[dict[Fold, float]] = [{}, {}]
        for fold in range(5):
            held = np.arange(40) % 5 == fold
            for of, x in zip(losses, features, strict=True):
                weight = np.linalg.lstsq(x[~held], y[~held], rcond=None)[0]
                of[Fold(fold, 5, 0, 0)] = float(np.square(y[held] - x[held] @ weight).mean())
        corrected += decide(losses[0], losses[1]).p < 0.05
        one, other = ({k.fold: v for k, v in of.items()} for of in losses)
        naive += decide(one, other).p < 0.05
    assert corrected < 0.055 * 400 < naive


def test_a_search_takes_the_mean_over_the_folds(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["optimizer.lr=tag(log,interval(1e-3,1e-1))", "search.trials=3", "search.confirm=1", "search.seeds=2"]
    assert main(["-m", "hydra/sweeper=search", "data=linnerud", "data.standardize=true", "data.folds=3", *words,
                 "training.epochs=3", "hydra.sweep.dir=a"]) == 0  # fmt: skip
    jobs = rows("a")
    assert [(job["seed"], job["data.fold"]) for job in jobs] == [(s, k) for s in "01" for k in "012"] * 3
    with Path("a/study.csv").open() as file:
        trials = list(csv.DictReader(file))
    for trial in trials:
        own = jobs[int(trial["trial"]) * 6 : int(trial["trial"]) * 6 + 6]
        assert float(trial["validation_loss"]) == pytest.approx(np.mean([float(j["validation_loss"]) for j in own]))
    assert "mean of 2 seeds x 3 folds" in " ".join(capsys.readouterr().out.split())
    names = sorted(job["folder"] for job in rows("a/confirm"))
    assert names == sorted(f"trial_{t}_seed=2_fold={k}" for t in range(3) for k in range(3))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.folds=5"], "data.folds=5: a run holds out one fold; add data.fold=0, or -m for a run of each"),
        (["data.fold=1"], "data.fold=1: of how many folds? add data.folds=5"),
        (["data.folds=5", "data.fold=5"], "data.fold=5: data.folds=5 are numbered from 0 to 4"),
        (["data.folds=5", "data.fold=0", "data.validation=0.2"], "data.folds and data.validation: rows can be held"),
        (["data=stream", "data.folds=5", "data.fold=0"], "data.folds=5: a stream is never in memory as a whole"),
        (["data=stream", "data.groups=a"], "data.groups=a: a stream is never in memory as a whole"),
        (["data=table", "data.groups=a"], "data.groups=a: says what is held out together; add data.folds=5 or"),
        (["-m", "hydra/sweeper=search", "data.fold=0,1", "data.folds=2"], "data.fold=0,1: folds are never searched"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_folds_is_a_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")


def test_a_fold_that_is_none_fails_its_job_alone(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data=linnerud", "data.standardize=true", "training.epochs=3", "data.folds=3", "data.fold=1,3"]
    assert main(["-m", *words, "optimizer.lr=0.01", "hydra.sweep.dir=a"]) == 1
    assert [job["status"] for job in rows("a")] == ["completed", "failed"]
    assert "data.fold=3: data.folds=3 are numbered from 0 to 2" in capsys.readouterr().out


def test_halving_is_refused_where_folds_are_of_unequal_size(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["optimizer.lr=tag(log,interval(1e-3,1e-1))", "search.trials=3", "search.pruner=halving"]
    assert main(["-m", "hydra/sweeper=search", "data=linnerud", "data.folds=3", *words, "training.epochs=9"]) == 1
    assert "search.pruner: compares runs while they train, but some of the data.folds" in capsys.readouterr().err


def test_folds_of_one_size_are_halved_whole() -> None:
    words = ["optimizer.lr=tag(log,interval(1e-3,1e-1))", "search.trials=3", "search.pruner=halving", "data.folds=4"]
    assert main(["-m", "hydra/sweeper=search", "data=linnerud", *words, "training.epochs=9", "search.confirm=0",
                 "data.standardize=true", "hydra.sweep.dir=a"]) == 0  # fmt: skip
    jobs = rows("a")
    kept = [{job["status"] for job in jobs[at : at + 4]} for at in range(0, 12, 4)]
    assert sorted(map(str, kept)) == ["{'completed'}", "{'pruned'}", "{'pruned'}"]
