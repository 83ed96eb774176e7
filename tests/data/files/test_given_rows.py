"""Rows to predict for in anything that holds rows: by name wherever there are names, the numbers those of the weights.

Each case goes through `Result.predict` and `load_run(...).predict`, which must agree, as they do with the command.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from experiments import load_run, run
from experiments.__main__ import main
from experiments.errors import UserError
from experiments.tracking.result import Result

QUICK = ["training.epochs=3", "tracking.figures=false", "tracking.tensorboard=false", "device.dtype=float64"]
BY_NAME = {"humidity": [44.0, 60.0], "note": ["x", "y"], "temp": [75.0, 90.0], "rainfall": [63.0, 100.0]}
ROWS = np.array([[75.0, 63.0, 44.0], [90.0, 100.0, 60.0]])
KINDS: dict[str, Any] = {
    "polars": pl.DataFrame(BY_NAME),
    "polars, lazy": pl.LazyFrame(BY_NAME),
    "pandas": pd.DataFrame(BY_NAME),
    "pandas, whole numbers that may be missing": pd.DataFrame(BY_NAME).astype({"temp": "Int64"}),
    "dict of lists": BY_NAME,
    "dict of arrays": {k: np.array(v) for k, v in BY_NAME.items()},
    "dict of tensors": {k: torch.tensor(v) for k, v in BY_NAME.items() if k != "note"},
    "dicts": pl.DataFrame(BY_NAME).rows(named=True),
    "named array": np.array([(44, 75, 63), (60, 90, 100)], [("humidity", "f8"), ("temp", "f4"), ("rainfall", "i2")]),
    "lists": ROWS.tolist(),
    "tuples of texts": [("75", "63", "44"), ("9e1", " 100 ", "60.0")],
    "array": ROWS,
    "array of float32 in another order": np.asfortranarray(ROWS.astype(np.float32)),
    "array of whole numbers": ROWS.astype(int),
    "tensor": torch.tensor(ROWS),
    "tensor with a gradient": torch.tensor(ROWS, requires_grad=True),
    "tensor of half precision": torch.tensor(ROWS, dtype=torch.bfloat16),
    "pandas without names": pd.DataFrame(ROWS),
    "polars without names": pl.DataFrame(ROWS),
    "texts in a frame": pl.DataFrame(BY_NAME).with_columns(pl.all().cast(pl.String)),
}  # fmt: skip
SINGLE: dict[str, Any] = {
    "word": "75,63,44",
    "word with names": "humidity=44, temp=75, rainfall=63",
    "list": [75, 63.0, "44"],
    "tuple of NumPy's": tuple(ROWS[0]),
    "array": ROWS[0],
    "tensor": torch.tensor(ROWS[0]),
    "dict": {"humidity": 44, "temp": 75, "rainfall": 63},
    "dict of NumPy's": {"humidity": np.float32(44), "temp": np.int64(75), "rainfall": "63"},
    "row of a pandas frame": pd.DataFrame(BY_NAME).iloc[0],
    "row of numbers of a pandas frame": pd.DataFrame(ROWS).iloc[0],
    "series": pl.Series([75, 63, 44]),
}


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("crops"))
        return run(*QUICK, "seed=3")


def expected(result: Result, rows: np.ndarray) -> np.ndarray:
    assert result.parameters is not None
    return rows @ np.array(result.parameters["weight"]).T + np.array(result.parameters["bias"])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_by_name_wherever_there_are_names(kind: str, crops: Result) -> None:
    assert crops.folder is not None
    for predict in (crops.predict, load_run(crops.folder).predict):
        assert predict(KINDS[kind]) == pytest.approx(expected(crops, ROWS), rel=1e-12)


@pytest.mark.parametrize("kind", SINGLE)
def test_one_row_gives_one_prediction(kind: str, crops: Result) -> None:
    assert crops.folder is not None
    for predict in (crops.predict, load_run(crops.folder).predict):
        found = predict(SINGLE[kind])
        assert found.shape == (2,)
        assert found == pytest.approx(expected(crops, ROWS[0]), rel=1e-12)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            pd.DataFrame({"temp": [75.0], "rainfal": [63.0], "humidity": [44.0]}),
            "no column rainfall; did you mean",
        ),
        ({"temp": 75, "rainfall": 63}, "rows: there is no column humidity"),
        (
            [{"temp": 75, "rainfall": 63, "humidity": 1}, {"temp": 75, "rainfall": 63}],
            "row 2, column humidity: nothing",
        ),
        ({"temp": [75, 1], "rainfall": [63], "humidity": [44]}, "rows: "),
        (
            pl.DataFrame(BY_NAME).with_columns(temp=pl.lit(float("nan"))),
            "row 1, column temp: nan where a finite number",
        ),
        (np.array([[1.0, np.inf, 2.0]]), "row 1, column rainfall: inf where"),
        ("75,63", "75,63: 2 values; the model takes 3"),
        ("75 63 44", "75 63 44: a row is one word, with commas, as 75,63,44"),
        (7, "rows: 1 value; the model takes 3"),
        ([], "rows: 0 values; the model takes 3"),
        (np.zeros((2, 4)), "rows: 4 values; the model takes 3: temp, rainfall, humidity"),
        (pd.DataFrame(np.zeros((2, 4))), "rows: 4 columns without names; the model takes 3"),
        ({"temp": [[75]], "rainfall": [63], "humidity": [44]}, "must be numbers, dates, booleans or text"),
    ],
)
def test_what_does_not_fit_is_one_line(rows: Any, words: str, crops: Result) -> None:
    assert crops.folder is not None
    for predict in (crops.predict, load_run(crops.folder).predict):
        with pytest.raises(UserError) as refused:
            predict(rows)
        assert words in str(refused.value) and "\n" not in str(refused.value)


def test_values_outside_the_training_data_are_warned_of(crops: Result) -> None:
    assert crops.folder is not None
    for predict in (crops.predict, load_run(crops.folder).predict):
        with pytest.warns(UserWarning, match=r"temp=300 is outside the training data \(68 to 103\)"):
            predict([300, 63, 44])


def test_text_dates_and_missing_cells_as_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    days = [f"2024-01-{k + 1:02d}" for k in range(12)]
    table = pl.DataFrame({
        "soil": ["clay", "loam", "sand"] * 4, "day": days, "rain": [*range(11), None], "open": [True, False] * 6,
        "yield": [k**1.5 for k in range(12)],
    })  # fmt: skip
    table.write_csv("fields.csv")
    result = run(*QUICK, "data=table", "data.path=fields.csv", "data.targets=[yield]", "data.one_hot=[soil]",
                 "data.missing=mean", "optimizer.lr=1e-12")  # fmt: skip
    capsys.readouterr()
    assert main(["predict", "last", "sand,2024-01-03,,true"]) == 0
    said = float(capsys.readouterr().out.split()[1])
    row = {"open": True, "rain": None, "day": date(2024, 1, 3), "soil": "sand"}
    frame = pl.DataFrame([row], schema_overrides={"rain": pl.Float64})
    assert main(["predict", "last", "--table", "fields.csv"]) == 0
    lines = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    kinds = [
        row, frame, pd.DataFrame([row]), pd.DataFrame([row | {"day": pd.Timestamp("2024-01-03")}]),
        "rain=,open=1,day=2024-01-03,soil=sand", ["sand", "2024-01-03", None, True], [["sand", "19725", "NA", "true"]],
    ]  # fmt: skip
    for predict in (result.predict, load_run("last").predict):
        for rows in kinds:
            assert predict(rows).ravel() == pytest.approx([said], rel=1e-5), rows
        assert predict(table)[:, 0] == pytest.approx(lines, rel=1e-5)
        assert predict(pd.read_csv("fields.csv"))[:, 0] == pytest.approx(lines, rel=1e-5)
        with pytest.raises(UserError, match="row 1, column soil is mud; must be one of its categories clay"):
            predict(row | {"soil": "mud"})
        with pytest.raises(UserError, match=r"column day: yesterday where a date as 2024-12-31, or a number of days"):
            predict(row | {"day": "yesterday"})


def test_an_array_with_the_categories_spread_out_already() -> None:
    Path("t.csv").write_text("soil,rain,y\n" + "".join(f"{'abc'[k % 3]},{k},{k * k}\n" for k in range(9)))
    result = run(*QUICK, "data=table", "data.path=t.csv", "data.targets=[y]", "data.one_hot=[soil]")
    rows = np.array([[1.0, 0.0, 5.0], [0.0, 0.0, 2.0]])
    for predict in (result.predict, load_run("last").predict):
        assert predict(rows) == pytest.approx(expected(result, rows), rel=1e-12)
        assert predict(rows) == pytest.approx(predict([["b", 5], ["a", 2]]), rel=1e-12)
