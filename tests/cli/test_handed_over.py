"""Tables handed over from Python: the same run as from a file, which can be run again, gone on with, and asked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from experiments import load_run, run, sweep
from experiments.__main__ import main
from experiments.errors import UserError

QUIET = ("tracking.figures=false", "training.epochs=5", "optimizer.lr=1e-4")
AREA, ROOMS, RENT = [30.0, 45.5, 60.0, 80.25, 99.0], [1, 2, 2, 3, 4], [3.0, 4.0, 6.0, 8.0, 9.5]
FRAME = pl.DataFrame({"area (m²)": AREA, "rooms": ROOMS, "rent": RENT})


def stored() -> list[Path]:
    return sorted(Path("outputs/tables").iterdir())


def test_a_frame_is_trained_on_as_the_same_file_would_be() -> None:
    FRAME.write_parquet("rent.parquet")
    handed = run(*QUIET, data=FRAME, targets="rent")
    read = run(*QUIET, "data=table", "data.path=rent.parquet", "data.targets=[rent]")
    assert handed.parameters == read.parameters and handed.features == ["area (m²)", "rooms"]
    assert run(*QUIET, data=FRAME, features=["rooms"], targets=["rent"]).features == ["rooms"]
    assert len(stored()) == 1  # one table, however many runs
    assert handed.predict({"rooms": 2, "area (m²)": 50}).shape == (1,)


def test_every_kind_of_frame_is_the_same_table() -> None:
    pandas = pytest.importorskip("pandas")
    kinds: list[Any] = [FRAME, FRAME.lazy(), pandas.DataFrame(FRAME.to_dict(as_series=False)),
                        FRAME.to_dict(as_series=False)]  # fmt: skip
    found = [run(*QUIET, data=kind, targets="rent").parameters for kind in kinds]
    assert all(parameters == found[0] for parameters in found)


def test_arrays_and_tensors_come_as_x_and_y() -> None:
    x, y = FRAME.select("area (m²)", "rooms").to_numpy(writable=True), FRAME["rent"].to_numpy(writable=True)
    named = run(*QUIET, data=(x, y), features=["area (m²)", "rooms"], targets="rent")
    assert named.parameters == run(*QUIET, data=FRAME, targets="rent").parameters
    tensors = run(*QUIET, data=(torch.from_numpy(x), torch.from_numpy(y)[:, None]))
    assert (tensors.features, tensors.targets, tensors.parameters) == (["x1", "x2"], ["y"], named.parameters)
    two = run(*QUIET, data=(x, np.column_stack([y, 2 * y])))
    assert two.targets == ["y1", "y2"]
    framed = run(*QUIET, data=(FRAME.select("rooms"), FRAME.select("rent")))
    assert (framed.features, framed.targets) == (["rooms"], ["rent"])


def test_labels_are_classes() -> None:
    y = np.array(["cheap", "cheap", "dear", "dear", "dear"])
    result = run(*QUIET, "loss=cross_entropy", data=(FRAME.select("rooms").to_numpy(), y))
    assert result.classes == ["cheap", "dear"]


def test_what_was_handed_over_is_there_for_rerun_and_sweeps(capsys: pytest.CaptureFixture[str]) -> None:
    first = run(*QUIET, data=FRAME, targets="rent")
    assert main(["rerun", "last"]) == 0
    assert "weights: the same bits" in capsys.readouterr().out
    table = sweep(*QUIET, "seed=0,1", data=FRAME, targets="rent")
    assert table["train_loss"][0] == pytest.approx(first.metrics["train_loss"], rel=1e-5)
    assert first.folder is not None
    config = json.loads((first.folder / "config.json").read_text())
    assert Path(config["data"]["path"]) == stored()[0].absolute()
    assert load_run("last").predict([50, 2]).shape == (1,)


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        ((), {"data": FRAME}, "say which columns are predicted"),
        ((), {"data": FRAME, "targets": "rnet"}, "did you mean rent"),
        ((), {"data": np.ones((3, 2))}, r"a ndarray has no names; .* or \(X, y\)"),
        ((), {"data": 3.0, "targets": "y"}, "a float has no names"),
        ((), {"data": (np.ones((3, 2)), np.ones(4))}, "X has 3 rows, y has 4"),
        ((), {"data": (np.ones((3, 2)), np.ones(3), 1)}, "a tuple of 3"),
        ((), {"data": (np.ones(3), np.ones(3))}, r"X has the shape \(3,\)"),
        ((), {"data": (np.ones((3, 2)), np.ones(3)), "features": ["a"]}, "1 names for the 2 columns of X"),
        ((), {"data": (np.ones((3, 2)), np.ones(3)), "features": ["a", "b"], "targets": "a"}, "a column of X and of y"),
        (("data=crops",), {"data": FRAME, "targets": "rent"}, "handed over as data= already"),
        ((), {"targets": "rent"}, "which is not given"),
    ],
)
def test_mistakes_are_one_line(words: tuple[str, ...], given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        run(*words, **given)
    assert "\n" not in str(caught.value)
    assert not list(Path("outputs").glob("runs/*"))


def test_a_table_that_is_not_kept_leaves_its_hash_and_a_run_that_predicts(capsys: pytest.CaptureFixture[str]) -> None:
    kept = run(*QUIET, data=FRAME.head(4), targets="rent")
    result = run(*QUIET, "data.store=false", data=FRAME, targets="rent")
    assert len(stored()) == 1 and result.environment["data_hash"] != kept.environment["data_hash"]
    row = {"rooms": 2, "area (m²)": 50}
    assert result.predict(row) == load_run("last").predict(row)
    capsys.readouterr()
    assert main(["rerun", "last"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: data.path=") and said.count("\n") == 1
    assert "came from Python and was not kept (data.store=false); hand it over again" in said
    again = run(*QUIET, "data.store=false", data=FRAME, targets="rent")
    assert again.environment["data_hash"] == result.environment["data_hash"]
    sweep(*QUIET, "seed=0,1", "data.store=false", data=FRAME.head(4), targets="rent")
    assert len(stored()) == 1  # that which another run has kept stays


def test_a_file_is_not_for_data_store() -> None:
    FRAME.write_csv("rent.csv")
    with pytest.raises(UserError, match=r"data\.store=false: is for tables that Python hands over"):
        run(*QUIET, "data=table", "data.path=rent.csv", "data.targets=[rent]", "data.store=false")
