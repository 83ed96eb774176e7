"""The diagnosis without training: checked against runs that were really trained."""

import re
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.config import schema as schema
from experiments.config.composition import compose
from experiments.learning.evaluation import Evaluation
from experiments.running import runner
from experiments.running.assembly import assemble
from experiments.running.measures.sharpness import sharpness
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


IRIS = ("data=iris", "loss=cross_entropy")


@pytest.mark.parametrize("loss", ["loss=cross_entropy loss.l2=0.001", "loss=huber"])
def test_of_classes_and_huber_what_the_bound_of_the_curvature_says(
    loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data, words = ("iris", loss.split()) if "cross" in loss else ("diabetes", [loss])
    text = said(capsys, f"data={data}", *words, "optimizer.lr=auto")
    stable = re.search(r"full-batch gradient descent is sure to fall: (\S+)", text)
    smallest, at_most = re.search(r"smallest possible loss: (\S+)", text), re.search(r"every rate below (\S+) is", text)
    assert stable is not None and smallest is not None and at_most is not None
    assert "falls at every step" in text and "certainly stable" in text and "with data.standardize=inputs: " in text
    lr = 0.999 * float(stable[1])
    losses: list[float] = []

    def watch(look: Evaluation | None) -> None:
        assert look is not None
        losses.append(look.train_loss)

    config = compose([f"data={data}", *words, f"optimizer.lr={lr}", "training.batch_size=null", "training.epochs=50",
                      "device.dtype=float64", "tracking.figures=false"])  # fmt: skip
    result = runner.run(config, Path("run"), watch=watch)
    assert sorted(losses, reverse=True) == losses
    assert result.metrics["optimum_loss"] == pytest.approx(float(smallest[1]), rel=1e-4)
    assert "2 times that, so the loss may rise" in said(
        capsys, f"data={data}", *words, f"optimizer.lr={2 * lr / 0.999}"
    )


def test_classes_without_an_optimum_and_their_condition_number(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *IRIS)
    assert "no finite optimum: the classes can be separated; add loss.l2=1e-4" in text
    assert "condition number" not in text and "3 classes" in text
    text = said(capsys, *IRIS, "loss.l2=0.001")
    assert "condition number at the optimum: 63867" in text and "inputs: condition number at the optimum: 98.8" in text


def test_of_networks_the_sharpness_at_the_start_and_the_edge(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *IRIS, "loss.l2=0.001", "model=mlp", "optimizer.lr=0.01")
    found = re.search(r"sharpness where the 259 weights start: (\S+), .*\nedge of stability: lr=0.01 holds", text)
    config = compose([*IRIS, "loss.l2=0.001", "model=mlp"])
    assert found is not None and float(found[1]) == pytest.approx(sharpness(assemble(config))[0], rel=1e-4)
    assert "2/lr = 200, as it is at the start" in text and "loss of the best linear model: 0.12234" in text
    above = said(capsys, *IRIS, "model=mlp", "optimizer.lr=10", "optimizer.momentum=0.9")
    assert "begin with a rate below 2/sharpness" in above and "obeys other limits" in above


def test_a_penalty_is_in_the_loss_that_is_diagnosed(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "experiment=standardized", "loss.l2=0.5", "training.batch_size=null")
    plain = said(capsys, "experiment=standardized", "training.batch_size=null")
    largest, without = (re.search(r"of the Hessian (\S+)\)", t) for t in (text, plain))
    assert largest is not None and without is not None
    assert float(largest[1]) == pytest.approx(float(without[1]) + 1.0, abs=1e-3)
    lasso = said(capsys, "loss.l1=0.1")
    assert "loss.l1 does not curve" in lasso and "smallest possible loss: 1.3003" in lasso


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["loss=l1"], "loss=l1 has no curvature"),
        (["loss=l1", "model=mlp"], "loss=l1 has no curvature"),
        (["model._target_=torch.nn.Bilinear"], "error: "),
        (["optimizer=adamm"], "did you mean adam"),
        (["--cfg", "job"], "only overrides and --config-dir"),
    ],
)
def test_refusals(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and words in captured.err and captured.err.count("\n") == 1
