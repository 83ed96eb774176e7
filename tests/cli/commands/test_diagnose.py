"""The diagnosis without training: checked against runs that were really trained."""

import re
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.config import schema as schema
from experiments.learning.evaluation import Evaluation
from experiments.running import runner
from tests.conftest import Configured


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["diagnose", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert not Path("outputs").exists(), "nothing is written"
    return captured.out


def test_the_tutorials_table(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys)
    for words in (
        "15 rows, 3 features, 2 targets", "smallest possible loss: 0.90945", "condition number: 2.2009e+06",
        "largest eigenvalue of the Hessian 17929", "gradient descent: 0.00011155",
        "lr=1e-05: full-batch gradient descent converges", "batches of 5", "certainly stable",
        "condition number 7.0192",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize(("lr", "word"), [("1.1e-4", "converges"), ("1.13e-4", "diverges, the rate is 1.013 times")])
def test_the_cliff(capsys: pytest.CaptureFixture[str], lr: str, word: str) -> None:
    text = said(capsys, f"optimizer.lr={lr}", "training.batch_size=null")
    assert f"full-batch gradient descent {word}" in text
    assert ("never: it diverges" in text) == (word != "converges")


def test_epochs_foretold_are_the_epochs_needed(
    configured: Configured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "optimizer.lr=1e-4", "training.batch_size=null", "device.dtype=float64")
    line = next(line for line in text.splitlines() if line.startswith("full-batch descent at"))
    ten, two = (int(number.replace(",", "")) for number in re.findall(r"x in ([\d,]+) epochs", line)[:2])
    losses: list[float] = []

    def watch(look: Evaluation | None) -> None:
        assert look is not None
        losses.append(look.train_loss)

    config = configured(
        model=schema.AnalyticModel(), optimizer=schema.ManualSGD(lr=1e-4), batch_size=None, epochs=two,
        dtype="float64", tensorboard=False, weights=False,
    )  # fmt: skip
    result = runner.run(config, tmp_path / "run", watch=watch)
    smallest = result.metrics["optimum_loss"]
    for epochs, factor in ((ten, 10), (two, 2)):
        assert losses[epochs - 1] <= factor * smallest < losses[epochs - 2]


def test_standardised_and_without_intercept(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "experiment=standardized")
    assert "standardised" in text and "condition number: 7.0192" in text and "with data.standardize" not in text
    assert "3 features" in said(capsys, "model.bias=false")


def test_an_answer_that_is_not_unique_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "data=synthetic", "data.n_rows=4", "data.n_features=6")
    assert "not unique: 4 of 7 columns" in text and "smallest loss is zero" in text


def test_a_sum_of_columns_is_told_as_a_run_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    """In float32, as it is trained, the sum's rounding would make it a column of its own."""
    rows = [(float(a), a * a / 7, (a * 37) % 11 / 3) for a in range(1, 30)]
    Path("t.csv").write_text("a,b,s,y\n" + "".join(f"{a},{b},{a + 1e-3 * b},{y}\n" for a, b, y in rows))
    words = ["data=table", "data.path=t.csv", "data.targets=[y]"]
    assert "the answer is not unique: 3 of 4 columns are independent" in said(capsys, *words)
    assert main([*words, "tracking.figures=false", "training.epochs=1"]) == 0
    assert "rank 3 of 4 columns" in capsys.readouterr().err


def test_another_optimizer_obeys_other_limits(capsys: pytest.CaptureFixture[str]) -> None:
    assert "obeys other limits" in said(capsys, "optimizer=adam")
    assert "obeys other limits" in said(capsys, "optimizer.momentum=0.9")
    assert "obeys other limits" not in said(capsys, "optimizer=manual_sgd")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["loss=l1"], "under loss=mse only"),
        (["model._target_=torch.nn.Bilinear"], "error: "),
        (["optimizer=adamm"], "did you mean adam"),
        (["--cfg", "job"], "only overrides and --config-dir"),
    ],
)
def test_refusals(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and words in captured.err and captured.err.count("\n") == 1
