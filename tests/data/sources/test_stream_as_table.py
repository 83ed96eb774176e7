"""data=stream is data=table block by block: the same categories, means, rows and answers for the same file."""

import datetime
import itertools
import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import Generator

from experiments import run
from experiments.__main__ import main
from experiments.data.files import levels
from experiments.data.prepared import Preparation, prepare
from experiments.data.sources.stream import Stream
from experiments.data.sources.table import Table
from experiments.data.streaming.reader import Reader
from experiments.errors import UserError
from experiments.tracking.checkpoint import decode
from tests.support.killing import differences
from tests.support.requests import answered

TARGETS = ["y", "z"]
EVERY = {"targets": TARGETS, "one_hot": ["city", "zone"], "validation_column": "part"}


@pytest.fixture(autouse=True)
def frame(tmp_path, monkeypatch):
    """500 rows with categories, dates, booleans, integers, float32, missing cells, and rows to hold out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random, n = np.random.default_rng(0), 500
    a, b, c = random.standard_normal((3, n)) * [[1], [20], [0.3]] + [[3], [-50], [0]]
    city = random.choice(["Oslo", "Rome", "Bern"], n).tolist()
    city = ["Rome" if i > 250 and name == "Bern" else name for i, name in enumerate(city)]  # Bern is not in the last
    city[-1] = city[-2] = "Wien"  # and Wien in the last alone
    made = pl.DataFrame({
        "a": a, "city": city, "b": b, "day": [datetime.date(2024, 1, 1) + datetime.timedelta(int(d)) for d in c * 100],
        "ok": random.random(n) < 0.4, "count": random.integers(0, 9, n), "zone": random.integers(1, 4, n),
        "c": c.astype(np.float32), "part": np.where(random.random(n) < 0.3, "Test", "train"),
        "y": 2 * a - b + 5 * c + random.standard_normal(n), "z": b * c, "note": ["text"] * n,
    })  # fmt: skip
    for name in ("a", "count", "c"):
        made = made.with_columns(
            pl.when(pl.Series(random.random(n) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
        )
    write(made)
    return made


def write(frame):
    """The same rows as one Parquet file, as CSV, and as a folder of Parquet files."""
    frame.write_parquet("t.parquet", row_group_size=90)
    frame.write_csv("t.csv")
    Path("folder").mkdir(exist_ok=True)
    for i, (first, last) in enumerate(((0, 130), (130, 133), (133, 400), (400, len(frame)))):
        frame[first:last].write_parquet(f"folder/{i}.parquet")


def streamed(path: str, standardize: Any = False, **keys: Any):
    source = Stream(path=path, **{"block_rows": 60, **EVERY, **keys})
    return source.prepared(Preparation(standardize=standardize, dtype=torch.float64))


def in_memory(path: str, standardize: Any = False, **keys: Any):
    table = Table(path=path, **{**EVERY, **keys}).load()
    return prepare(table, Preparation(standardize=standardize, dtype=torch.float64))


@pytest.mark.parametrize("bias", [True, False])
def test_inputs_alone_are_standardised(bias):
    how = Preparation(standardize="inputs", bias=bias, dtype=torch.float64)
    stream = Stream(path="folder", block_rows=60, missing="mean", **EVERY).prepared(how)
    table = Table(path="t.parquet", missing="mean", **EVERY).prepared(how)
    rows = rows_of(table)
    x, y = rows[:, :-2].numpy(), rows[:, -2:]
    expected = StandardScaler(with_mean=bias).fit_transform(x) if bias else x / np.sqrt((x**2).mean(0))
    for data in (stream, table):
        torch.testing.assert_close(order_in_file(data)[:, -2:], y, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(order_in_file(data)[:, :-2], expected, rtol=1e-9, atol=1e-9)
        assert data.standardized and data.scaling.y_scale.tolist() == [1, 1] and not data.scaling.y_shift.any()
        weight, offset = data.scaling.original(torch.ones(2, x.shape[1]), torch.zeros(2))
        np.testing.assert_allclose(x @ weight.T.numpy() + offset.numpy(), (expected.sum(1)[:, None] + np.zeros(2)),
                                   rtol=1e-9, atol=1e-9)  # fmt: skip


def test_targets_beyond_float32_are_refused_where_inputs_alone_are_standardised(frame):
    frame.with_columns(y=pl.when(pl.int_range(500) == 7).then(1e100).otherwise("y"), b=pl.col("b") * 1e60) \
        .write_parquet("t.parquet")  # fmt: skip
    for source in (Stream, Table):
        with pytest.raises(UserError, match="beyond float32"):
            source(path="t.parquet", targets=["y"], inputs=["b"]).prepared(Preparation(standardize="inputs"))
        assert (
            source(path="t.parquet", targets=["z"], inputs=["b"]).prepared(Preparation(standardize="inputs")).rows
            == 500
        )


def rows_of(data, held=False):
    return torch.cat([torch.cat(pair, 1) for pair in data.blocks(held)])


def order_in_file(data):
    return torch.cat([torch.cat(pair, 1).clone() for pair in data.batches(32, False).epoch(Generator())])


@pytest.mark.parametrize("missing", ["drop", "mean"])
@pytest.mark.parametrize("path", ["t.parquet", "t.csv", "folder"])
def test_a_stream_learns_of_a_file_what_the_table_in_memory_learns(path, missing):
    stream = streamed(path, True, missing=missing)
    table = in_memory("t.parquet" if path == "folder" else path, True, missing=missing)
    one, other = stream.table, table.table
    assert (one.features, one.targets) == (other.features, other.targets)
    assert {"city=Oslo", "city=Rome", "city=Wien", "zone=2", "zone=3", "day", "ok"} < set(one.features)
    assert one.encoding is not None and other.encoding is not None
    assert one.encoding["levels"] == other.encoding["levels"] and one.encoding["inputs"] == other.encoding["inputs"]
    assert one.encoding["means"] == pytest.approx(other.encoding["means"], rel=1e-12, abs=1e-12)
    assert (stream.rows, stream.validation_rows) == (table.rows, table.validation_rows)
    torch.testing.assert_close(rows_of(stream), rows_of(table), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(rows_of(stream, True), rows_of(table, True), rtol=1e-12, atol=1e-12)
    for name in ("x_shift", "x_scale", "y_shift", "y_scale"):
        torch.testing.assert_close(getattr(stream.scaling, name), getattr(table.scaling, name), rtol=1e-12, atol=1e-12)
    found, expected = stream.optimum(True), table.optimum(True)
    np.testing.assert_allclose(found.weight, expected.weight, rtol=1e-12)
    np.testing.assert_allclose(found.bias, expected.bias, rtol=1e-12)
    assert found.loss == pytest.approx(expected.loss, rel=1e-12)
    torch.testing.assert_close(order_in_file(stream), torch.cat([table.x, table.y], 1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("missing", ["drop", "mean"])
def test_runs_and_predictions_are_those_of_the_table(missing, frame):
    frame.filter(pl.col("city") != "Wien").drop(TARGETS).head(40).with_columns(pl.col("a", "count", "c").fill_null(1)) \
        .write_csv("new.csv")  # fmt: skip
    common = (
        "data.targets=[y,z]", "data.one_hot=[city,zone]", f"data.missing={missing}", "data.validation_column=part",
        "data.standardize=true", "data.units={a: m, y: kg}", "device.dtype=float64", "training.epochs=3",
        "training.batch_size=32", "training.shuffle=false", "optimizer.lr=0.05", "tracking.figures=false",
    )  # fmt: skip
    stored, predicted = [], []
    for data, path in (("stream", "folder"), ("table", "t.parquet")):
        folder = run(f"data={data}", f"data.path={path}", "data.block_rows=70", *common).folder
        assert folder is not None
        stored.append(json.loads((folder / "result.json").read_text()))
        assert main(["predict", str(folder), "--table", "new.csv", "--out", "out.csv"]) == 0
        predicted.append(pl.read_csv("out.csv").select("y_predicted", "z_predicted").to_numpy())
    one, other = stored
    for name in ("rows", "features", "targets", "steps", "status", "epochs"):
        assert one[name] == other[name], name
    for name in ("train_loss", "validation_loss", "optimum_loss", "r2", "rmse"):
        assert one["metrics"][name] == pytest.approx(other["metrics"][name], rel=1e-10), name
    for name in ("parameters", "optimum"):
        np.testing.assert_allclose(one[name]["weight"], other[name]["weight"], rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(predicted[0], predicted[1], rtol=1e-9, atol=1e-9)
    assert len(predicted[0]) == 40


@pytest.mark.parametrize("missing", ["drop", "mean"])
def test_a_second_file_is_taken_as_the_table_takes_it(missing, frame):
    frame[380:450].write_parquet("held.parquet")
    keys: dict[str, Any] = {
        "validation_column": None,
        "validation_path": "held.parquet",
        "missing": missing,
        "inputs": ["a", "ok"],
    }
    stream, table = streamed("folder", **keys), in_memory("t.parquet", **keys)
    assert (stream.rows, stream.validation_rows) == (table.rows, table.validation_rows)
    torch.testing.assert_close(rows_of(stream, True), rows_of(table, True), rtol=1e-12, atol=1e-12)


def test_validation_by_share_is_by_the_number_of_the_row_in_the_file(frame):
    """So it does not matter for other rows whether a row is dropped, nor how large the blocks are."""
    keys: dict[str, Any] = {"validation_column": None, "validation": 0.25, "inputs": ["b", "c"], "one_hot": None}
    whole = streamed("t.parquet", **(keys | {"inputs": ["b"]}))
    dropped = [streamed("folder", missing="drop", block_rows=n, **keys) for n in (40, 60, 1000)]
    there = frame["c"].is_not_null().to_numpy()
    for data in dropped:
        assert data.rows + data.validation_rows == there.sum() and 60 < data.validation_rows < 150
        assert set(rows_of(data, True)[:, 0].tolist()) <= set(rows_of(whole, True)[:, 0].tolist())
        assert torch.equal(rows_of(data), rows_of(dropped[0]))


@pytest.mark.parametrize("keys", [{}, {"validation_column": None, "validation": 0.25}])
def test_means_levels_and_scaling_see_no_validation_row(keys, frame):
    """The held-out rows replaced by others a million times as large: nothing that is learned moves by a bit."""
    share = rows_numbered(frame, streamed("t.parquet", missing="mean", **keys)) if keys else frame["part"] == "Test"
    one = streamed("t.parquet", True, missing="mean", **keys)
    held, columns = rows_of(one, True), pl.col("a", "b", "c", *TARGETS)
    write(frame.with_columns(pl.when(share).then(columns * 1e6).otherwise(columns)))
    other = streamed("t.parquet", True, missing="mean", **keys)
    assert not torch.equal(held, rows_of(other, True))
    assert one.table.encoding == other.table.encoding and one.table.encoding is not None
    assert set(one.table.encoding["means"]) == {"a", "b", "c", "count", "day", "ok"}
    assert one.digest() == other.digest()
    for name in ("x_shift", "x_scale", "y_shift", "y_scale"):
        assert torch.equal(getattr(one.scaling, name), getattr(other.scaling, name))
    expected = frame.filter(~share)["count"].mean()
    assert one.table.encoding["means"]["count"] == pytest.approx(expected, rel=1e-14)


def rows_numbered(frame, data):
    """Which rows of the frame are held out, told by the column b, whose values are all different."""
    at = data.table.features.index("b")
    return pl.Series(np.isin(frame["b"].to_numpy(), rows_of(data, True)[:, at].numpy()))


@pytest.mark.parametrize("first", [1, 4, 6, 11])
def test_going_on_in_the_middle_of_an_epoch_with_rows_dropped(first, frame):
    write(frame.with_columns(a=pl.when(pl.int_range(500).is_between(110, 250)).then(None).otherwise("a")))
    batches = streamed("folder", missing="drop", block_rows=20).batches(16, True)
    assert 0 in batches.sizes  # blocks of which nothing is left
    whole = [torch.cat(pair, 1).clone() for pair in batches.epoch(Generator().manual_seed(3))]
    rest = [torch.cat(pair, 1).clone() for pair in batches.epoch(Generator().manual_seed(3), first)]
    assert len(whole) == batches.per_epoch and len(rest) == len(whole) - first
    assert all(torch.equal(one, other) for one, other in zip(whole[first:], rest, strict=True))
    rows = torch.cat(whole)
    assert sorted(rows.tolist()) == sorted(rows_of(in_memory("t.parquet", missing="drop")).tolist())


@pytest.mark.parametrize("missing", ["drop", "mean"])
def test_ended_in_the_middle_of_an_epoch_a_run_goes_on_with_the_same_bits(missing, monkeypatch):
    command = [
        "data=stream", "data.path=folder", "data.targets=[y]", "data.one_hot=[city]", f"data.missing={missing}",
        "data.validation_column=part", "data.block_rows=60", "data.standardize=true", "optimizer=manual_adam",
        "training.batch_size=7", "training.epochs=2", "tracking.figures=false",
    ]  # fmt: skip
    assert main([*command, "hydra.run.dir=whole"]) == 0
    reads, original = itertools.count(), Reader.frame

    def frame(self, block, names):
        if next(reads) == 50:  # some 15 blocks in the first pass, then 33 an epoch: to train and to evaluate
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, block, names)

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "frame", frame)
        assert main([*command, "hydra.run.dir=cut"]) == 130
    kept = [decode(path.read_bytes()).facts for path in Path("cut/checkpoint").glob("*.safetensors")]
    assert kept and max(facts["batch"] for facts in kept) > 0
    assert main(["resume", "cut"]) == 0
    assert differences(Path("cut"), Path("whole")) == []


@pytest.mark.parametrize("source", [Table, Stream])
def test_rows_dropped_are_told_once_a_file_and_counted(source, frame, caplog):
    frame[:50].write_parquet("held.parquet")
    there = [int(rows["a"].null_count()) for rows in (frame, frame[:50])]
    keys: dict[str, Any] = {"path": "t.parquet", "targets": TARGETS, "inputs": ["a", "b"]}
    with caplog.at_level(logging.WARNING, "experiments"):
        data = source(**keys, missing="drop", validation_path="held.parquet").prepared(Preparation())
    assert caplog.messages == [
        f"{there[0]} of 500 rows dropped for missing cells", f"{there[1]} of 50 rows dropped for missing cells"
    ]  # fmt: skip
    assert data.table.dropped == sum(there) and data.rows == 500 - there[0]
    for more in ({"validation": 0.3}, {"validation_column": "part"}):
        data = source(**keys, missing="drop", **more).prepared(Preparation())
        assert data.table.dropped == there[0] and data.rows + data.validation_rows == 500 - there[0]
    assert source(**keys, missing="mean").prepared(Preparation()).table.dropped == 0


@pytest.mark.parametrize("data", ["table", "stream"])
def test_rows_dropped_are_told_on_the_terminal_and_in_the_runs_log(data, frame):
    words = ["data.path=t.parquet", "data.targets=[y]", "data.inputs=[a]", "data.missing=drop", "hydra.run.dir=run"]
    status, _, err = answered([f"data={data}", *words, "tracking.figures=false", "training.epochs=1"])
    said = f"{frame['a'].null_count()} of 500 rows dropped for missing cells"
    assert status == 0 and err.splitlines()[0] == f"warning: {said}"
    assert f"{frame['a'].null_count()} rows dropped for missing cells" in Path("run/run.log").read_text()


@pytest.mark.parametrize(
    ("keys", "columns"),
    [
        ({"missing": "error"}, ["one_hot", "part"]),
        ({"missing": "error", "validation_column": None}, ["one_hot"]),
        ({"missing": "error", "validation_column": None, "one_hot": None}, []),
        ({"missing": "mean", "validation_column": None, "one_hot": None, "inputs": ["a", "b"]}, ["a", "b"]),
    ],
)
def test_only_the_columns_that_tell_are_read_first(keys, columns, monkeypatch):
    read, original = [], Reader.frame

    def frame(self, block, names):
        read.append(list(names))
        return original(self, block, names)

    first = Reader(Path("t.parquet"), 60).blocks[0]
    monkeypatch.setattr(Reader, "frame", frame)
    monkeypatch.setattr(Reader, "head", lambda self: original(self, first, self.names))
    Stream(path="t.parquet", block_rows=60, **{**EVERY, "inputs": ["b"], **keys}).open()
    wanted = [name for key in columns for name in (["city", "zone"] if key == "one_hot" else [key])]
    assert read == ([wanted] * 9 if wanted else [])  # once a block


REFUSED = {
    "no number in a cell": ({"b": "x"}, {}, "row 300, column b is x, no number; correct the cell, or use data.one_hot"),
    "an infinity": ({"b": np.inf}, {}, "row 300, column b is inf: infinite, or beyond 1.8e308; every cell must be"),
    "a missing cell": ({"b": None}, {}, "row 300, column b is missing; correct it, or use data.missing=drop or mean"),
    "a missing target": ({"z": None}, {"missing": "mean"}, "row 300, column z is missing"),
    "a missing level": (
        {"city": None},
        {"missing": "mean"},
        "row 300, column city is missing; correct it, or use data.missing=drop",
    ),
    "a word of its own": ({"part": "some"}, {}, "data.validation_column: row 300 of part is some; must be true or"),
    "no word": ({"part": None}, {}, "data.validation_column: row 300 of part is None; must be true or false"),
}


@pytest.mark.parametrize("data", ["stream", "table"])
@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("path", ["t.parquet", "t.csv"])
def test_a_bad_cell_is_named_by_its_row_in_the_file(case, data, path, frame):
    """Also where rows before it are dropped, or held out."""
    cells, keys, said = REFUSED[case]
    bad = frame.with_columns(pl.col("a", "count", "c").fill_null(1))
    for name, value in cells.items():
        column = bad[name].to_list()
        if value == "x":
            column = [str(cell) for cell in column]
        bad = bad.with_columns(pl.Series(name, [value if i == 299 else cell for i, cell in enumerate(column)]))
    if not keys and cells != {"b": None}:
        bad = bad.with_columns(a=pl.when(pl.int_range(500) % 10 == 0).then(None).otherwise("a"))
        keys = {"missing": "drop"}
    write(bad)
    with pytest.raises(UserError) as caught:
        whole(data, path, **keys)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def whole(data, path, **keys):
    return in_memory(path, **keys) if data == "table" else streamed(path, **keys)


@pytest.mark.parametrize("data", ["stream", "table"])
@pytest.mark.parametrize(
    ("changed", "keys", "said"),
    [
        ({}, {"one_hot": ["town"]}, "data.one_hot: there is no column town"),
        ({}, {"one_hot": ["note"]}, "data.one_hot: note has 1 level; at least two tell rows apart"),
        ({}, {"one_hot": ["city", "city"]}, "data.one_hot: names city twice"),
        ({}, {"one_hot": ["city"], "targets": ["city"]}, "data.one_hot and data.targets both name city"),
        ({}, {"validation_column": "parts"}, "data.validation_column: there is no column parts; did you mean part?"),
        ({}, {"validation_column": "zone"}, "data.validation_column: row 4 of zone is 2; must be true or false"),
        ({"part": pl.lit("val")}, {}, "data.validation_column=part: all of the rows are held out"),
        ({"part": pl.lit(False)}, {}, "data.validation_column=part: none of the rows are held out"),
        ({}, {"validation": 0.2}, "data.validation and data.validation_column: rows can be held out in one way only"),
        ({"a": None}, {"missing": "drop"}, "every cell of column a is missing, so no row would be left"),
        ({"a": float("nan")}, {"missing": "drop"}, "every cell of column a is missing, so no row would be left"),
        ({"a": None}, {"missing": "mean"}, "data.path=t.parquet: every cell of column a is missing; leave it out of"),
        (
            {"a": pl.when(pl.int_range(500) < 250).then(1.0), "c": pl.when(pl.int_range(500) >= 250).then(1.0)},
            {"missing": "drop"},
            "data.missing=drop: every row has a missing cell, so none would be left",
        ),
        ({"a": pl.when(pl.col("part") == "Test").then(1.0)}, {"missing": "mean"}, "every cell of column a is missing"),
        ({"tags": pl.concat_list("a", "b")}, {"one_hot": ["tags"]}, "tags holds List(Float64); its cells must be"),
    ],
)
def test_what_cannot_be_learned_is_one_line(data, changed, keys, said, frame):
    frame.with_columns(**changed).write_parquet("t.parquet")
    with pytest.raises(UserError) as caught:
        whole(data, "t.parquet", **{"missing": "mean", **keys})
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("data", ["stream", "table"])
def test_too_many_values_are_no_levels(data, monkeypatch):
    rows = np.arange(1500)
    pl.DataFrame({"k": rows, "name": rows.astype(str), "x": rows % 7, "y": rows % 5}).write_parquet("t.parquet")
    keys: dict[str, Any] = {"targets": ["y"], "validation_column": None}
    with pytest.raises(UserError, match=r"k has .*1[05]00 different values; too many to be levels"):
        whole(data, "t.parquet", one_hot=["k"], **keys)
    monkeypatch.setattr(levels, "MOST_LEVELS", 1400)
    with pytest.raises(UserError, match=r"name has .*1[45]00 different values; too many to be levels"):
        whole(data, "t.parquet", one_hot=["name"], **keys)


@pytest.mark.parametrize("data", ["stream", "table"])
def test_a_level_that_only_the_second_file_has_is_told_before_training(data, frame):
    frame[:498].fill_null(1).write_parquet("t.parquet")
    frame[450:].fill_null(1).write_parquet("held.parquet")
    with pytest.raises(UserError) as caught:
        whole(data, "t.parquet", validation_column=None, validation_path="held.parquet")
    assert (
        "data.validation_path=held.parquet: row 49, column city is Wien; must be one of its categories Bern, Oslo"
        in str(caught.value)
    )


def test_numbers_of_an_array_have_missing_cells_levels_and_a_column_that_tells(frame):
    columns = frame.select("a", "b", "zone", (pl.col("part") == "Test").cast(pl.Float64), "y").cast(pl.Float64)
    np.save("t.npy", columns.to_numpy())
    for missing in ("drop", "mean"):
        keys = {"targets": ["c5"], "one_hot": ["c3"], "validation_column": "c4", "missing": missing}
        stream, table = streamed("t.npy", **keys), in_memory("t.npy", **keys)
        assert stream.table.features == table.table.features == ("c1", "c2", "c3=2.0", "c3=3.0")
        torch.testing.assert_close(rows_of(stream), rows_of(table), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(rows_of(stream, True), rows_of(table, True), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("missing", ["drop", "mean"])
def test_what_is_learned_does_not_depend_on_how_many_rows_are_looked_at_at_once(missing):
    whole = streamed("t.parquet", missing=missing)
    parts = streamed("t.parquet", missing=missing, block_rows=50)
    one, other = whole.table.encoding, parts.table.encoding
    assert one is not None and other is not None and one["levels"] == other["levels"]
    assert one["means"] == pytest.approx(other["means"], rel=1e-14)
    assert torch.equal(rows_of(whole, True)[:, :3], rows_of(parts, True)[:, :3])
    assert [len(x) for x, _ in parts.blocks()] == parts.batches(8, True).sizes


def test_files_of_a_folder_may_hold_their_categories_each_in_its_own_type():
    kinds = [pl.Series([1, 2, 1]), pl.Series(["1", "3", "b"]), pl.Series(["b", "c", "b"], dtype=pl.Enum(["c", "b"]))]
    Path("mixed").mkdir()
    for i, column in enumerate(kinds):
        pl.DataFrame({"k": column, "a": [1.0, 2, i], "y": [1.0, i, 3]}).write_parquet(f"mixed/{i}.parquet")
    for order in ((0, 1, 2), (2, 1, 0)):
        for i in order:
            Path(f"mixed/{i}.parquet").rename(f"mixed/{order.index(i)}{i}.parquet")
        found = streamed("mixed", targets=["y"], one_hot=["k"], validation_column=None, missing="error")
        assert found.table.features == ("k=2", "k=3", "k=b", "k=c", "a")
        for i in order:
            Path(f"mixed/{order.index(i)}{i}.parquet").rename(f"mixed/{i}.parquet")
