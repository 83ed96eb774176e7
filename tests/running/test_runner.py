"""A run's folder file by file, its result number by number, and every way out of a run."""

# pyright: reportAttributeAccessIssue=false
# (protobuf makes its message classes at import)

import json
import logging
import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from experiments.config import schema as schema
from experiments.config.schema import Custom
from experiments.config.validation import config_hash, validate
from experiments.errors import UserError
from experiments.learning.evaluation import Evaluation
from experiments.running import assembly, runner
from experiments.tracking.result import Result, as_json, read_result
from tests.conftest import Configured

OPTIMUM = 0.9094459849188882  # of the 15 rows, from the tutorial's facts
KEYS = {
    "status", "config_hash", "seed", "epochs", "best_epoch", "steps", "lr", "executed", "metrics", "parameters",
    "optimum", "conditioning", "features", "targets", "rows", "timing", "environment", "error",
    "ranges", "units", "task", "classes", "image", "rung",
}  # fmt: skip

NETS = """
import torch
from torch import nn

class Bent(nn.Module):
    def __init__(self, in_features, out_features, hidden=4):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(in_features, hidden), nn.Tanh(), nn.Dropout(0.2), nn.BatchNorm1d(hidden),
                                 nn.Linear(hidden, out_features))
    def forward(self, x):
        return self.net(x)

class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
    def forward(self, x):
        return self.linear(x)

class Flat(Fixed):
    def forward(self, x):
        return self.linear(x)[:, 0]

class Broken(Fixed):
    def forward(self, x):
        if torch.is_grad_enabled():
            raise RuntimeError("broken\\non purpose")
        return self.linear(x)
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_runner_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", "test_runner_nets")


def net(name: str, **options: Any) -> Custom:
    return Custom(f"test_runner_nets.{name}", options)


def stored(folder: Path) -> dict[str, Any]:
    def no_constant(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads((folder / "result.json").read_text(), parse_constant=no_constant)


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def events(folder: Path) -> EventAccumulator:
    [file] = folder.rglob("events.out.tfevents.*")
    assert file.parent == folder
    return EventAccumulator(str(file), size_guidance={"tensors": 0, "scalars": 0, "images": 0}).Reload()


def sessions(read: EventAccumulator) -> dict[str, plugin_data_pb2.HParamsPluginData]:
    found = {}
    for tag in ("session_start_info", "session_end_info"):
        metadata = read.SummaryMetadata(f"_hparams_/{tag}")
        found[tag] = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A single run with everything on: validation rows, figures, weights, patience."""
    folder = tmp_path_factory.mktemp("run") / "first"
    config = schema.Config(
        schema.Model(), schema.SGD(), schema.Constant(), schema.MSE(), schema.Crops(validation=0.2),
        schema.Device("cpu"), seed=0, training=schema.Training(epochs=6, log_every=2, patience=50),
    )  # fmt: skip
    runner.run(config, folder)
    return folder


def test_folder_has_the_contracts_files_and_no_other(folder: Path) -> None:
    names = {re.sub(r"(tfevents)\..*", r"\1", path.name) for path in folder.iterdir()}
    assert names == {
        "config.json", "events.out.tfevents", "metrics.jsonl", "result.json", "model.safetensors", "run.log", "figures",
    }  # fmt: skip
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert figures == {"loss.png", "plane_apples.png", "plane_oranges.png", "prediction.png", "loss_surface.png"}


def test_config_json_is_the_resolved_config_and_its_hash(folder: Path) -> None:
    plain = json.loads((folder / "config.json").read_text())
    digest = plain.pop("config_hash")
    config = validate(plain)
    assert digest == config_hash(plain) == stored(folder)["config_hash"]
    assert config.data.validation == 0.2 and config.training.epochs == 6


def test_result_json_has_the_contracts_fields(folder: Path) -> None:
    result = stored(folder)
    assert result.keys() == KEYS
    assert result["status"] == "completed" and result["executed"] == "serial" and result["error"] is None
    assert result["seed"] == 0 and result["epochs"] == 6 and result["best_epoch"] == 6 and result["steps"] == 18
    assert result["lr"] == 1e-5 and result["rows"] == {"train": 12, "validation": 3, "dropped": 0}
    assert result["features"] == ["temp", "rainfall", "humidity"] and result["targets"] == ["apples", "oranges"]
    assert result["metrics"].keys() == {
        "train_loss", "validation_loss", "optimum_loss", "gap", "gap_relative", "r2", "rmse", "validation_r2",
        "validation_rmse",
    }  # fmt: skip
    assert len(result["metrics"]["r2"]) == len(result["metrics"]["rmse"]) == 2
    assert result["conditioning"].keys() == {"lambda_max", "condition_number", "max_stable_lr"}
    assert result["timing"].keys() == {"train_seconds", "total_seconds", "rows_per_second"}
    assert 0 < result["timing"]["train_seconds"] <= result["timing"]["total_seconds"]
    environment = result["environment"]
    assert environment["device"] == "cpu" and len(environment["data_hash"]) == 16
    assert {"versions", "git_commit"} <= environment.keys() and "torch" in environment["versions"]
    for part in ("parameters", "optimum"):
        assert np.shape(result[part]["weight"]) == (2, 3) and np.shape(result[part]["bias"]) == (2,)
    assert as_json(read_result(folder)) == result


def test_metrics_of_the_result_follow_from_its_weights(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(epochs=6), tmp_path / "run")
    assert result.table is not None and result.parameters is not None
    x, y = result.table.x.numpy(), result.table.y.numpy()
    prediction = x @ np.array(result.parameters["weight"]).T + result.parameters["bias"]
    np.testing.assert_allclose(result.predict(x), prediction)
    found = result.metrics
    assert found["train_loss"] == pytest.approx(((prediction - y) ** 2).mean(), rel=1e-12)
    assert found["optimum_loss"] == pytest.approx(OPTIMUM, abs=1e-9)
    assert found["gap"] == pytest.approx(found["train_loss"] - OPTIMUM, rel=1e-9)
    assert found["gap_relative"] == pytest.approx(found["gap"] / OPTIMUM, rel=1e-9)
    np.testing.assert_allclose(found["rmse"], np.sqrt(((prediction - y) ** 2).mean(0)))
    np.testing.assert_allclose(found["r2"], 1 - ((prediction - y) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0))
    assert found["validation_loss"] is None


def test_metrics_jsonl_has_a_line_a_logged_epoch(folder: Path) -> None:
    lines = metrics(folder)
    assert [line["epoch"] for line in lines] == [2, 4, 6] and [line["step"] for line in lines] == [6, 12, 18]
    result = stored(folder)
    assert lines[-1]["loss/train"] == pytest.approx(result["metrics"]["train_loss"], rel=1e-5)
    assert lines[-1]["loss/validation"] == pytest.approx(result["metrics"]["validation_loss"], rel=1e-5)
    assert lines[-1]["weights/apples/rainfall"] == result["parameters"]["weight"][0][1]
    assert lines[-1]["weights/oranges/bias"] == result["parameters"]["bias"][1]


def test_one_event_file_holds_every_tag_of_the_contract(folder: Path) -> None:
    read = events(folder)
    tags = read.Tags()
    weights = {f"weights/{t}/{f}" for t in ("apples", "oranges") for f in ("temp", "rainfall", "humidity", "bias")}
    assert set(tags["scalars"]) == {"loss/train", "loss/validation", "loss/gap", "optimizer/lr"} | weights
    assert set(tags["images"]) == {"loss", "plane/apples", "plane/oranges", "prediction", "loss_surface"}
    assert "config" in "".join(tags["tensors"])
    for line in metrics(folder):
        for tag in tags["scalars"]:
            [value] = [s.value for s in read.Scalars(tag) if s.step == line["epoch"]]
            assert value == pytest.approx(line[tag], rel=1e-6)
    assert [image.step for image in read.Images("prediction")] == [6]


def test_hparams_session_is_in_the_same_file_with_start_and_end(folder: Path) -> None:
    found = sessions(events(folder))
    assert found["session_end_info"].session_end_info.status == 1  # success
    start = found["session_start_info"].session_start_info
    assert start.hparams["optimizer"].string_value == "sgd"
    assert start.hparams["optimizer.lr"].number_value == 1e-5
    assert start.hparams["training.shuffle"].string_value == "true"
    assert start.hparams["model.bias"].bool_value is True
    assert "training.max_seconds" not in start.hparams and not start.group_name


def test_hparams_have_one_type_in_all_runs(configured: Configured, tmp_path: Path) -> None:
    kinds: dict[str, set[str]] = {}
    variants = [
        configured(epochs=0), configured(epochs=0, lr="auto"), configured(epochs=0, shuffle="blocks"),
        configured(epochs=0, shuffle=False, batch_size=None, inputs=["temp"], max_seconds=5.0),
        configured(epochs=0, optimizer=schema.Adam(lr=1), data=schema.Synthetic(noise=1)),
    ]  # fmt: skip
    for n, config in enumerate(variants):
        runner.run(validate_again(config), tmp_path / str(n))
        hparams = sessions(events(tmp_path / str(n)))["session_start_info"].session_start_info.hparams
        for key, value in hparams.items():
            kinds.setdefault(key, set()).add(str(value.WhichOneof("kind")))
    assert all(len(kind) == 1 for kind in kinds.values()), kinds


def validate_again(config: schema.Config) -> schema.Config:
    from experiments.config.validation import plain_config

    return validate(plain_config(config))


def test_safetensors_hold_the_weights_and_the_same_bytes_twice(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(epochs=3), tmp_path / "a")
    runner.run(configured(epochs=3), tmp_path / "b")
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()
    weights = load_file(tmp_path / "a/model.safetensors")
    assert weights.keys() == {"weight", "bias"} and result.parameters is not None
    assert weights["weight"].tolist() == result.parameters["weight"]


def test_one_seed_is_one_set_of_bits_and_zero_is_a_seed(configured: Configured, tmp_path: Path) -> None:
    ends = {}
    for name, seed in (("zero", 0), ("again", 0), ("one", 1)):
        torch.manual_seed(len(name))  # the global generator must not matter
        runner.run(configured(epochs=3, seed=seed), tmp_path / name)
        ends[name] = (tmp_path / name / "metrics.jsonl").read_text()
    assert ends["zero"] == ends["again"] != ends["one"]


def test_the_three_models_agree(configured: Configured, tmp_path: Path) -> None:
    losses = []
    for n, model in enumerate((schema.Model(), schema.ManualModel(), schema.AnalyticModel())):
        result = runner.run(configured(model=model, optimizer=schema.ManualSGD(), epochs=40), tmp_path / str(n))
        losses.append(result.metrics["train_loss"])
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-4)


def test_reported_weights_are_the_best_under_patience(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(epochs=400, batch_size=1, lr=9e-5, patience=2), tmp_path)
    assert result.status == "stopped_early" and result.best_epoch is not None
    lines = metrics(tmp_path)
    best = min(lines, key=lambda line: line["loss/train"])
    assert result.best_epoch == best["epoch"] < lines[-1]["epoch"] == result.epochs
    assert result.metrics["train_loss"] == pytest.approx(best["loss/train"], rel=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_standardised_training_reports_the_tables_units(configured: Configured, tmp_path: Path, bias: bool) -> None:
    config = configured(epochs=400, batch_size=None, lr=0.5, standardize=True, bias=bias, dtype="float64")
    result = runner.run(config, tmp_path)
    assert result.table is not None and result.parameters is not None and result.conditioning is not None
    x, y = result.table.x.numpy(), result.table.y.numpy()
    columns = np.hstack([x, np.ones((15, 1))]) if bias else x
    exact = np.linalg.lstsq(columns, y, rcond=None)[0]
    smallest = ((columns @ exact - y) ** 2).mean()
    assert result.metrics["optimum_loss"] == pytest.approx(smallest, rel=1e-9)
    assert result.metrics["train_loss"] == pytest.approx(smallest, rel=1e-2 if not bias else 1e-9)
    if bias:
        np.testing.assert_allclose(result.parameters["weight"], exact[:3].T, rtol=1e-6)
    else:
        assert result.parameters["bias"] == [0, 0]
    assert result.conditioning["condition_number"] == pytest.approx(7.02 if bias else 117.8, rel=1e-2)
    assert metrics(tmp_path)[-1]["loss/train"] == pytest.approx(result.metrics["train_loss"], rel=1e-9)
    weights = load_file(tmp_path / "model.safetensors")
    assert weights["weight"].tolist() == result.parameters["weight"]
    assert {"trained.weight", "scaling.x_shift"} <= weights.keys()


@pytest.mark.parametrize("loss", [schema.L1(), schema.Huber(delta=0.5)])
def test_other_losses_are_held_against_their_own_optimum(configured: Configured, tmp_path: Path, loss: Any) -> None:
    result = runner.run(configured(epochs=2, loss=loss), tmp_path)
    found, table = stored(tmp_path), result.table
    assert table is not None and result.optimum is not None

    def of(weight: Any, bias: Any) -> float:
        """The loss in the table's units, by torch."""
        prediction = table.x.double() @ torch.as_tensor(weight, dtype=torch.float64).t() + torch.as_tensor(
            bias, dtype=torch.float64
        )
        if isinstance(loss, schema.L1):
            return torch.nn.functional.l1_loss(prediction, table.y.double()).item()
        return torch.nn.functional.huber_loss(prediction, table.y.double(), delta=0.5).item()

    columns = np.column_stack([table.x.numpy(), np.ones(15)])
    squares = np.linalg.lstsq(columns, table.y.numpy(), rcond=None)[0].T
    least = found["metrics"]["optimum_loss"]
    assert least == pytest.approx(of(**result.optimum), rel=1e-9) and least < of(squares[:, :3], squares[:, 3])
    assert found["metrics"]["train_loss"] == pytest.approx(of(**found["parameters"]), rel=1e-9)
    assert found["metrics"]["gap"] == pytest.approx(found["metrics"]["train_loss"] - least, rel=1e-9)
    assert found["conditioning"] is None and metrics(tmp_path)[0]["loss/gap"] > 0


def test_more_features_than_rows_has_an_optimum_of_zero_and_no_ratio(configured: Configured, tmp_path: Path) -> None:
    config = configured(epochs=2, data=schema.Synthetic(n_rows=4, n_features=7), lr=1e-3)
    result = runner.run(config, tmp_path)
    found = stored(tmp_path)
    assert found["metrics"]["optimum_loss"] == 0 and found["metrics"]["gap_relative"] is None
    assert found["metrics"]["gap"] == pytest.approx(found["metrics"]["train_loss"])
    assert found["conditioning"]["condition_number"] is None
    assert result.conditioning == found["conditioning"]
    assert "not unique: rank 4 of 8" in (tmp_path / "run.log").read_text()


def test_no_epochs_complete_with_one_record(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(epochs=0), tmp_path)
    assert (result.status, result.epochs, result.steps, result.best_epoch) == ("completed", 0, 0, None)
    [line] = metrics(tmp_path)
    assert line["epoch"] == 0 and line["loss/train"] == pytest.approx(result.metrics["train_loss"])


def test_one_validation_row_and_a_batch_larger_than_the_table(configured: Configured, tmp_path: Path) -> None:
    config = configured(epochs=3, batch_size=50, data=schema.CropsSmall(), validation=0.2)
    result = runner.run(config, tmp_path)
    assert result.rows == {"train": 4, "validation": 1, "dropped": 0} and result.steps == 3
    assert result.metrics["validation_loss"] > 0


def test_a_diverged_run_is_a_result_with_nulls_and_a_rate_that_holds(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(epochs=50, lr=1e30), tmp_path / "wild")
    found = stored(tmp_path / "wild")
    assert found["status"] == "diverged" and found["error"] is None and found["epochs"] == 1
    assert found["metrics"]["train_loss"] is None and found["metrics"]["r2"] == [None, None]
    assert found["parameters"]["bias"] == [None, None]
    assert metrics(tmp_path / "wild")[0]["loss/train"] is None
    assert "NaN" not in (tmp_path / "wild/metrics.jsonl").read_text()
    assert sessions(events(tmp_path / "wild"))["session_end_info"].session_end_info.status == 1
    log = (tmp_path / "wild/run.log").read_text()
    assert result.message is not None and result.message in log
    tried = float(re.search(r"; optimizer\.lr=(\S+) was tried and holds", log)[1])  # type: ignore[index]  # None fails, rightly
    again = runner.run(configured(epochs=50, lr=tried), tmp_path / "tame")
    assert again.status == "completed" and again.metrics["train_loss"] < 13577


def test_automatic_rate_is_certainly_stable_and_written(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(epochs=30, lr="auto"), tmp_path)
    x = np.hstack([result.table.x.numpy(), np.ones((15, 1))])  # type: ignore[union-attr]  # None fails, rightly
    steepest = max(  # of all batches of five that hold the longest rows
        np.linalg.eigvalsh(batch.T @ batch / 5)[-1] for batch in (x[np.argsort(-(x**2).sum(1))[:5]], x[:5], x[5:10])
    )
    assert result.lr is not None and 0 < result.lr < 2 / steepest
    assert stored(tmp_path)["lr"] == result.lr == float(f"{result.lr:.1e}")
    losses = [line["loss/train"] for line in metrics(tmp_path)]
    assert losses[-1] < 0.1 * losses[0]
    assert json.loads((tmp_path / "config.json").read_text())["optimizer"]["lr"] == "auto"


def test_automatic_rate_of_a_table_of_zeros_is_refused(configured: Configured, tmp_path: Path) -> None:
    (tmp_path / "zeros_table.py").write_text(
        "import torch\nfrom experiments.data.dataset import Dataset\nclass Zeros:\n    def load(self):\n"
        "        return Dataset(torch.zeros(4, 1), torch.ones(4, 1), ('a',), ('b',))\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        patch.setenv("EXPERIMENTS_TRUSTED_MODULES", "zeros_table")
        config = configured(lr="auto", bias=False)
        data = Custom("zeros_table.Zeros")
        with pytest.raises(UserError, match="every input is zero"):
            runner.run(schema.Config(**{**vars(config), "data": data}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("nets")
def test_a_nonlinear_module_trains_and_reports(configured: Configured, tmp_path: Path) -> None:
    base = vars(configured(epochs=30, lr=0.05, standardize=True))
    config = schema.Config(**{**base, "model": net("Bent", hidden=6, init="uniform", bias=True)})
    first, second = (runner.run(config, tmp_path / name) for name in ("a", "b"))
    found = stored(tmp_path / "a")
    assert found["status"] == "completed" and found["parameters"] is None and found["conditioning"] is None
    assert first.metrics == second.metrics, "dropout must follow the run's seed"
    lines = metrics(tmp_path / "a")
    assert lines[-1]["loss/train"] < 0.5 * lines[0]["loss/train"] and not any("weights/" in key for key in lines[0])
    assert lines[-1]["loss/train"] == pytest.approx(first.metrics["train_loss"], rel=1e-3), "both without dropout"
    assert {"net.0.weight", "scaling.x_shift"} <= load_file(tmp_path / "a/model.safetensors").keys()


@pytest.mark.usefixtures("nets")
@pytest.mark.parametrize(
    ("model", "words"),
    [
        (("Flat", {}), r"predicts \(1,\) for one row; must be \(1, 2\)"),
        (("Bent", {"hiden": 3}), r"model\.hiden: Bent has no such argument; did you mean hidden"),
        (("Fixed", {"init": "normal"}), r"model\.init: Fixed has no such argument"),
        (("Fixed", {"init": "uniform", "bias": True}), None),
    ],
)
def test_a_module_is_checked_before_anything_is_written(
    configured: Configured, tmp_path: Path, model: tuple[str, dict[str, Any]], words: str | None
) -> None:
    config = schema.Config(**{**vars(configured(epochs=1)), "model": net(model[0], **model[1])})
    if words is None:
        assert runner.run(config, tmp_path / "run").status == "completed"
        return
    with pytest.raises(UserError, match=words):
        runner.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("nets")
def test_a_failed_run_leaves_a_result_that_says_so(configured: Configured, tmp_path: Path) -> None:
    config = schema.Config(**{**vars(configured(epochs=3)), "model": net("Broken")})
    with pytest.raises(RuntimeError, match="broken"):
        runner.run(config, tmp_path / "run")
    found = stored(tmp_path / "run")
    assert found.keys() == KEYS and found["status"] == "failed"
    assert found["error"] == {"type": "RuntimeError", "message": "broken\non purpose"}
    assert set(found["metrics"].values()) == {None}
    assert sessions(events(tmp_path / "run"))["session_end_info"].session_end_info.status == 2  # failure
    assert "Traceback" in (tmp_path / "run/run.log").read_text()
    assert logging.getLogger("experiments").handlers == []


def open_files() -> set[str]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_closes_its_files_and_has_no_result(
    configured: Configured, tmp_path: Path, number: signal.Signals
) -> None:
    def watch(evaluation: Evaluation | None) -> None:
        if evaluation is not None and evaluation.epoch == 3:
            os.kill(os.getpid(), number)

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        runner.run(configured(epochs=10_000_000), tmp_path, watch=watch)
    assert not (tmp_path / "result.json").exists() and (tmp_path / "config.json").exists()
    assert [line["epoch"] for line in metrics(tmp_path)] == [1, 2, 3]
    read = events(tmp_path)
    assert [s.step for s in read.Scalars("loss/train")] == [1, 2, 3]
    assert sessions(read)["session_end_info"].session_end_info.status == 2
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert logging.getLogger("experiments").handlers == []
    if os.path.isdir("/proc/self/fd"):
        assert not [name for name in open_files() if name.startswith(str(tmp_path))]


def test_the_time_limit_ends_a_run_as_stopped_early(configured: Configured, tmp_path: Path) -> None:
    result = runner.run(configured(epochs=10_000_000, log_every=100_000, max_seconds=0.2), tmp_path)
    assert result.status == "stopped_early" and 0.1 < result.timing["train_seconds"] < 5
    assert metrics(tmp_path)[-1]["epoch"] == result.epochs and (tmp_path / "result.json").exists()


def test_a_folder_that_holds_a_run_is_refused_and_untouched(configured: Configured, tmp_path: Path) -> None:
    runner.run(configured(epochs=1), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match="there is a run in this folder already"):
        runner.run(configured(epochs=2), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_threads_are_of_one_run(configured: Configured, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    result = runner.run(configured(epochs=1, threads=before + 1), tmp_path)
    assert result.environment["threads"] == before + 1 and torch.get_num_threads() == before


@pytest.mark.parametrize(("model", "products"), [(schema.MLP(hidden=[20, 9]), 64 * 20 + 20 * 9 + 9 * 10),
                                                 (schema.CNN(channels=[3]), 9 * 3 * 64 + 3 * 16 * 10)])  # fmt: skip
def test_small_batches_of_a_network_have_one_thread(model: Any, products: int, configured: Configured) -> None:
    config = configured(model=model, data=schema.Digits(), loss=schema.CrossEntropy(), batch_size=64)
    experiment = assembly.assemble(config)
    assert experiment.model.products == products and assembly.threads(experiment) == 1
    wide = configured(model=schema.MLP(hidden=[2000]), data=schema.Digits(), loss=schema.CrossEntropy(), batch_size=64)
    assert assembly.threads(assembly.assemble(wide)) == torch.get_num_threads()


def test_tracking_can_be_turned_off_and_sweeps_have_no_weights(configured: Configured, tmp_path: Path) -> None:
    runner.run(configured(epochs=1, tensorboard=False), tmp_path / "quiet")
    assert not list((tmp_path / "quiet").glob("events*"))
    runner.run(configured(epochs=1, figures=None), tmp_path / "job", single=False)
    assert not (tmp_path / "job/figures").exists()
    assert metrics(tmp_path / "job")[0].keys() == {"epoch", "step", "loss/train", "loss/gap", "optimizer/lr"}


def test_a_large_table_is_recorded_too(configured: Configured, tmp_path: Path) -> None:
    """Above half a million numbers the optimum is found another way."""
    data = schema.Synthetic(n_rows=60_000, n_features=9)
    result = runner.run(configured(epochs=1, data=data, lr=1e-2, batch_size=1000), tmp_path)
    assert type(result.metrics["optimum_loss"]) is float
    assert metrics(tmp_path)[0]["loss/gap"] == pytest.approx(result.metrics["gap"], rel=1e-3)


def test_wide_models_are_listed_in_the_weights_file_only(configured: Configured, tmp_path: Path) -> None:
    data = schema.Synthetic(n_rows=20, n_features=120, n_targets=90)
    result: Result = runner.run(configured(epochs=1, data=data, lr=1e-3), tmp_path)
    assert result.parameters is None and result.optimum is None
    assert load_file(tmp_path / "model.safetensors")["weight"].shape == (90, 120)
    assert not any(key.startswith("weights/") for key in metrics(tmp_path)[0])


@pytest.mark.parametrize("keep", ["last", "best"])
def test_an_earlier_epoch_with_a_smaller_held_out_loss_is_told(
    keep: str, configured: Configured, tmp_path: Path
) -> None:
    config = configured(epochs=50, validation=0.2, keep=keep)
    result = runner.run(config, tmp_path / "run")
    held_out = {row["epoch"]: row["loss/validation"] for row in metrics(tmp_path / "run")}
    best = min(held_out, key=held_out.__getitem__)
    assert result.best_epoch == best < 50 and held_out[50] > 1.01 * held_out[best]
    last = result.metrics["validation_loss"]
    said = None if keep == "best" else (
        f"the held-out loss was smaller after epoch {best}: {held_out[best]:.6g}, now {last:.6g}; "
        "training.keep=best saves those weights"
    )  # fmt: skip
    assert last == pytest.approx(held_out[best if keep == "best" else 50], rel=1e-5)
    assert result.message == said
    assert runner.run(configured(epochs=best, validation=0.2), tmp_path / "to the best").message is None
