"""Which figures a run gets, and that they say what its result says."""

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from experiments.config import schema as schema
from experiments.running import runner
from tests.conftest import Configured
from tests.support.figures import words


def names(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "figures").iterdir()}


def test_a_standardised_run_with_held_out_rows_and_a_penalty(
    configured: Configured, tmp_path: Path, drawn: list[Any]
) -> None:
    config = configured(
        epochs=60, batch_size=None, lr=0.3, standardize=True, validation=0.2, loss=schema.MSE(l2=0.1), figures=True,
        tensorboard=False, keep="best",
    )  # fmt: skip
    result = runner.run(config, tmp_path)
    loss, fit, *planes, surface = (words(figure) for figure in drawn)
    assert names(tmp_path) == {"loss", "prediction", "plane_apples", "plane_oranges", "loss_surface"}
    found = result.metrics
    assert f"smallest possible {found['optimum_loss']:.5g}" in loss and "in training with the penalty" in loss
    assert f"weights of epoch {result.best_epoch} kept" in loss
    assert f"exact optimum: {found['optimum_loss']:.5g}" in surface and "standardised columns" in surface
    for i, plane in enumerate(planes):
        assert f"RMSE {found['rmse'][i]:.4g} t/ha,  R² {found['r2'][i]:.4f}" in fit
        assert f"held out: RMSE {found['validation_rmse'][i]:.4g} t/ha" in fit
        assert f"RMSE {found['rmse'][i]:.4g}" in plane


@pytest.mark.parametrize("loss", [schema.L1(), schema.Huber(), schema.MSE(l1=0.5)])
def test_the_map_of_any_loss_of_ours_ends_where_the_run_does(
    loss: Any, configured: Configured, tmp_path: Path, drawn: list[Any]
) -> None:
    result = runner.run(configured(epochs=30, lr=1e-3, standardize=True, loss=loss, figures=True), tmp_path)
    assert f"end: {result.metrics['train_loss']:.5g}" in words(drawn[-1])
    assert f"exact optimum: {result.metrics['optimum_loss']:.5g}" in words(drawn[-1])


def test_beside_a_network_stands_the_best_linear_fit(configured: Configured, tmp_path: Path, drawn: list[Any]) -> None:
    result = runner.run(configured(model=schema.MLP(), figures=True), tmp_path)
    assert f"best linear fit {result.metrics['linear_loss']:.5g}" in words(drawn[0])
    assert names(tmp_path) == {"loss", "prediction"}


@pytest.mark.parametrize("model", [schema.Model(), schema.CNN()])
def test_a_classifier_is_shown_by_its_mistakes(
    model: Any, configured: Configured, tmp_path: Path, drawn: list[Any]
) -> None:
    config = configured(
        data=schema.Digits(), loss=schema.CrossEntropy(), model=model, epochs=2, batch_size=128, lr=0.01,
        validation=0.2, figures=True,
    )  # fmt: skip
    result = runner.run(config, tmp_path)
    linear = isinstance(model, schema.Model)
    assert names(tmp_path) == {"loss", "confusion", "most_wrong"} | ({"weights"} if linear else set())
    accuracy = result.metrics["accuracy"], result.metrics["validation_accuracy"]
    for axes, name, rows, share in zip(
        drawn[1].axes, ("training", "held-out"), result.rows.values(), accuracy, strict=False
    ):
        assert f"{name} rows: {round(share * rows):,} of {rows:,} right ({share:.4g})" in axes.get_title()
        assert f"{name} rows: {round((1 - share) * rows):,} of {rows:,} wrong" in words(drawn[2])
    assert set(EventAccumulator(str(tmp_path)).Reload().Tags()["images"]) == names(tmp_path)
