"""The tutorial's two experiments and the standardised one, held to the numbers in tutorial-facts."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments import run, sweep
from experiments.comparison.runs_table import collect
from experiments.comparison.swept import sweep_of
from experiments.config import schema as schema
from experiments.config.composition import compose
from experiments.config.paths import config_folder
from experiments.config.schema import Config
from experiments.data.sources.crops import crops
from experiments.exact.optimum import solve
from experiments.running import runner
from tests.conftest import Configured

SMALLEST = {5: 0.48312122205820185, 15: 0.9094459849188882}
NEW_REGION = {5: [53.4228, 67.1162], 15: [53.7956, 66.8065]}
LAMBDA = {5: 17909.4626, 15: 17928.9769}
CONDITION = {5: 2.186e6, 15: 2.201e6}


def quiet(config: Config, **training: object) -> Config:
    return dataclasses.replace(
        config,
        tracking=schema.Tracking(tensorboard=False, figures=False, weights=False),
        training=dataclasses.replace(config.training, **training),
    )


@pytest.mark.parametrize("rows", [5, 15])
def test_optimum_and_conditioning(configured: Configured, tmp_path: Path, rows: int) -> None:
    data = crops(rows)
    optimum = solve(data.x, data.y)
    np.testing.assert_allclose(optimum.weight @ [75, 63, 44] + optimum.bias, NEW_REGION[rows], atol=5e-5)
    result = runner.run(configured(epochs=0, data=schema.CropsSmall() if rows == 5 else schema.Crops()), tmp_path)
    assert result.metrics["optimum_loss"] == pytest.approx(SMALLEST[rows], abs=1e-9)
    assert result.conditioning is not None
    assert result.conditioning["lambda_max"] == pytest.approx(LAMBDA[rows], abs=1e-4)
    assert result.conditioning["max_stable_lr"] == pytest.approx(2 / LAMBDA[rows], rel=1e-8)
    assert result.conditioning["condition_number"] == pytest.approx(CONDITION[rows], rel=1e-3)


@pytest.mark.parametrize(("lr", "status"), [(1.1e-4, "completed"), (1.13e-4, "diverged")])
def test_the_cliff_of_the_learning_rate(configured: Configured, tmp_path: Path, lr: float, status: str) -> None:
    config = configured(
        model=schema.AnalyticModel(), optimizer=schema.ManualSGD(lr=lr), batch_size=None, epochs=6000, log_every=500,
        dtype="float64", tensorboard=False,
    )  # fmt: skip
    if status == "diverged":  # by a factor of 1.026 an epoch: float64 lasts for 14,000 epochs
        config = dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=40_000))
    result = runner.run(config, tmp_path)
    assert result.status == status
    if status == "completed":
        assert result.metrics["train_loss"] < 2


def test_from_scratch_has_the_tutorials_setting_and_course(tmp_path: Path) -> None:
    config = compose(["experiment=from_scratch"])
    assert type(config.model) is schema.ManualModel and config.model.init == "normal"
    assert type(config.optimizer) is schema.ManualSGD and config.optimizer.lr == 1e-5
    assert type(config.loss) is schema.ManualMSE and type(config.data) is schema.CropsSmall
    assert config.training.epochs == 201 and config.training.batch_size is None
    result = runner.run(quiet(config), tmp_path / "run")
    assert result.steps == 201 and result.status == "completed"
    assert 10 < result.metrics["train_loss"] < 1000  # the author's unseeded run printed 130.35
    one = runner.run(quiet(config, epochs=1), tmp_path / "one").metrics["train_loss"]
    start = runner.run(quiet(config, epochs=0), tmp_path / "none").metrics["train_loss"]
    assert one / start == pytest.approx(10762.5 / 15813.8, abs=0.1)


def test_builtins_is_the_default_run_through_a_dataloader() -> None:
    builtins, default = compose(["experiment=builtins"]), compose([])
    assert builtins.data.loader == "torch" and default.data.loader == "tensor"
    assert dataclasses.replace(builtins, data=default.data) == default
    assert default.training.epochs == 100 and default.training.batch_size == 5 and default.optimizer.lr == 1e-5


def test_builtins_end_the_same_whichever_way_the_batches_come(tmp_path: Path) -> None:
    ends = [
        runner.run(quiet(compose(words)), tmp_path / str(n)).metrics["train_loss"]
        for n, words in enumerate((["experiment=builtins"], []))
    ]
    assert ends[0] == ends[1]


def test_ten_seeds_spread_as_published(configured: Configured, tmp_path: Path) -> None:
    """tutorial-facts: 11.0 / 29.6 / 60.4 (min / median / max) over ten seeds, from other starts and orders."""
    losses = []
    for seed in range(10):
        result = runner.run(configured(seed=seed, tensorboard=False, weights=False), tmp_path / str(seed))
        losses.append(result.metrics["train_loss"])
        assert SMALLEST[15] < losses[-1]
    assert 4 < min(losses) < 20 and 18 < np.median(losses) < 45 and 35 < max(losses) < 110


def test_standardized_is_at_the_optimum_within_fifty_epochs(tmp_path: Path) -> None:
    config = compose(["experiment=standardized", "training.epochs=50"])
    assert config.data.standardize and config.optimizer.lr == 0.5 and config.training.batch_size is None
    result = runner.run(quiet(config), tmp_path / "run")
    assert result.metrics["train_loss"] == pytest.approx(SMALLEST[15], abs=1e-4)
    assert result.conditioning is not None
    assert result.conditioning["condition_number"] == pytest.approx(7, rel=0.01)
    np.testing.assert_allclose(result.predict([75, 63, 44]), NEW_REGION[15], atol=1e-2)


def test_the_map_of_rates_has_the_predicted_edge_within_a_step_of_its_grid() -> None:
    table = sweep("experiment=lr_map").sort("lr")
    (folder,) = Path("outputs/sweeps").iterdir()
    runs = collect([folder])
    swept = sweep_of(runs.table, runs.varied)
    assert swept is not None and swept.limit is not None
    start = run("training.epochs=0", "training.batch_size=null", "tracking.figures=false").metrics["train_loss"]
    falls = [r["lr"] for r in table.iter_rows(named=True) if r["status"] == "completed" and r["train_loss"] < start]
    rates = table["lr"].to_list()
    edge = rates.index(max(falls))
    assert rates[edge] <= swept.limit * 10 ** (1 / 8) and swept.limit <= rates[edge + 1] * 10 ** (1 / 8)
    assert rates[:edge] == falls[:-1]  # no rate below it diverges
    assert len(sweep("experiment=lr_map", "optimizer.lr=1e-5,1e-4")) == 2  # the command line counts
    lines = sweep_of(runs.table.with_columns(pl.lit(0.9).alias("optimizer.momentum")), runs.varied)
    assert lines is not None and lines.limit is None  # momentum has another limit


def test_what_a_preset_makes_a_sweep_gives_python_its_rows() -> None:
    rows: Any = run("hydra.mode=MULTIRUN", "seed=0,1", "training.epochs=1")
    assert [row["number"] for row in rows] == [0, 1] and {row["status"] for row in rows} == {"completed"}


def test_a_config_of_ones_own_may_make_every_run_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = shutil.copytree(config_folder(), tmp_path / "conf")
    text = (own / "config.yaml").read_text()
    for change in (("\nhydra:\n", "\nhydra:\n  mode: MULTIRUN\n"), ("experiment: null", "experiment: twice")):
        assert text.count(change[0]) == 1
        (own / "config.yaml").write_text(text.replace(*change))
        (own / "experiment" / "twice.yaml").write_text("# @package _global_\nhydra:\n  mode: MULTIRUN\n")
        for module in ("experiments.cli.application", "experiments.config.composition"):
            monkeypatch.setattr(f"{module}.config_folder", lambda: own)
        rows: Any = run("seed=0,1", "training.epochs=1")
        assert [row["number"] for row in rows] == [0, 1]
