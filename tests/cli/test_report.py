"""The summary's lines: losses beside the optimum, equations, the example, and what a diverged run is told."""

import dataclasses
from pathlib import Path

import pytest

from experiments.cli.report import Display, summary
from experiments.config import schema as schema
from experiments.learning.evaluation import Evaluation
from experiments.running import runner
from experiments.tracking.result import Result, read_result
from tests.conftest import Configured


@pytest.fixture
def result(configured: Configured, tmp_path: Path) -> Result:
    return runner.run(configured(epochs=4, validation=0.2, tensorboard=False), tmp_path / "run")


def with_weights(result: Result, weight: list[list[float]], bias: list[float]) -> Result:
    return dataclasses.replace(result, parameters={"weight": weight, "bias": bias})


def test_losses_stand_beside_the_smallest_possible(result: Result) -> None:
    lines = summary(result)
    assert lines[0] == "completed after 4 epochs, 12 steps, lr 1e-05"
    found = result.metrics
    assert f"loss over all 12 rows: {found['train_loss']:.6g}" in lines
    assert f"loss over 3 held-out rows: {found['validation_loss']:.6g}" in lines
    times = found["train_loss"] / found["optimum_loss"]
    assert any(line.startswith(f"smallest possible loss: {found['optimum_loss']:.6g}") for line in lines)
    assert any(f"({times:.6g} times the smallest possible)" in line for line in lines)
    assert f"folder: {result.folder}" in lines


def test_equations_in_the_tutorials_words_and_the_example(result: Result) -> None:
    lines = summary(with_weights(result, [[-0.4, 0.8, 0.0], [1.0, -2.0, 3.25]], [-2.5, 0.0]))
    assert "yield_apple = -0.4000 * temp + 0.8000 * rainfall + 0.0000 * humidity - 2.5000" in lines
    assert "yield_orange = 1.0000 * temp - 2.0000 * rainfall + 3.2500 * humidity + 0.0000" in lines
    assert "prediction for [75, 63, 44]: apples 17.9000 t/ha, oranges 92.0000 t/ha" in lines


def test_a_stored_result_can_be_summarised(result: Result) -> None:
    assert result.folder is not None
    again = summary(read_result(result.folder))
    assert again[0] == summary(result)[0]
    assert any(line.startswith("apples = ") for line in again)  # the table, and with it what it measures, is not there


def test_a_diverged_run_has_a_remedy_and_no_equations(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(lr=1.0, tensorboard=False), tmp_path)
    for told in (result, read_result(tmp_path)):
        lines = summary(told)
        assert lines[0].startswith("diverged after 2 epochs")
        assert not any(" * temp" in line or line.startswith("prediction") for line in lines)
    assert any("was tried and holds" in line for line in summary(result))


def test_short_rank_is_said_in_words(configured: Configured, tmp_path: Path) -> None:
    data = schema.Synthetic(n_rows=3, n_features=5)
    lines = summary(runner.run(configured(epochs=1, data=data, lr=1e-3, tensorboard=False), tmp_path))
    assert any("not unique" in line for line in lines) and not any("inf" in line for line in lines)


def test_other_losses_are_not_compared(configured: Configured, tmp_path: Path) -> None:
    lines = summary(runner.run(configured(epochs=1, loss=schema.L1(), tensorboard=False), tmp_path))
    assert not any(line.startswith(("smallest", "why")) for line in lines)


def test_display_is_quiet_in_a_pipe(configured: Configured, capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        display.begin(configured())
        display.watch(Evaluation(1, 3, 1e-5, 1.0, None))
        display.watch(None)
    assert capsys.readouterr().out == ""


def test_display_shows_progress_on_a_terminal(
    configured: Configured, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with Display() as display:
        display.begin(configured(epochs=7))
        display.watch(Evaluation(1, 3, 1e-5, 12.5, None))
    assert "training" in (out := capsys.readouterr().out) and "1/7" in out and "loss 12.5" in out
