"""predict: values, tables, warnings, and mistakes in one line; the numbers are those of the weights written here."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from benchmarks.stored_runs import write_run
from experiments.__main__ import main

WEIGHT = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]])


@pytest.fixture
def run(tmp_path: Path) -> str:
    ranges = {"temp": [68, 103], "rainfall": [43, 135], "humidity": [36, 71]}
    folder = write_run(tmp_path / "run", 1e-5, 0, epochs=2, ranges=ranges, units={"apples": "t/ha"})
    save_file({"weight": WEIGHT, "bias": np.array([10.0, 20.0])}, folder / "model.safetensors")
    return str(folder)


def test_values_negative_ones_too(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", run, "-3,5,6", "75,63,44"]) == 0
    said = capsys.readouterr()
    assert said.out == "apples 35 t/ha, oranges 18\napples 343 t/ha, oranges -21\n"
    assert "temp=-3 is outside the training data (68 to 103)" in said.err


def test_table_by_name_in_any_order(run: str, tmp_path: Path) -> None:
    table, out = tmp_path / "in.csv", tmp_path / "out.parquet"
    table.write_text("humidity,temp,rainfall\n44,75,63\n")
    assert main(["predict", run, "--table", str(table), "--out", str(out)]) == 0
    assert pl.read_parquet(out)["apples_predicted"].to_list() == [343.0]


@pytest.mark.parametrize("values", ["1,2", "1,x,3", "1,nan,3"])
def test_mistakes_are_one_line(run: str, values: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", run, values]) == 2
    assert capsys.readouterr().err.count("\n") == 1
