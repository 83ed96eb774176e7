"""`experiments test`: the rows of data.test, read by nothing else, and once."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, log_loss

from experiments import load_run
from experiments.__main__ import main

LINNERUD = ["data=linnerud", "data.standardize=true", "optimizer.lr=0.05", "training.epochs=5", "data.test=0.3"]


def trained(name: str, *words: str) -> Path:
    assert main([*words, f"hydra.run.dir={name}", "tracking.figures=false"]) == 0
    return Path(name)


def test_the_metrics_are_of_rows_that_training_has_not_seen(capsys: pytest.CaptureFixture[str]) -> None:
    from experiments.data.sources.samples import Linnerud

    folder = trained("a", *LINNERUD, "data.validation=0.2")
    result = json.loads((folder / "result.json").read_text())
    assert result["rows"] == {"train": 11, "validation": 3, "dropped": 0, "test": 6}
    assert not (folder / "test.json").exists()
    capsys.readouterr()
    assert main(["test", "a"]) == 0
    said, found = capsys.readouterr(), json.loads((folder / "test.json").read_text())
    assert said.out.startswith("6 rows that the run has not seen:\nloss: ") and not said.err
    whole, run = Linnerud().load(), load_run("a")
    error = np.square(run.model.of(whole.x.numpy()) - whole.y.numpy())
    parts = {k: result["metrics"][f"{k}_loss"] * result["rows"][k] for k in ("train", "validation")}
    assert 6 * found["metrics"]["loss"] + sum(parts.values()) == pytest.approx(20 * error.mean(), rel=1e-6)
    assert found["rows"] == 6 and len(found["reads"]) == 1


def test_a_second_look_says_so_and_so_does_a_look_at_a_run_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (trained(f"runs/{k}", *LINNERUD, f"seed={k}") for k in (1, 2))
    assert main(["test", str(first)]) == 0
    (when,) = json.loads((first / "test.json").read_text())["reads"]
    capsys.readouterr()
    assert main(["test", str(first)]) == 0
    assert capsys.readouterr().err == (
        f"note: read before, {when}: what was chosen by these rows is no longer tested by them\n"
    )
    assert len(json.loads((first / "test.json").read_text())["reads"]) == 2
    assert main(["test", str(second)]) == 0
    assert "note: 1 other run beside it was tested on these rows: do not choose by them" in capsys.readouterr().err


def test_of_classes_and_folds_of_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data=iris", "loss=cross_entropy", "data.test=0.2", "data.folds=3", "optimizer.lr=0.1"]
    assert main(["-m", *words, "training.epochs=5", "hydra.sweep.dir=a"]) == 0
    seen = set()
    for folder in sorted(Path("a").glob("?_fold=*")):
        assert main(["test", str(folder)]) == 0
        found = json.loads((folder / "test.json").read_text())
        seen.add(found["data_hash"])
        assert found["rows"] == 30 and set(found["metrics"]) >= {"loss", "accuracy", "macro_f1"}
        assert json.loads((folder / "result.json").read_text())["rows"] == {
            "train": 80, "validation": 40, "dropped": 0, "test": 30,
        }  # fmt: skip
    assert len(seen) == 1  # the same rows, of whatever fold


def test_accuracy_and_loss_are_scikit_learns() -> None:
    from experiments.data.prepared import Preparation, prepare
    from experiments.data.sources.samples import Iris

    trained("a", "data=iris", "loss=cross_entropy", "data.test=0.2", "optimizer.lr=0.1", "training.epochs=5")
    assert main(["test", "a"]) == 0
    found, rows = (
        json.loads(Path("a/test.json").read_text()),
        prepare(Iris().load(), Preparation(labels=True, test=0.2)).test,
    )
    assert rows is not None
    model, names = load_run("a").model, sorted(load_iris()["target_names"])  # type: ignore[call-overload]  # a Bunch
    truth = [names[int(k)] for k in rows.y[:, 0]]
    chances = softmax(model.of(rows.x.numpy()), axis=1)
    likely = [names[k] for k in chances.argmax(1)]
    assert found["metrics"]["accuracy"] == pytest.approx(accuracy_score(truth, likely))
    assert found["metrics"]["loss"] == pytest.approx(log_loss(truth, chances, labels=names))


def test_what_can_not_be_tested(capsys: pytest.CaptureFixture[str]) -> None:
    trained("a", "training.epochs=2")
    assert main(["test", "a"]) == 2
    assert capsys.readouterr().err == "error: a: has no rows for a test; train with data.test=0.2\n"
    Path("t.csv").write_text("x,y\n" + "".join(f"{k},{k * k}\n" for k in range(20)))
    trained("b", "data=table", "data.path=t.csv", "data.targets=[y]", "data.test=0.2", "optimizer.lr=1e-6")
    Path("t.csv").write_text("x,y\n" + "".join(f"{k},{k + 1}\n" for k in range(20)))
    assert main(["test", "b"]) == 2
    assert "b: its data have changed since" in capsys.readouterr().err
    assert main(["data=stream", "data.test=0.2"]) == 2
    assert "data.test=0.2: a stream is never in memory as a whole" in capsys.readouterr().err
