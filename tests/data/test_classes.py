"""A target of labels: its classes in order, the same from tables, streams and samples; each mistake is one line."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn import datasets

from experiments.data.dataset import Dataset, data_hash
from experiments.data.prepared import Preparation, Prepared, prepare
from experiments.data.sources.crops import crops
from experiments.data.sources.samples import BreastCancer, Digits, Iris, Wine
from experiments.data.sources.stream import Stream
from experiments.data.sources.table import Table
from experiments.data.splitting import held_out_rows
from experiments.errors import UserError

LABELS = Preparation(labels=True, dtype=torch.float64)
NUMBERS = Preparation(dtype=torch.float64)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def prepared(source: str, path: str, how: Preparation = LABELS, **keys: Any) -> Prepared:
    keys = {"path": path, "targets": ["y"], **keys}
    return (Table(**keys) if source == "table" else Stream(block_rows=7, **keys)).prepared(how)


def all_rows(data: Prepared, held_out: bool = False) -> torch.Tensor:
    return torch.cat([torch.cat(pair, 1) for pair in data.blocks(held_out)])


CELLS = {
    "text": (pl.Series(["b", "a", " c ", "a"]), ("a", "b", "c"), [1, 0, 2, 0]),
    "numbers": (pl.Series([10, 9, 100, 9]), (9, 10, 100), [1, 0, 2, 0]),
    "negative numbers": (pl.Series([-1, 1, -1, 1]), (-1, 1), [0, 1, 0, 1]),
    "whole floats": (pl.Series([2.0, 1.0, 2.0, 10.0]), (1, 2, 10), [1, 0, 1, 2]),
    "booleans": (pl.Series([True, False, True, True]), (False, True), [1, 0, 1, 1]),
    "enumeration": (pl.Series(["low", "mid", "high", "low"], dtype=pl.Enum(["low", "mid", "high"])),
                    ("low", "mid", "high"), [0, 1, 2, 0]),
    "categorical": (pl.Series(["b", "a", "b", "a"], dtype=pl.Categorical), ("a", "b"), [1, 0, 1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("source", ["table", "stream"])
@pytest.mark.parametrize("case", CELLS)
def test_labels_become_class_numbers_in_the_order_of_their_type(source: str, case: str) -> None:
    cells, classes, numbers = CELLS[case]
    pl.DataFrame({"a": [1.0, 2, 3, 4], "y": cells}).write_parquet("t.parquet")
    data = prepared(source, "t.parquet")
    assert data.table.classes == classes and [type(c) for c in data.table.classes or ()] == [type(c) for c in classes]
    assert data.y.shape == (4, 1) and data.y[:, 0].tolist() == numbers
    assert all_rows(data)[:, 1].tolist() == numbers
    batches = data.batches(2, False).epoch(torch.Generator())
    assert torch.cat([y.clone() for _, y in batches])[:, 0].tolist() == numbers
    assert data.table.outputs == (1 if len(classes) == 2 else len(classes))


@pytest.mark.parametrize("source", ["table", "stream"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_of_labels_is_scikit_learns(source: str, ending: str) -> None:
    iris: Any = datasets.load_iris()
    frame = pl.DataFrame(iris.data, schema=["a", "b", "c", "d"]).with_columns(
        y=pl.Series([str(iris.target_names[k]) for k in iris.target])
    )
    (frame.write_csv if ending == "csv" else frame.write_parquet)(f"t.{ending}")
    data = prepared(source, f"t.{ending}", validation_column=None, validation=0.2)
    classes, numbers = np.unique(frame["y"].to_list(), return_inverse=True)
    assert data.table.classes == tuple(classes.tolist()) and data.table.outputs == 3
    both = torch.cat([all_rows(data), all_rows(data, held_out=True)])
    expected = np.column_stack([iris.data, numbers])
    assert sorted(both.tolist()) == sorted(expected.tolist())


def test_arrays_of_numbers_are_labels_and_npz_may_hold_text() -> None:
    np.save("t.npy", np.array([[1.0, 0], [2, 7], [3, 0]]))
    for source in ("table", "stream"):
        assert prepared(source, "t.npy", targets=["c2"]).table.classes == (0, 7)
    np.savez("t.npz", a=np.arange(3.0), y=np.array(["n", "s", "n"]))
    data = prepared("table", "t.npz")
    assert data.table.classes == ("n", "s") and data.y[:, 0].tolist() == [0, 1, 0]


@pytest.mark.parametrize("source", ["table", "stream"])
def test_float32_stays(source: str) -> None:
    frame = pl.DataFrame({"a": np.arange(4, dtype=np.float32), "y": ["n", "s", "n", "s"]})
    frame.write_parquet("t.parquet")
    assert prepared(source, "t.parquet").table.x.dtype == torch.float32


def test_files_of_a_folder_may_hold_labels_in_other_types() -> None:
    Path("folder").mkdir()
    for name, cells in (("0", pl.Series([2, 10])), ("1", pl.Series([2.0, 10.0])), ("2", pl.Series(["2", "b"]))):
        pl.DataFrame({"a": [1.0, 2], "y": cells}).write_parquet(f"folder/{name}.parquet")
    data = prepared("stream", "folder")
    assert data.table.classes == ("10", "2", "b") and all_rows(data)[:, 1].tolist() == [1, 0, 1, 0, 1, 2]
    Path("folder/2.parquet").unlink()
    assert prepared("stream", "folder").table.classes == (2, 10)


REFUSED = {
    "one class": ({"y": ["n"] * 6}, {}, "data.targets: y is n in every row; at least two classes tell rows apart"),
    "a missing label": ({"y": ["n", "s", None, "s", "n", "s"]}, {}, "row 3, column y is missing; correct it, or use"),
    "a missing number": ({"y": [0.0, 1, float("nan"), 1, 0, 1]}, {}, "row 3, column y is missing; correct it, or use"),
    "no whole number": ({"y": [0, 1, 2.5, 1, 0, 1]}, {},
                        "row 3, column y is 2.5, no whole number; loss=cross_entropy predicts classes"),
    "an infinity": ({"y": [0, 1, float("inf"), 1, 0, 1]}, {}, "row 3, column y is inf, no whole number"),
    "dates": ({"y": [date(2024, 1, k + 1) for k in range(6)]}, {}, "y holds Date; classes are text, whole numbers or"),
    "two targets": ({"y": ["n", "s"] * 3}, {"targets": ["y", "a"]}, "predicts one column of labels, not 2: y, a; name"),
    "a class that is held out": (
        {"y": ["n", "s", "n", "s", "n", "t"], "v": [0, 0, 0, 0, 1, 1]}, {"validation_column": "v"},
        "data.targets: no training row has the class t of y, only rows held out do; hold out others",
    ),
}  # fmt: skip


@pytest.mark.parametrize("source", ["table", "stream"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_holds_no_classes_is_one_line(source: str, case: str) -> None:
    columns, keys, said = REFUSED[case]
    pl.DataFrame({"a": [1.0, 2, 3, 4, 5, 6], **columns}, strict=False).write_parquet("t.parquet")
    with pytest.raises(UserError) as caught:
        prepared(source, "t.parquet", **keys)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["table", "stream"])
def test_too_many_classes_are_one_line_and_one_a_row_is_none(source: str) -> None:
    pl.DataFrame({"a": np.arange(1500.0), "y": np.arange(1500)}).write_parquet("t.parquet")
    with pytest.raises(UserError, match="more than 1000 different values, too many to be classes"):
        prepared(source, "t.parquet")
    pl.DataFrame({"a": np.arange(5.0), "y": np.arange(5)}).write_parquet("t.parquet")
    assert prepared(source, "t.parquet").table.outputs == 5


@pytest.mark.parametrize("source", ["table", "stream"])
def test_a_second_file_has_the_same_classes(source: str) -> None:
    pl.DataFrame({"a": [1.0, 2, 3], "y": ["n", "s", "t"]}).write_parquet("t.parquet")
    pl.DataFrame({"a": [1.0, 2], "y": ["t", "s"]}).write_parquet("v.parquet")
    data = prepared(source, "t.parquet", validation_path="v.parquet")
    assert all_rows(data, held_out=True)[:, 1].tolist() == [2, 1]
    pl.DataFrame({"a": [1.0, 2], "y": ["t", "sn"]}).write_parquet("v.parquet")
    said = "data.validation_path=v.parquet: row 2, column y is sn; must be one of its classes n, s, t"
    with pytest.raises(UserError, match=said):
        prepared(source, "t.parquet", validation_path="v.parquet")


@pytest.mark.parametrize("source", ["table", "stream"])
def test_rows_without_a_label_are_dropped(source: str) -> None:
    pl.DataFrame({"a": [1.0, 2, 3, None], "y": ["n", None, "s", "t"]}).write_parquet("t.parquet")
    data = prepared(source, "t.parquet", missing="drop")
    assert data.table.classes == ("n", "s") and data.rows == 2 and data.table.dropped == 2


@pytest.mark.parametrize("source", ["table", "stream"])
def test_classes_have_no_scale(source: str) -> None:
    pl.DataFrame({"a": [1.0, 2, 3, 6], "y": ["n", "s", "s", "s"]}).write_parquet("t.parquet")
    data = prepared(source, "t.parquet", Preparation(labels=True, standardize="inputs", dtype=torch.float64))
    assert data.y[:, 0].tolist() == [0, 1, 1, 1]
    assert data.x[:, 0].mean().item() == pytest.approx(0, abs=1e-12)
    with pytest.raises(
        UserError, match=r"data\.standardize=true: scales the targets too.* use data\.standardize=inputs"
    ):
        Preparation(labels=True, standardize=True)


def test_whole_numbers_of_a_source_of_ones_own_are_classes() -> None:
    x, held = torch.randn(4, 2), torch.randn(2, 2)
    rows = Dataset(held, torch.tensor([[7.0], [3]]), ("a", "b"), ("y",))
    data = prepare(Dataset(x, torch.tensor([[3.0], [7], [-1], [7]]), ("a", "b"), ("y",), held_out=rows), LABELS)
    assert data.table.classes == (-1, 3, 7) and data.y[:, 0].tolist() == [1, 2, 0, 2]
    assert data.y_validation is not None and data.y_validation[:, 0].tolist() == [2, 1]
    with pytest.raises(UserError, match=r"row 2, column y is 1\.5, no whole number"):
        prepare(Dataset(x, torch.tensor([[3.0], [1.5], [-1], [7]]), ("a", "b"), ("y",)), LABELS)
    with pytest.raises(UserError, match=r"y is 3 in every row"):
        prepare(Dataset(x, torch.full((4, 1), 3.0), ("a", "b"), ("y",)), LABELS)
    with pytest.raises(
        UserError, match=r"one column of labels, not 2: apples, oranges; name it, as data.targets=\[oranges\]"
    ):
        prepare(crops(5), LABELS)
    with pytest.raises(UserError, match="no training row has the class 9"):
        prepare(Dataset(x, torch.tensor([[3.0], [7], [-1], [7]]), ("a", "b"), ("y",), held_out=Dataset(
            held, torch.tensor([[9.0], [3]]), ("a", "b"), ("y",))), LABELS)  # fmt: skip


def test_a_share_that_takes_the_only_row_of_a_class_is_told() -> None:
    y = torch.zeros(20, 1)
    y[:10], y[-1] = 1, 2
    table = Dataset(torch.randn(20, 1), y, ("a",), ("y",))
    held = next(seed for seed in range(99) if held_out_rows(20, 0.3, seed)[-1])
    with pytest.raises(UserError, match="no training row has the class 2 of y, only rows held out do"):
        prepare(table, Preparation(labels=True, validation=0.3, split_seed=held))


@pytest.mark.parametrize(
    ("source", "name"), [(Digits, "digits"), (BreastCancer, "breast_cancer"), (Wine, "wine"), (Iris, "iris")]
)
def test_samples_are_scikit_learns(source: Any, name: str) -> None:
    found, theirs = source().load(), getattr(datasets, f"load_{name}")()
    np.testing.assert_array_equal(found.x.numpy(), theirs.data)
    labels = [theirs.target_names[k] for k in theirs.target]
    assert [found.classes[int(k)] for k in found.y[:, 0]] == labels
    assert list(found.classes) == sorted(set(labels)) and all(type(c) in (int, str) for c in found.classes)
    data = prepare(found, LABELS)
    assert data.table.outputs == {"digits": 10, "breast_cancer": 1, "wine": 3, "iris": 3}[name]
    assert torch.equal(data.y, found.y)
    assert found.image == ((8, 8) if name == "digits" else None)


def test_for_a_loss_of_numbers_labels_of_numbers_are_numbers_and_text_is_refused() -> None:
    data = prepare(Digits().load(), Preparation(validation=0.1, dtype=torch.float64))
    assert data.table.classes is None and data.table.outputs == 1
    np.testing.assert_array_equal(np.unique(data.y), np.arange(10.0))
    pl.DataFrame({"a": [1.0, 2, 3], "y": [True, False, True]}).write_parquet("t.parquet")
    assert prepared("table", "t.parquet", NUMBERS).y[:, 0].tolist() == [1, 0, 1]
    with pytest.raises(
        UserError, match=r"species holds labels \(setosa, versicolor, virginica\), which loss=cross_entropy"
    ):
        prepare(Iris().load(), NUMBERS)
    moved = Dataset(torch.zeros(2, 1), torch.tensor([[1.0], [0]]), ("a",), ("y",), classes=(5, 7))
    assert prepare(moved, NUMBERS).y[:, 0].tolist() == [7, 5]


def test_the_digest_tells_classes_apart_and_that_of_numbers_is_what_it_was() -> None:
    x, y = torch.ones(2, 1), torch.tensor([[0.0], [1]])
    plain, one, other = (Dataset(x, y, ("a",), ("y",), classes=c) for c in (None, ("n", "s"), ("n", "t")))
    assert len({data_hash(plain), data_hash(one), data_hash(other)}) == 3
    assert data_hash(crops(15)) == "e0f4464aaa5dc029"


@pytest.mark.parametrize("image", [(3, 3), (9,), (1, 1, 1, 8)])
def test_an_image_has_as_many_pixels_as_there_are_inputs(image: tuple[int, ...]) -> None:
    x, y = torch.zeros(2, 8), torch.zeros(2, 1)
    names = tuple("abcdefgh")
    assert Dataset(x, y, names, ("y",), image=(2, 2, 2)).image == (2, 2, 2)
    with pytest.raises(UserError, match=r"data\.image=\[.*the number of inputs, 8"):
        Dataset(x, y, names, ("y",), image=image)


@pytest.mark.parametrize("source", ["table", "stream"])
def test_a_table_of_pixels_is_told_its_image(source: str) -> None:
    np.save("t.npy", np.random.default_rng(0).random((9, 7)))
    data = prepared(source, "t.npy", NUMBERS, targets=["c7"], image=[2, 3])
    assert data.table.image == (2, 3)
    with pytest.raises(UserError, match=r"data\.image=\[3, 3\]"):
        prepared(source, "t.npy", NUMBERS, targets=["c7"], image=[3, 3])
