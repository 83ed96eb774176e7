"""The frozen table: shapes and cells checked once, columns chosen with their names and units."""

import pytest
import torch
from torch import Tensor

from experiments.data.dataset import Dataset, select
from experiments.data.prepared import Preparation, prepare
from experiments.data.sources.crops import crops
from experiments.data.sources.synthetic import Synthetic
from experiments.errors import UserError


def table(x: Tensor, y: Tensor) -> Dataset:
    return Dataset(x, y, ("a", "b"), ("c",))


def test_crops_are_the_tutorials_tables() -> None:
    data = crops(15)
    assert data.x.shape == (15, 3) and data.y.shape == (15, 2)
    assert data.x[3].tolist() == [102, 43, 37] and data.y[3].tolist() == [22, 37]
    assert data.x[14].tolist() == [68, 97, 70] and data.y[14].tolist() == [102, 120]
    assert data.features == ("temp", "rainfall", "humidity") and data.feature_units == ("°F", "mm", "%")
    assert data.targets == ("apples", "oranges") and data.target_units == ("t/ha", "t/ha")
    small = crops(5)
    assert torch.equal(small.x, data.x[:5]) and torch.equal(small.y, data.y[:5])


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (torch.zeros(4, 2), torch.zeros(4), r"targets of shape \(4,\).*\(n, 1\)"),
        (torch.zeros(4), torch.zeros(4, 1), r"inputs of shape \(4,\)"),
        (torch.zeros(4, 2), torch.zeros(4, 1, 1), "targets of shape"),
        (torch.zeros(4, 2), torch.zeros(3, 1), "4 rows of inputs but 3 of targets"),
        (torch.zeros(0, 2), torch.zeros(0, 1), "no rows"),
        (torch.zeros(4, 0), torch.zeros(4, 1), "no inputs"),
        (torch.zeros(4, 2, dtype=torch.int64), torch.zeros(4, 1), "inputs of type torch.int64"),
        (torch.zeros(4, 2), torch.zeros(4, 1, dtype=torch.bool), "targets of type torch.bool"),
        (torch.zeros(4, 3), torch.zeros(4, 1), "3 inputs and 1 targets, but 2 and 1 names"),
    ],
)
def test_shapes_and_types_are_refused_before_any_training(x: Tensor, y: Tensor, words: str) -> None:
    with pytest.raises(UserError, match=words):
        table(x, y)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_cell_that_is_not_finite_is_named(value: float) -> None:
    y = torch.zeros(4, 1)
    y[2, 0] = value
    with pytest.raises(UserError, match=r"targets row 3, column 1 is"):
        table(torch.zeros(4, 2), y)


def test_a_sum_that_overflows_is_no_bad_cell() -> None:
    table(torch.full((4, 2), 1.5e308, dtype=torch.float64), torch.zeros(4, 1))


def test_missing_names_of_units_are_empty() -> None:
    data = table(torch.zeros(4, 2), torch.zeros(4, 1))
    assert data.feature_units == ("", "") and data.target_units == ("",) and data.quantities == ("c",)


def test_select_takes_columns_from_either_side_with_units() -> None:
    data = crops(15)
    chosen = select(data, None, ["humidity", "apples"])
    assert chosen.features == ("temp", "rainfall") and chosen.targets == ("humidity", "apples")
    assert chosen.target_units == ("%", "t/ha") and chosen.quantities == ("humidity", "apples")
    assert torch.equal(chosen.y, torch.stack([data.x[:, 2], data.y[:, 0]], 1))
    assert chosen.example is None
    chosen = select(data, ["rainfall", "oranges"], ["apples"])
    assert chosen.features == ("rainfall", "oranges") and chosen.feature_units == ("mm", "t/ha")
    assert torch.equal(chosen.x, torch.stack([data.x[:, 1], data.y[:, 1]], 1))
    assert select(data, None, None) is data


def test_select_keeps_the_truth_of_the_targets_it_keeps() -> None:
    data = Synthetic(n_rows=10, n_targets=3).load()
    assert data.truth is not None
    kept = select(data, None, ["y3", "y1"]).truth
    assert kept is not None
    assert torch.equal(kept[0], data.truth[0][[2, 0]]) and torch.equal(kept[1], data.truth[1][[2, 0]])
    assert select(data, ["x1"], None).truth is None


@pytest.mark.parametrize(
    ("inputs", "targets", "words"),
    [
        (["tmp"], None, "data.inputs: there is no column tmp; did you mean temp"),
        (None, ["zzz"], "data.targets: there is no column zzz; there are temp, rainfall"),
        ([], None, r"data.inputs=\[\]"),
        (None, [], r"data.targets=\[\]"),
        (["temp"], ["temp"], "both name temp"),
        (None, ["temp", "rainfall", "humidity"], "data.inputs"),
    ],
)
def test_select_refuses(inputs: list[str] | None, targets: list[str] | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        select(crops(15), inputs, targets)


def test_columns_and_classes_are_chosen_of_rows_that_the_source_sets_apart_too() -> None:
    def rows(n: int, held_out: Dataset | None = None, test: Dataset | None = None) -> Dataset:
        x, y = torch.arange(3.0 * n).reshape(n, 3), torch.arange(n)[:, None] % 3 * 2.0 + 1
        return Dataset(x, y, ("a", "b", "c"), ("y",), held_out=held_out, test=test)

    found = prepare(rows(9, held_out=rows(6), test=rows(4)), Preparation(inputs=["b"], labels=True))
    assert found.x_validation is not None and found.held_out is not None and found.test is not None
    assert found.x_validation[:, 0].tolist() == [1, 4, 7, 10, 13, 16]
    for part in (found.table, found.held_out, found.test):
        assert part.features == ("b",) and part.classes == (1, 3, 5)
        assert part.y[:, 0].tolist() == [k % 3 for k in range(len(part.y))]
