"""data=table: every format gives the same numbers, and every bad file one line that names the place."""

import datetime
import json
import logging

import numpy as np
import polars as pl
import pytest
import torch

from experiments import run
from experiments.config.validation import validate
from experiments.data.files.columns import side_by_side
from experiments.data.files.encoding import Encoding
from experiments.data.prepared import Preparation, prepare
from experiments.data.sources.table import Table
from experiments.data.splitting import held_out_rows
from experiments.errors import UserError

TEXT = "temp,rain,yield\n73,67,56\n91,88.5,81\n87,134,119\n"
X = [[73, 67], [91, 88.5], [87, 134]]


def written(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def load(tmp_path, text, name="t.csv", **keys):
    return Table(path=written(tmp_path, text, name), **{"targets": ["yield"], **keys}).load()


def refusal(tmp_path, text, name="t.csv", **keys):
    with pytest.raises(UserError) as caught:
        load(tmp_path, text, name, **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", ["csv", "semicolon.csv", "tsv", "parquet", "arrow", "feather", "npy", "npz"])
def test_every_format_gives_the_same_table(tmp_path, ending):
    frame, path = pl.read_csv(TEXT.encode()), tmp_path / f"t.{ending}"
    targets = ["yield"]
    if ending.endswith("sv"):
        frame.write_csv(path, separator={"csv": ",", "tsv": "\t"}.get(ending, ";"))
    elif ending == "parquet":
        frame.write_parquet(path)
    elif ending == "npy":
        np.save(path, frame.to_numpy())
        targets = ["c3"]
    elif ending == "npz":
        np.savez(path, **{"x": frame.to_numpy()[:, :2], "yield": frame["yield"].to_numpy()})
    else:
        frame.write_ipc(path)
    found = Table(path=str(path), targets=targets).load()
    assert found.x.tolist() == X
    assert found.y.tolist() == [[56], [81], [119]]
    names = {"npy": ("c1", "c2"), "npz": ("x1", "x2")}.get(ending, ("temp", "rain"))
    assert found.features == names


def test_dates_booleans_and_levels_become_numbers(tmp_path):
    text = "day,ok,city,yield\n1970-01-03,true,Rome,1\n1970-01-04,false,Oslo,2\n1970-01-05,true,Bern,3\n"
    found = load(tmp_path, text, one_hot=["city"], units={"day": "d", "yield": "t/ha"})
    assert found.features == ("day", "ok", "city=Oslo", "city=Rome")
    assert found.x.tolist() == [[2, 1, 0, 1], [3, 0, 1, 0], [4, 1, 0, 0]]
    assert (found.feature_units, found.target_units) == (("d", "", "", ""), ("t/ha",))
    again = Encoding.from_json(json.loads(json.dumps(found.encoding)))
    other = pl.DataFrame({"city": ["Bern"], "ok": [False], "day": [datetime.datetime(1970, 1, 2, 12)]})
    assert side_by_side(again.columns(other, "table")).tolist() == [[1.5, 0, 0, 0]]
    with pytest.raises(
        UserError, match=r"row 1, column city is Berne; must be one of its categories .*did you mean Bern"
    ):
        again.columns(other.with_columns(city=pl.lit("Berne")), "table")


def test_integers_are_exact_and_float32_is_not_copied_to_float64(tmp_path):
    assert load(tmp_path, "a,yield\n9007199254740991,1\n2,2\n").x[0].item() == 9007199254740991
    values = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    np.save(tmp_path / "t.npy", values)
    found = Table(path=str(tmp_path / "t.npy"), targets=["c3"]).load()
    assert found.x.dtype == torch.float32
    trained = prepare(found)
    assert trained.x.data_ptr() == found.x.data_ptr()


def test_missing_cells(tmp_path):
    text = "a,b,yield\n1,,1\n3,5,2\nNA,7,3\n5,9,4\n"
    assert refusal(tmp_path, text).endswith(
        "row 1, column b is missing; correct it, or use data.missing=drop or mean (which fills in inputs only)"
    )
    assert load(tmp_path, text, missing="drop").x.tolist() == [[3, 5], [5, 9]]
    assert load(tmp_path, text, missing="mean").x.tolist() == [[1, 7], [3, 5], [3, 7], [5, 9]]
    assert "row 2, column yield" in refusal(tmp_path, "a,yield\n1,2\n2,\n", missing="mean")


def test_means_are_learned_on_the_training_rows_only(tmp_path):
    text = "a,part,yield\n1,train,1\n3,train,2\n,train,3\n1000,test,4\n,test,5\n"
    found = load(tmp_path, text, missing="mean", validation_column="part")
    assert found.x.flatten().tolist() == [1, 3, 2]
    assert found.held_out is not None and found.held_out.x.flatten().tolist() == [1000, 2]
    scaling = prepare(found, Preparation(standardize=True)).scaling
    assert (scaling.x_shift.item(), scaling.y_shift.item()) == (2, 2)


@pytest.mark.parametrize("how", ["share", "column", "file"])
def test_scaling_means_and_optimum_see_no_validation_row(tmp_path, how):
    """The held-out rows replaced by others a million times as large: nothing that is learned moves by a bit."""
    random, held = np.random.default_rng(0), pl.Series(held_out_rows(60, 0.25, 0))
    trained = int((~held).arg_true()[0])
    frame = pl.DataFrame(random.standard_normal((60, 3)), schema=["a", "b", "yield"]).with_columns(
        pl.when(pl.int_range(60) == trained).then(None).otherwise("a").alias("a"), part=pl.lit("train")
    )
    frame = frame.with_columns(part=pl.when(held).then(pl.lit("validation")).otherwise("part"))
    found = []
    for factor in (1.0, 1e6):
        table = frame.with_columns(
            pl.when(held).then(pl.col("a", "b", "yield") * factor).otherwise(pl.col("a", "b", "yield"))
        )
        table.filter(~held if how == "file" else pl.lit(True)).drop("part" if how != "column" else []).write_csv(
            "t.csv"
        )
        table.filter(held).drop("part").write_csv("held.csv")
        keys = {
            "share": {"validation": 0.25},
            "column": {"validation_column": "part"},
            "file": {"validation_path": "held.csv"},
        }
        table = Table(path="t.csv", targets=["yield"], missing="mean", **keys[how]).load()
        data = prepare(table, Preparation(standardize=True))
        assert (data.rows, data.validation_rows) == (45, 15)
        found.append(data)
    one, other = found
    assert not torch.equal(one.x_validation, other.x_validation)
    assert torch.equal(one.x, other.x) and torch.equal(one.y, other.y)
    for name in ("x_shift", "x_scale", "y_shift", "y_scale"):
        assert torch.equal(getattr(one.scaling, name), getattr(other.scaling, name))
    assert np.array_equal(one.optimum(True).weight, other.optimum(True).weight)


def test_validation_by_a_second_file_and_by_share(tmp_path):
    other = written(tmp_path, "yield,temp,rain\n1,2,3\n", "other.csv")
    found = load(tmp_path, TEXT, validation_path=other)
    assert found.held_out is not None and found.held_out.x.tolist() == [[2, 3]]
    assert len(found.x) == 3
    long = "a,yield\n" + "".join(f"{i},{i}\n" for i in range(100))
    first, again, another = (load(tmp_path, long, validation=0.2, split_seed=s) for s in (1, 1, 2))
    assert first.held_out is not None and again.held_out is not None and another.held_out is not None
    assert len(first.held_out.x) == 20
    assert torch.equal(first.held_out.x, again.held_out.x) and not torch.equal(first.held_out.x, another.held_out.x)
    assert sorted([*first.x.flatten().tolist(), *first.held_out.x.flatten().tolist()]) == list(range(100))
    assert "in one way only" in refusal(tmp_path, TEXT, validation=0.5, validation_path=other)
    assert "row 1 of temp is 73" in refusal(tmp_path, TEXT, validation_column="temp")


@pytest.mark.parametrize(
    ("text", "keys", "said"),
    [
        (TEXT, {"targets": ["yeild"]}, "there is no column yeild; did you mean yield?"),
        (TEXT, {"inputs": ["tmp"]}, "did you mean temp?"),
        (TEXT, {"targets": None}, "name the columns to predict, as data.targets=[yield]"),
        (TEXT, {"inputs": ["yield"]}, "both name yield"),
        (TEXT, {"units": {"tempp": "C"}}, "data.units: there is no column tempp; did you mean temp?"),
        ("a,yield\n1,1\nhigh,2\n", {"inputs": ["a"]}, "row 2, column a is high, no number"),
        ("a,yield\n1,1\n1,many\n2,3\n", {}, "row 2, column yield is many, no number"),
        ("a,b,yield\nNaN,1,1\nNaN,2,2\n", {}, "every cell of column a is missing"),
        ("a,b,yield\n,1,1\n,2,2\n", {"missing": "mean"}, "every cell of column a is missing"),
        ("a,b,yield\n,1,1\n,2,2\n", {"missing": "drop"}, "every cell of column a is missing"),
        ("city,a,yield\nOslo,1,1\nOslo,2,2\n", {"one_hot": ["city"]}, "city has 1 level"),
        (TEXT, {"validation": 0.1}, "this leaves no row for validation"),
    ],
)
def test_a_bad_table_is_one_line(tmp_path, text, keys, said):
    assert said in refusal(tmp_path, text, **keys)


def test_dependent_columns_are_named(tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).standard_normal((50, 3))
    a, b, y = rows.T
    pl.DataFrame({"a": a, "b": b, "twice": 2 * a + 1, "sum": a + b, "five": 5.0, "yield": y}).write_parquet("t.parquet")
    with caplog.at_level(logging.WARNING, "experiments"):
        run("data=table", "data.path=t.parquet", "data.targets=[yield]", "training.epochs=1", "tracking.figures=false")
    assert "column twice is a copy of a, up to its scale" in caplog.text
    assert "column sum is a linear combination of a, b" in caplog.text
    assert "column five is constant (5): its weight is arbitrary, the intercept can do the same" in caplog.text
    assert "column a is" not in caplog.text and "column b is" not in caplog.text


def test_from_a_file_to_exact_weights_in_its_own_units(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    temp, rain = random.normal(80, 10, 60), random.normal(0.001, 1e-4, 60)
    pl.DataFrame({"temp": temp, "rain": rain, "yield": 3 * temp - 2e4 * rain + 7}).write_csv("harvest.csv")
    result = run(
        "data=table", "data.path=harvest.csv", "data.targets=[yield]", "data.units={temp: C}", "data.standardize=true",
        "device.dtype=float64", "optimizer.lr=0.4", "training.batch_size=null", "training.epochs=200",
        "data.validation=0.2",
    )  # fmt: skip
    assert result.parameters is not None and result.folder is not None
    np.testing.assert_allclose(result.parameters["weight"], [[3, -2e4]], rtol=1e-9)
    np.testing.assert_allclose(result.parameters["bias"], [7], rtol=1e-7)
    assert result.rows == {"train": 48, "validation": 12, "dropped": 0}
    stored = json.loads((result.folder / "config.json").read_text())
    assert stored["data"]["path"] == str(tmp_path / "harvest.csv")
    assert json.loads((result.folder / "encoding.json").read_text())["inputs"] == ["temp", "rain"]
    assert validate({k: v for k, v in stored.items() if k != "config_hash"})


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"])
def test_arrays_of_times_are_days_in_every_unit(unit: str) -> None:
    """NumPy's datetime64("2024-01-01T12:00") counts minutes, which polars has not."""
    steps = np.array([2, 1, 4, 7])
    np.savez("t.npz", d=steps.astype(f"M8[{unit}]"), y=np.arange(4.0))
    expected = steps.astype(f"M8[{unit}]").astype("M8[ns]").astype(float) / 86_400e9
    assert Table(path="t.npz", targets=["y"]).load().x[:, 0].tolist() == pytest.approx(expected, rel=1e-15)
    if unit not in "YM":  # durations of no fixed length
        np.savez("t.npz", d=steps.astype(f"m8[{unit}]"), y=np.arange(4.0))
        expected = steps.astype(f"m8[{unit}]").astype("m8[ns]").astype(float) / 86_400e9
        found = Table(path="t.npz", targets=["y"]).load().x[:, 0]
        assert found.tolist() == pytest.approx(expected, rel=1e-15 if unit != "ns" else 1, abs=1e-11)


def test_long_doubles_are_numbers() -> None:
    values = np.array([[1.5, 2.0], [2.5, 3.0], [4.5, 9.0]], np.longdouble)
    np.save("t.npy", values)
    np.savez("t.npz", c1=values[:, 0], c2=values[:, 1])
    for path in ("t.npy", "t.npz"):
        assert Table(path=path, targets=["c2"]).load().x.tolist() == [[1.5], [2.5], [4.5]]
