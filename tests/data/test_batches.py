"""Batches: every row once an epoch, as DataLoader cuts them, whatever carries them."""

import threading

import pytest
import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, TensorDataset

from experiments.data import batches as module
from experiments.data.batches import Batches
from experiments.data.order import epoch_order

X, Y = torch.arange(30.0).reshape(15, 2), torch.arange(15.0).reshape(15, 1)


@pytest.fixture(params=[False, True], ids=["small", "large"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table as it is, and taken for one that is larger than the caches: gathered ahead, some rows at a time."""
    if request.param:
        for name, numbers in (("LARGE", 1), ("GATHERED", 12), ("READ", 12)):
            monkeypatch.setattr(module, name, numbers)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("shuffle", [True, "blocks", False])
@pytest.mark.parametrize("loader", ["tensor", "torch"])
def test_arrays_are_the_same_batches(shuffle: bool | str, loader: str) -> None:
    batches = Batches(X, Y, 4, shuffle, block_rows=5, loader=loader)
    for first in (0, 2):
        tensors = gathered(batches, seeded(), first)
        arrays = [(x.copy(), y.copy()) for x, y in batches.epoch(seeded(), first, arrays=True)]
        assert [(x.tolist(), y.tolist()) for x, y in tensors] == [(x.tolist(), y.tolist()) for x, y in arrays]


def gathered(batches: Batches, generator: Generator, first: int = 0) -> list[tuple[Tensor, Tensor]]:
    return [(x.clone(), y.clone()) for x, y in batches.epoch(generator, first)]


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("loader", ["tensor", "torch"])
@pytest.mark.parametrize("size", [1, 4, 5, 14])
def test_an_epoch_is_what_a_dataloader_gives_for_the_same_order(loader: str, size: int) -> None:
    batches, generator, twin = Batches(X, Y, size, loader=loader), seeded(2), seeded(2)
    for _ in range(3):
        order = epoch_order(15, twin)
        expected = list(DataLoader(TensorDataset(X, Y), size, sampler=order.tolist(), generator=seeded(9)))
        found = gathered(batches, generator)
        assert len(found) == batches.per_epoch == len(expected)
        for (x, y), (x_expected, y_expected) in zip(found, expected, strict=True):
            assert torch.equal(x, x_expected) and torch.equal(y, y_expected)


@pytest.mark.parametrize("loader", ["tensor", "torch"])
@pytest.mark.parametrize("size", [None, 15, 16, 10_000])
def test_the_full_batch_is_the_table_in_its_order_and_draws_nothing(loader: str, size: int | None) -> None:
    generator = seeded()
    before = generator.get_state()
    [(x, y)] = gathered(Batches(X, Y, size, shuffle=True, loader=loader), generator)
    assert torch.equal(x, X) and torch.equal(y, Y)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("loader", ["tensor", "torch"])
def test_without_shuffling_the_tables_order(loader: str) -> None:
    found = gathered(Batches(X, Y, 4, shuffle=False, loader=loader), seeded())
    assert [len(x) for x, _ in found] == [4, 4, 4, 3]
    assert torch.equal(torch.cat([x for x, _ in found]), X)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("shuffle", [True, "blocks", False])
@pytest.mark.parametrize("loader", ["tensor", "torch"])
def test_an_epoch_from_the_middle_is_the_rest_of_the_same_epoch(shuffle: bool | str, loader: str) -> None:
    batches = Batches(X, Y, 4, shuffle, block_rows=5, loader=loader)
    whole = gathered(batches, seeded(4))
    for first in range(5):
        generator = seeded(4)
        rest = gathered(batches, generator, first)
        assert len(rest) == 4 - first
        assert all(torch.equal(a, b) for (a, _), (b, _) in zip(rest, whole[first:], strict=True))


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("shuffle", [True, "blocks", False])
def test_batches_lie_alike_against_the_cache_lines_wherever_the_epoch_begins(shuffle: bool | str) -> None:
    """Else the last bits of MKL's products differ, and a resumed run is another run."""
    batches = Batches(X, Y, 1, shuffle, block_rows=5)
    whole = [x.data_ptr() % 64 for x, _ in batches.epoch(seeded(4))]
    assert len(set(whole)) > 1
    for first in range(15):
        assert [x.data_ptr() % 64 for x, _ in batches.epoch(seeded(4), first)] == whole[first:]


def test_rows_of_inputs_and_targets_stay_together() -> None:
    for shuffle in (True, "blocks"):
        for x, y in Batches(X, Y, 4, shuffle, block_rows=6).epoch(seeded()):
            assert torch.equal(x[:, 0], 2 * y[:, 0])


def test_a_large_table_left_in_the_middle_of_an_epoch_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE", 1)
    monkeypatch.setattr(module, "GATHERED", 4)
    before, batches = threading.active_count(), Batches(X, Y, 2)
    assert batches.large
    for _ in batches.epoch(seeded()):
        break
    assert threading.active_count() == before
    x = torch.cat([x for x, _ in gathered(batches, seeded())])
    assert torch.equal(x, X[epoch_order(15, seeded())])


def test_the_table_itself_is_never_reordered() -> None:
    before = X.clone()
    gathered(Batches(X, Y, 4), seeded())
    assert torch.equal(X, before)


def test_dataloader_draws_from_no_generator_of_ours() -> None:
    before, generator = torch.get_rng_state(), seeded()
    gathered(Batches(X, Y, 4, loader="torch"), generator)
    assert torch.equal(torch.get_rng_state(), before)
    twin = seeded()
    epoch_order(15, twin)
    assert torch.equal(generator.get_state(), twin.get_state())
