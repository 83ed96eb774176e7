"""The summary's lines: losses beside the optimum, the fit, equations, the example; every number of the table's."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.cli.summary import beside_the_optimum, equations, summary
from experiments.config import schema as schema
from experiments.config.schema import Config
from experiments.running import runner
from experiments.stored.equations import aligned
from experiments.tracking.result import Result, read_result
from tests.conftest import Configured


@pytest.fixture
def config(configured: Configured) -> Config:
    return configured(epochs=4, validation=0.2, tensorboard=False)


@pytest.fixture
def result(config: Config, tmp_path: Path) -> Result:
    return runner.run(config, tmp_path / "run")


def with_metrics(result: Result, **metrics: Any) -> Result:
    return dataclasses.replace(result, metrics=result.metrics | metrics)


def with_weights(result: Result, weight: list[list[float]], bias: list[float]) -> Result:
    return dataclasses.replace(result, parameters={"weight": weight, "bias": bias})


def beside(config: Config, result: Result) -> str:
    (line,) = (line for line in summary(config, result) if line.startswith("smallest"))
    return line


def test_losses_stand_beside_the_smallest_possible(config: Config, result: Result) -> None:
    lines, found = summary(config, result), result.metrics
    assert lines[0] == "completed after 4 epochs, 12 steps, lr 1e-05"
    assert f"loss over all 12 rows: {found['train_loss']:.6g}" in lines
    assert f"loss over 3 held-out rows: {found['validation_loss']:.6g}" in lines
    times = found["train_loss"] / found["optimum_loss"]
    assert beside(config, result) == (
        f"smallest possible loss: {found['optimum_loss']:.6g}; the loss is {times:.6g} times that "
        f"(gap {found['train_loss'] - found['optimum_loss']:.6g})"
    )
    assert f"folder: {result.folder}" in lines


def test_the_loss_stands_beside_that_without_its_penalty(config: Config, result: Result) -> None:
    lines = summary(config, with_metrics(result, train_loss=3.0, data_loss=2.5))
    assert "loss over all 12 rows: 3 (2.5 without the penalty)" in lines
    scaled = dataclasses.replace(config, data=dataclasses.replace(config.data, standardize=True))
    (line,) = (
        line for line in summary(scaled, with_metrics(result, train_loss=3.0, data_loss=2.5)) if "all 12" in line
    )
    assert line.endswith("(2.5 without the penalty, which is on the weights of standardised columns)")
    lost = summary(config, with_metrics(result, train_loss=None, data_loss=1e27))
    assert "loss over all 12 rows: not finite" in lost


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"gap": 0.25, "gap_relative": 0.125}, "smallest possible loss: 2; the loss is 12.5 % above it (gap 0.25)"),
        ({"gap": 1e-12, "gap_relative": 5e-13}, "smallest possible loss: 2 (gap 1e-12)"),
        ({"gap": 0.5, "gap_relative": None}, "smallest possible loss: 2 (gap 0.5)"),
        ({"gap": None, "gap_relative": None}, "smallest possible loss: 2 (gap not finite)"),
    ],
)
def test_the_loss_is_not_taken_for_the_gap(metrics: dict[str, Any], said: str, config: Config, result: Result) -> None:
    assert beside(config, with_metrics(result, optimum_loss=2.0, **metrics)) == said


def test_beside_a_model_that_is_not_linear_stands_the_best_linear_fit(result: Result) -> None:
    def said(classes: Any = None, **metrics: Any) -> str:
        bent = dataclasses.replace(result, parameters=None, conditioning=None, classes=classes)
        (line,) = beside_the_optimum(with_metrics(bent, **({"linear_loss": 2.0} | metrics)))
        return line

    # mean squares of 1 and 3 with spreads of 4 and 16: of 10 the network leaves 2, the plane 4
    squares = {"rmse": [1.0, 3**0.5], "r2": [1 - 1 / 4, 1 - 3 / 16], "train_loss": 2.0}
    told = said(**squares | {"linear_loss": 4.0})
    more = "the network explains 20 % more than the best plane (R² 0.8000 against 0.6000)"
    assert told == f"loss of the best linear fit: 4; {more}"
    assert "explains 5 % less than the best plane" in said(**squares | {"linear_loss": 1.5})
    assert said(train_loss=1.5) == "loss of the best linear fit: 2; the network's is 25 % below it"
    assert said(train_loss=6.0) == "loss of the best linear fit: 2; the network's is 3 times that"
    assert said(train_loss=3.0, data_loss=1.0).startswith("loss of the best linear fit: 2 with its penalty; the net")
    assert "linear classifier: 2; the network's is 50 % above it" in said(["a", "b"], train_loss=3.0)
    assert "can separate the classes" in said(["a", "b"], train_loss=3.0, linear_loss=0.0)


def test_each_targets_fit_over_training_and_held_out_rows(config: Config, result: Result) -> None:
    from sklearn.metrics import r2_score

    assert result.table is not None
    y, predicted = result.table.y.numpy(), result.predict(result.table.x)
    lines, found = summary(config, result), result.metrics
    for i, name in enumerate(("apples: ", "oranges:")):
        rmse, r2 = np.sqrt(np.mean((y[:, i] - predicted[:, i]) ** 2)), r2_score(y[:, i], predicted[:, i])
        held = f"RMSE {found['validation_rmse'][i]:.6g} t/ha, R² {found['validation_r2'][i]:.4f}"
        assert f"{name} RMSE {rmse:.6g} t/ha, R² {r2:.4f}; held out: {held}" in lines
    alone = with_metrics(result, validation_rmse=None, validation_r2=None, r2=[None, -1e12])
    assert [line for line in summary(config, alone) if "RMSE" in line] == [
        f"apples:  RMSE {found['rmse'][0]:.6g} t/ha", f"oranges: RMSE {found['rmse'][1]:.6g} t/ha, R² -1e+12",
    ]  # fmt: skip


def test_equations_in_the_tutorials_words_below_each_other(config: Config, result: Result) -> None:
    lines = summary(config, with_weights(result, [[-0.4, 0.8, 0.0], [12.0, -2.0, 3.25]], [-2.5, 0.0]))
    assert "yield_apple  = -0.4000 * temp + 0.8000 * rainfall + 0.000 * humidity - 2.500" in lines
    assert "yield_orange = 12.0000 * temp - 2.0000 * rainfall + 3.250 * humidity + 0.000" in lines
    assert "prediction for [75, 63, 44]: apples 17.9 t/ha, oranges 917 t/ha" in lines


def test_a_model_without_intercept_has_none_in_its_equation(config: Config, result: Result) -> None:
    lines = summary(config, with_weights(result, [[1.0, 2.0, 3.0]] * 2, [0.0, 0.0]))
    assert "yield_apple  = 1.000 * temp + 2.000 * rainfall + 3.000 * humidity" in lines


def test_classes_have_the_equations_of_their_logits(result: Result) -> None:
    assert result.parameters is not None
    weight, bias = result.parameters["weight"], result.parameters["bias"]
    three = {"weight": [*weight, [1.0, 2.0, 3.0]], "bias": [*bias, 1.0]}
    lines = equations(dataclasses.replace(result, classes=["n", "s", "t"], parameters=three))
    assert [line.partition(" =")[0] for line in lines] == ["logit of n", "logit of s", "logit of t"]
    one = {"weight": weight[:1], "bias": bias[:1]}
    (line,) = equations(dataclasses.replace(result, classes=["n", "s"], parameters=one))
    assert line.startswith("log odds of s = ") and line.count(" * ") == 3


def test_small_coefficients_are_not_zero(config: Config, result: Result) -> None:
    lines = summary(config, with_weights(result, [[3.08e-5, 0.8, 1e-9], [1.0, 1.0, 1.0]], [0.0, 0.0]))
    apples, oranges = (next(line for line in lines if line.startswith(f"yield_{name}")) for name in ("apple", "orange"))
    assert "3.080e-05 * temp" in apples and "1.000e+00 * temp" in oranges
    assert "1.000e-09 * humidity" in apples
    assert [i for i, c in enumerate(apples) if c == "*"] == [i for i, c in enumerate(oranges) if c == "*"]


@pytest.mark.parametrize(
    "values", [[0.0], [1234.5678], [-0.000123456, 5.0], [1e-12, 1.0], [9.99996, 1e9], [2.5e7, 3.0]]
)
def test_numbers_below_each_other_keep_four_digits_and_one_width(values: list[float]) -> None:
    texts = aligned(values)
    assert len({len(text) for text in texts}) == 1
    for text, value in zip(texts, values, strict=True):
        assert float(text) == pytest.approx(value, rel=5.1e-4)


def test_a_stored_result_can_be_summarised(config: Config, result: Result) -> None:
    assert result.folder is not None
    again = summary(config, read_result(result.folder))
    assert again[0] == summary(config, result)[0]
    assert any(line.startswith("apples  = ") for line in again)  # the table, and with it what it measures, is not there


def test_a_diverged_run_has_a_remedy_and_no_equations(configured: Configured, tmp_path: Path) -> None:
    config = configured(lr=1.0, tensorboard=False)
    result = runner.run(config, tmp_path)
    for told in (result, read_result(tmp_path)):
        lines = summary(config, told)
        assert lines[0].startswith("diverged after 2 epochs")
        assert not any(" * temp" in line or line.startswith("prediction") or "RMSE" in line for line in lines)
    assert any("was tried and holds" in line for line in summary(config, result))


def test_restored_weights_are_told(configured: Configured, tmp_path: Path) -> None:
    config = configured(epochs=2000, validation=0.2, patience=5, tensorboard=False)
    result = runner.run(config, tmp_path / "stopped")
    assert result.status == "stopped_early"
    assert f"early stopping restored the best (epoch {result.best_epoch})" in summary(config, result)
    at_the_end = dataclasses.replace(result, status="completed")
    assert f"the weights are the best (epoch {result.best_epoch})" in summary(config, at_the_end)
    last = dataclasses.replace(result, best_epoch=result.epochs)
    assert not any("the best (epoch" in line for line in summary(config, last))
    assert math.isfinite(result.metrics["train_loss"])
