"""Start weights from a file: they predict what they predicted where they came from, to the bit where that can be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from experiments import run, sweep
from experiments.config import schema as schema
from experiments.errors import UserError
from experiments.running import runner
from tests.conftest import Configured

NOTHING = {"epochs": 0, "tensorboard": False}


@pytest.mark.parametrize("model", [schema.Model(), schema.ManualModel(), schema.AnalyticModel(), schema.MLP()])
@pytest.mark.parametrize("scaled", [False, "inputs", True])
def test_a_run_starts_from_the_bits_that_another_ended_with(
    model: Any, scaled: Any, configured: Configured, tmp_path: Path
) -> None:
    first = runner.run(configured(model=model, standardize=scaled, epochs=3), tmp_path / "first")
    training = schema.Training(start=str(tmp_path / "first"), epochs=0)
    again = runner.run(configured(model=model, standardize=scaled, training=training, seed=9), tmp_path / "again")
    for name, tensor in load_file(tmp_path / "first" / "model.safetensors").items():
        np.testing.assert_array_equal(load_file(tmp_path / "again" / "model.safetensors")[name], tensor)
    assert again.metrics["train_loss"] == first.metrics["train_loss"]
    assert len(again.environment["start_hash"]) == 16


def test_ten_epochs_and_ten_more_are_twenty_where_nothing_is_drawn(configured: Configured, tmp_path: Path) -> None:
    whole = runner.run(configured(epochs=20, shuffle=False), tmp_path / "whole")
    runner.run(configured(epochs=10, shuffle=False), tmp_path / "half")
    more = runner.run(configured(epochs=10, shuffle=False, start=str(tmp_path / "half")), tmp_path / "more")
    assert more.parameters == whole.parameters


def test_weights_of_ones_own_are_in_the_tables_units(configured: Configured, tmp_path: Path) -> None:
    weight, bias = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([7.0, 8.0])
    save_file({"weight": weight, "bias": bias}, tmp_path / "mine.safetensors")
    torch.save({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}, tmp_path / "mine.pt")
    for name in ("mine.safetensors", "mine.pt"):
        for scaled in (False, True):
            config = configured(init=str(tmp_path / name), standardize=scaled, dtype="float64", **NOTHING)
            found = runner.run(config, tmp_path / f"{name}{scaled}").parameters
            assert found is not None
            np.testing.assert_allclose(found["weight"], weight, rtol=1e-12)
            np.testing.assert_allclose(found["bias"], bias, rtol=1e-12)


def test_scaled_otherwise_a_linear_model_is_the_same_and_a_network_is_told_of_it(
    configured: Configured, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    linear = runner.run(configured(standardize=True, lr=0.1), tmp_path / "linear")
    start = schema.Training(start=str(tmp_path / "linear"), epochs=0)
    plain = runner.run(configured(training=start), tmp_path / "plain")
    assert plain.metrics["train_loss"] == pytest.approx(linear.metrics["train_loss"], rel=1e-4)
    runner.run(configured(model=schema.MLP(), standardize=True, epochs=1), tmp_path / "mlp")
    start = schema.Training(start=str(tmp_path / "mlp"), epochs=0)
    runner.run(configured(model=schema.MLP(), training=start), tmp_path / "other")
    assert "the columns were scaled otherwise" in caplog.text


def written(folder: Path, **tensors: Any) -> str:
    save_file({k: np.array(v, dtype=np.float32) for k, v in tensors.items()}, folder / "w.safetensors")
    return str(folder / "w.safetensors")


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"weight": [[1, 2, 3], [4, 5, 6]], "bias": [0, 0], "more": [1]}, "a tensor that the model has not: more"),
        ({"bias": [0, 0]}, "has no weight; it needs weight"),
        ({"weight": [[1, 2, 3]], "bias": [0]}, r"bias has the shape \(1,\); this model and table need \(2,\)"),
        ({"weight": [[1, 2, 3], [4, 5, np.inf]]}, "weight has numbers that are not finite"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    tensors: dict[str, Any], said: str, configured: Configured, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        runner.run(configured(init=written(tmp_path, **tensors), **NOTHING), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_intercept_does_not_go_into_a_model_without_one(configured: Configured, tmp_path: Path) -> None:
    path = written(tmp_path, weight=[[1, 2, 3], [4, 5, 6]], bias=[0, 1])
    with pytest.raises(UserError, match=r"has an intercept, and the model has none; use model\.bias=true"):
        runner.run(configured(init=path, bias=False, **NOTHING), tmp_path / "run")


@pytest.mark.parametrize("content", [b"", b"\x80\x02garbage", b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_files_that_are_no_weights(content: bytes, name: str, configured: Configured, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="can't be read as weights"):
        runner.run(configured(init=str(tmp_path / name), **NOTHING), tmp_path / "run")


def test_a_file_that_would_run_code_is_refused(configured: Configured, tmp_path: Path) -> None:
    torch.save({"weight": torch.nn.Linear(3, 2)}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="can't be read as weights"):
        runner.run(configured(init=str(tmp_path / "w.pt"), **NOTHING), tmp_path / "run")


def test_last_means_the_newest_run_alone_and_in_a_sweep() -> None:
    first = run("training.epochs=2", "tracking.figures=false")
    again = run("training.start=last", "training.epochs=0", "tracking.figures=false")
    assert again.parameters == first.parameters
    assert first.folder is not None and again.folder is not None
    stored = json.loads((again.folder / "config.json").read_text())
    assert stored["training"]["start"] == str(first.folder.absolute())
    unique = first.folder.name.split("_")[2]
    assert again.folder.name.endswith(f"start={unique}_epochs=0_figures=false")
    table = sweep(f"training.start={unique},last", "training.epochs=0")
    assert table["train_loss"].to_list() == [first.metrics["train_loss"]] * 2
    (log,) = Path("outputs/sweeps").glob("*/sweep.log")
    assert "run one by one: training.start=" in log.read_text()


def test_a_run_that_has_none_to_give() -> None:
    with pytest.raises(UserError, match=r"^training\.start=nope: "):
        run("training.start=nope")
    first = run("training.epochs=1", "tracking.figures=false")
    with pytest.raises(UserError, match=r"was trained with other inputs: temp, rainfall, humidity; .model\.init='"):
        run("training.start=last", "data=linnerud")
    assert first.folder is not None
    (first.folder / "result.json").unlink()
    with pytest.raises(UserError, match="no folder of a run that has ended"):
        run("training.start=last")
    with pytest.raises(UserError, match="both name weights to start from"):
        run("training.start=last", f"model.init='{first.folder}/model.safetensors'")
    with pytest.raises(UserError, match=r"model\.init=unifrm: must be one of .* did you mean uniform"):
        run("model.init=unifrm")
    with pytest.raises(UserError, match=r"weights\.bin: there is no such file of weights"):
        run("model=mlp", "model.init=weights.bin")
