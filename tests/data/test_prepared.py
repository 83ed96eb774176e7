"""From table to training tensors: the split, the scaling by training rows alone, the cast, the hash."""

import pytest
import torch

from experiments.data.dataset import Dataset, data_hash
from experiments.data.prepared import Preparation, prepare, split
from experiments.data.sources.crops import crops
from experiments.errors import UserError


def test_plain_table_is_cast_and_whole() -> None:
    data = prepare(crops(15))
    assert data.x.dtype == data.y.dtype == torch.float32 and data.x.is_contiguous() and data.y.is_contiguous()
    assert torch.equal(data.x.double(), crops(15).x)
    assert data.held_out is None and data.x_validation is None and data.y_validation is None
    assert prepare(crops(15), Preparation(dtype=torch.float64)).x.dtype == torch.float64


def test_rows_begin_on_a_cache_line_wherever_their_source_put_them() -> None:
    """Else the last bits of a product, and so of a run, hang on where its table happens to lie."""
    memory = torch.arange(40.0, dtype=torch.float64)
    start = next(i for i in range(8) if memory[i:].data_ptr() % 64)
    table = Dataset(
        x=memory[start : start + 10].view(5, 2), y=memory[start : start + 5].view(5, 1),
        features=("a", "b"), targets=("c",),
    )  # fmt: skip
    data = prepare(table, Preparation(dtype=torch.float64))
    assert data.x.data_ptr() % 64 == data.y.data_ptr() % 64 == 0
    assert torch.equal(data.x, table.x) and torch.equal(data.y, table.y)


@pytest.mark.parametrize(("share", "held"), [(0.2, 3), (0.5, 8), (0.9, 14), (1 / 15, 1)])
def test_split_holds_out_rows_once(share: float, held: int) -> None:
    table, rest, _ = split(crops(15), Preparation(validation=share))
    assert rest is not None
    assert len(rest.x) == held and len(table.x) == 15 - held
    both = torch.cat([table.x, rest.x]).tolist()
    assert sorted(both) == sorted(crops(15).x.tolist())
    assert len(table.y) == len(table.x) and rest.features == table.features


def test_split_seed_alone_decides_which_rows() -> None:
    first, second, other = (split(crops(15), Preparation(validation=0.2, split_seed=seed))[0].x for seed in (0, 0, 1))
    assert torch.equal(first, second) and not torch.equal(first, other)


@pytest.mark.parametrize(("share", "left"), [(0.01, "no row for validation"), (0.99, "no row for training")])
def test_split_that_leaves_nothing_is_refused(share: float, left: str) -> None:
    with pytest.raises(UserError, match=left):
        split(crops(15), Preparation(validation=share))


def test_scaling_learns_nothing_from_the_held_out_rows() -> None:
    data = prepare(crops(15), Preparation(validation=0.2, standardize=True, dtype=torch.float64))
    assert data.x_validation is not None and data.held_out is not None
    torch.testing.assert_close(data.x.mean(0), torch.zeros(3).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(data.y.std(0, correction=0), torch.ones(2).double())
    assert data.x_validation.mean(0).abs().max() > 1e-3
    expected = (data.held_out.x - data.table.x.mean(0)) / data.table.x.std(0, correction=0)
    torch.testing.assert_close(data.x_validation, expected)


def test_columns_are_chosen_before_the_split() -> None:
    data = prepare(crops(15), Preparation(inputs=["rainfall"], targets=["temp"], validation=0.2))
    assert data.x.shape == (12, 1) and data.y_validation is not None and data.y_validation.shape == (3, 1)


def test_values_beyond_float32_are_refused_in_float32_only() -> None:
    table = Dataset(torch.tensor([[1e300], [1.0]], dtype=torch.float64), torch.zeros(2, 1).double(), ("a",), ("b",))
    with pytest.raises(UserError, match="beyond float32"):
        prepare(table)
    prepare(table, Preparation(dtype=torch.float64))


def test_hash_is_of_values_and_names() -> None:
    data = crops(15)
    digest = data_hash(data)
    assert len(digest) == 16 and digest == data_hash(crops(15)) != data_hash(crops(5))
    renamed = Dataset(data.x, data.y, ("a", "b", "c"), data.targets)
    moved = Dataset(data.x + 1e-9, data.y, data.features, data.targets)
    assert len({digest, data_hash(renamed), data_hash(moved)}) == 3
