"""The table of many runs: its rows, the keys that differ, the notebook's compare(); numbers are those written here."""

from pathlib import Path

import orjson
import polars as pl
import pytest

from benchmarks.stored_runs import OPTIMUM, write_run, write_runs
from experiments import compare, sweep
from experiments.comparison import choosing
from experiments.comparison.groups.table import Grouping, grouped
from experiments.comparison.runs_table import collect, names
from experiments.errors import UserError
from experiments.stored.comparable import differs

SGD = {"optimizer": "sgd", "optimizer.lr": 0.1, "optimizer.momentum": 0.0}
ADAM = {"optimizer": "adam", "optimizer.lr": 0.1, "optimizer.betas": [0.9, 0.999]}


@pytest.mark.parametrize(
    ("key", "configs", "expected"),
    [
        ("seed", [{"seed": 0}, {"seed": 1}], True),
        ("seed", [{"seed": 0}, {"seed": 0}], False),
        ("training.patience", [{"training.patience": None}, {"training.patience": 3}], True),
        ("optimizer", [SGD, ADAM], True),
        ("optimizer.lr", [SGD, ADAM], False),
        ("optimizer.betas", [SGD, ADAM], False),  # adam has it and sgd has not: `optimizer` says as much
        ("optimizer.momentum", [SGD, ADAM], False),
        ("optimizer.momentum", [SGD, ADAM, SGD | {"optimizer.momentum": 0.9}], True),
        ("optimizer.betas", [SGD, ADAM, ADAM | {"optimizer.betas": [0.5, 0.9]}], True),
        ("optimizer.eps", [ADAM, ADAM | {"optimizer.eps": 1e-8}], True),  # the same choice, with and without
        ("training.new", [{"seed": 0}, {"seed": 0, "training.new": 1}], True),
        ("sweep.resume", [{"sweep.resume": None}, {"sweep.resume": "/a"}], False),
    ],
)
def test_a_key_differs_where_it_tells_runs_apart(key: str, configs: list[dict[str, object]], expected: bool) -> None:
    assert differs(key, configs) is expected
    assert differs(key, configs[::-1]) is expected


def test_runs_sweeps_and_nested_folders_are_one_table(tmp_path: Path) -> None:
    write_runs(tmp_path, 3, epochs=2)
    write_run(tmp_path / "runs" / "alone", 0.5, 7, epochs=2)
    write_run(tmp_path / "a" / "b" / "c" / "deep", 0.25, 8, epochs=2)
    assert sorted(collect([tmp_path]).table["seed"]) == [0, 0, 0, 7, 8]


def test_a_run_named_twice_is_compared_once(tmp_path: Path) -> None:
    one = write_run(tmp_path / "runs" / "one", 0.5, 0, epochs=2)
    write_run(tmp_path / "runs" / "two", 0.5, 1, epochs=2)
    (tmp_path / "other").symlink_to(tmp_path / "runs")
    runs = collect([tmp_path / "runs", f"{tmp_path}//runs/../runs/", one, tmp_path / "other"])
    assert sorted(runs.table["run"]) == ["one", "two"]
    assert runs.notes == []


def test_names_are_the_shortest_tails_that_tell_apart() -> None:
    assert names(["/a/x/0_lr", "/a/x/1_lr"]) == ["0_lr", "1_lr"]
    assert names(["/a/x/0_lr", "/a/y/0_lr"]) == ["x/0_lr", "y/0_lr"]


def test_a_key_of_several_kinds_becomes_text_and_null_stays_null(tmp_path: Path) -> None:
    for n, shuffle in enumerate((True, "blocks", None)):
        config = orjson.loads((write_run(tmp_path / str(n), 0.5, 0, epochs=2) / "config.json").read_bytes())
        config["training"]["shuffle"] = shuffle
        (tmp_path / str(n) / "config.json").write_bytes(orjson.dumps(config))
    assert collect([tmp_path]).table["training.shuffle"].to_list() == ["true", "blocks", None]


def test_compare_gives_a_frame_of_what_differs_and_the_metrics(tmp_path: Path) -> None:
    write_runs(tmp_path, 20, epochs=2)
    for frame in (compare(tmp_path), compare([str(tmp_path)])):
        assert isinstance(frame, pl.DataFrame)
        assert frame.columns[:4] == ["run", "optimizer.lr", "seed", "status"]
        assert {"train_loss", "gap", "seconds", "folder", "r2.apples", "rmse.oranges"} <= set(frame.columns)
        written = [orjson.loads((Path(f) / "result.json").read_bytes())["metrics"]["gap"] for f in frame["folder"]]
        assert frame["gap"].to_list() == written
        assert frame["train_loss"].to_list() == pytest.approx([OPTIMUM + gap for gap in written])


def test_compare_warns_of_what_it_leaves_out_and_refuses_nothing_at_all(tmp_path: Path) -> None:
    write_run(tmp_path / "good", 0.5, 0, epochs=2)
    (write_run(tmp_path / "half", 0.5, 1, epochs=2) / "result.json").write_text("{")
    with pytest.warns(UserWarning, match=r"half: result\.json is not whole.*left out"):
        assert compare(tmp_path)["run"].to_list() == ["good"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no runs to compare"):
        compare(tmp_path / "empty")
    with pytest.raises(UserError, match="there is no such folder"):
        compare(tmp_path / "nosuch")
    with pytest.raises(UserError, match="no folder is named"):
        compare([])
    (tmp_path / "a file").touch()
    with pytest.raises(UserError, match="is a file; name the folder"):
        compare(tmp_path / "a file")


def test_runs_that_predict_labels_are_compared_by_accuracy_too() -> None:
    words = ["data=iris", "loss=cross_entropy", "data.validation=0.2", "data.standardize=inputs", "training.epochs=3"]
    swept = sweep(*words, "loss.l2=0.01,1.0", "optimizer.lr=0.1", "sweep.objective=validation_accuracy")
    (folder,) = Path("outputs/sweeps").iterdir()
    with pytest.warns(UserWarning, match="each training loss has its own penalty in it"):
        table = compare(folder)
    assert {"accuracy", "validation_accuracy", "validation_log_loss"} <= set(table.columns)
    assert sorted(table["validation_accuracy"]) == sorted(swept["validation_accuracy"])
    assert "group" not in table.columns  # two penalties, one held-out loss
    collected = collect([folder])
    best = choosing.ordered(collected.table, "validation_accuracy")["validation_accuracy"].to_list()
    assert best == sorted(best, reverse=True)
    assert "validation_accuracy mean" in grouped(collected, collected.table, Grouping(["loss.l2"])).columns
