"""load_run: config, result, metrics and model of a stored run, checked against what is in its files and by hand."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from experiments import load_run, run
from experiments.__main__ import main
from experiments.errors import UserError

QUICK = ["training.epochs=4", "tracking.figures=false", "tracking.tensorboard=false"]
ROWS = np.array([[75.0, 63.0, 44.0], [91.0, 100.5, 50.25]])
MODULE = '''
import torch

class Halves(torch.nn.Module):
    """Half of a linear map of the absolute inputs: linear in the weights, not in the inputs."""

    def __init__(self, in_features: int, out_features: int, scale: float = 0.5) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(in_features, out_features)
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.inner(x.abs())
'''


def trained(*overrides: str) -> Path:
    folder = run(*QUICK, *overrides).folder
    assert folder is not None
    return folder


@pytest.mark.parametrize("model", ["linear", "manual", "analytic"])
@pytest.mark.parametrize("options", [[], ["data.standardize=true", "optimizer.lr=0.1"], ["model.bias=false"]])
def test_a_linear_model_predicts_in_the_tables_units(model: str, options: list[str]) -> None:
    folder = trained(f"model={model}", *options)
    loaded = load_run(folder)
    listed = orjson.loads((folder / "result.json").read_bytes())["parameters"]
    weight, bias = np.array(listed["weight"]), np.array(listed["bias"])
    expected = ROWS @ weight.T + bias
    assert loaded.predict(ROWS) == pytest.approx(expected, rel=1e-6)
    assert loaded.predict(ROWS[0]) == pytest.approx(expected[0], rel=1e-6)
    assert loaded.predict(ROWS[0].tolist()).shape == (2,)
    assert loaded.model.weight is not None and loaded.model.weight.shape == (2, 3)
    module = loaded.model.module
    assert isinstance(module, torch.nn.Linear)
    with torch.no_grad():
        assert module(torch.from_numpy(ROWS)).numpy() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("words", [["mlp", "model.dropout=0.5", "data.standardize=inputs"], ["cnn"]])
def test_a_network_predicts_what_it_did_when_it_was_trained(words: list[str]) -> None:
    result = run(
        *QUICK, f"model={words[0]}", *words[1:], "data=digits", "loss=cross_entropy", "training.batch_size=600"
    )
    assert result.folder is not None
    x, y = load_digits(return_X_y=True)
    right = (load_run(result.folder).predict(x) == y).mean()
    assert right == pytest.approx(result.metrics["accuracy"], abs=1e-12)


def test_config_result_and_metrics_are_those_of_the_files() -> None:
    folder = trained("data.validation=0.2", "seed=3")
    loaded = load_run("last")
    assert loaded.folder.resolve() == folder.resolve()
    assert loaded.config == orjson.loads((folder / "config.json").read_bytes())
    assert loaded.result == orjson.loads((folder / "result.json").read_bytes())
    lines = [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
    assert isinstance(loaded.metrics, pl.DataFrame)
    assert loaded.metrics.rows(named=True) == lines
    assert loaded.metrics["epoch"].to_list() == [1, 2, 3, 4]
    assert loaded.metrics.schema["loss/validation"] == pl.Float64


def test_a_notebook_is_shown_one_short_line() -> None:
    result = run(*QUICK, "data.validation=0.2")
    assert result.folder is not None
    run_again, losses = load_run(result.folder), result.metrics
    expected = (
        f"<completed after 4 epochs: train_loss {losses['train_loss']:.6g}, "
        f"validation_loss {losses['validation_loss']:.6g}, gap {losses['gap']:.6g}; {result.folder}>"
    )
    assert repr(result) == repr(run_again) == expected
    (result.folder / "result.json").unlink()
    assert repr(load_run(result.folder)).startswith("<unfinished after 4 epochs: train_loss ")
    (result.folder / "metrics.jsonl").write_text("")
    assert repr(load_run(result.folder)) == f"<unfinished after 0 epochs; {result.folder}>"


def test_an_unfinished_run_has_metrics_and_says_that_it_has_no_model() -> None:
    folder = trained()
    (folder / "result.json").unlink()
    loaded = load_run(folder)
    assert loaded.result is None and loaded.metrics.height == 4
    with pytest.raises(UserError, match="the run has no result yet"):
        loaded.predict(ROWS)
    (folder / "metrics.jsonl").unlink()
    assert load_run(folder).metrics.is_empty()


def test_rows_that_do_not_fit_are_refused_in_one_line() -> None:
    loaded = load_run(trained())
    for rows, words in (
        ([1.0, 2.0], "rows: 2 values; the model takes 3: temp, rainfall, humidity"),
        ([["a", "b", "c"]], "row 1, column temp: a where a finite number"),
        ([[1.0], [1.0, 2.0]], "rows: 1 value; the model takes 3"),
        (np.zeros((2, 2, 3)), "rows of 3 dimensions; must be "),
        (pl.DataFrame({"temp": [1.0]}), "rows: there is no column rainfall"),
    ):
        with pytest.raises(UserError, match=words) as refused:
            loaded.predict(rows)
        assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match="no run below outputs/ is called so"):
        load_run("nosuch")


def test_a_table_with_categories_from_file_to_prediction(capsys: pytest.CaptureFixture[str]) -> None:
    soils = ["clay", "loam", "sand"] * 4
    frame = pl.DataFrame({"soil": soils, "rain": np.arange(12.0), "yield": np.arange(12.0) ** 1.5})
    frame.write_csv("fields.csv")
    folder = trained("data=table", "data.path=fields.csv", "data.targets=[yield]", "data.one_hot=[soil]")
    listed = orjson.loads((folder / "result.json").read_bytes())["parameters"]
    (loam, sand, rain), (bias,) = *listed["weight"], listed["bias"]
    expected = [{"clay": 0.0, "loam": loam, "sand": sand}[soil] + rain * k + bias for k, soil in enumerate(soils)]
    assert load_run(folder).predict(frame)[:, 0] == pytest.approx(expected, rel=1e-6)
    capsys.readouterr()
    assert main(["predict", str(folder), "rain=2,soil=sand"]) == 0
    assert capsys.readouterr().out == f"yield {expected[2]:.6g}\n"


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of the user's own in the current folder, trusted by the environment."""
    (tmp_path / "mine_of_load.py").write_text(MODULE)
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", "mine_of_load")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("mine_of_load", None)


@pytest.mark.parametrize("options", [[], ["data.standardize=true", "optimizer.lr=0.1"]])
def test_a_module_of_ones_own(
    options: list[str], trusted: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained("model._target_=mine_of_load.Halves", "+model.scale=0.25", *options)
    tensors = load_file(folder / "model.safetensors")
    x = ROWS
    if options:
        x = (x - tensors["scaling.x_shift"]) / tensors["scaling.x_scale"]
    expected = 0.25 * (np.abs(x) @ tensors["inner.weight"].T.astype(float) + tensors["inner.bias"])
    if options:
        expected = expected * tensors["scaling.y_scale"] + tensors["scaling.y_shift"]
    loaded = load_run(folder)
    assert loaded.predict(ROWS) == pytest.approx(expected, rel=1e-5)
    assert loaded.model.weight is None and type(loaded.model.module).__name__ == "Halves"
    capsys.readouterr()
    assert main(["predict", str(folder), "75,63,44"]) == 0
    assert capsys.readouterr().out.startswith(f"apples {float(expected[0, 0]):.4g}"[:10])
    assert main(["rerun", str(folder)]) == 0
    assert "weights: the same bits" in capsys.readouterr().out
    monkeypatch.delenv("EXPERIMENTS_TRUSTED_MODULES")  # the folder alone is no reason to run it
    for words in (["predict", str(folder), "75,63,44"], ["rerun", str(folder)]):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert "the module is not trusted" in error and error.count("\n") == 1
