"""Batches of several blocks: every row once an epoch, from all the blocks of a set, whoever reads them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Generator

from experiments.data import workers as shared
from experiments.data.prepared import Preparation
from experiments.data.sources.stream import Stream
from experiments.data.streaming.shared_batches import SharedBatches
from experiments.data.streaming.streamed import Streamed
from experiments.data.workers import Workers
from experiments.errors import UserError

ROWS = 103  # ten blocks of ten, and one of three


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Rows (number, 2 * number)."""
    np.save(tmp_path / "t.npy", np.outer(np.arange(ROWS), [1, 2]).astype(np.float32))
    return tmp_path / "t.npy"


def opened(path: Path, blocks: int, **keys: object) -> Streamed:
    return Stream(path=str(path), targets=["c2"], block_rows=10, batch_blocks=blocks, **keys).prepared(Preparation())  # type: ignore[arg-type]


def numbers(batches: SharedBatches, seed: int = 0, first: int = 0) -> list[dict[int, list[float]]]:
    """The rows' numbers of each batch, by the place of their block."""
    epoch = batches.epoch(Generator().manual_seed(seed), first)
    return [{i: x[:, 0].tolist() for i, (x, _) in share.pieces.items()} for (share,) in epoch]


def of_rank(data: Streamed, rank: int, size: int, batch_size: int = 16, shuffle: bool = True) -> SharedBatches:
    found = data.batches(batch_size, shuffle)
    assert isinstance(found, SharedBatches)
    return SharedBatches(found.blocks, batch_size, found.together, Workers(rank, size))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_processes_parts_are_the_batches_of_one(path: Path, size: int) -> None:
    data = opened(path, 4)
    alone = numbers(of_rank(data, 0, 1))
    parts = [numbers(of_rank(data, rank, size)) for rank in range(size)]
    assert all(len(part) == len(alone) for part in parts)
    for batch, *of_batch in zip(alone, *parts, strict=True):
        joined = {i: rows for part in of_batch for i, rows in part.items()}
        assert joined == batch and sum(map(len, of_batch)) == len(batch)


def test_an_epoch_has_every_row_once_and_each_batch_rows_of_four_blocks(path: Path) -> None:
    found = numbers(of_rank(opened(path, 4), 0, 1))
    assert Counter(row for batch in found for rows in batch.values() for row in rows) == Counter(range(ROWS))
    full = [batch for batch in found if sum(map(len, batch.values())) == 16]
    blocks = [sorted(len({row // 10 for row in rows}) for rows in batch.values()) for batch in full]
    assert sorted(blocks) == [[1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]  # of eleven blocks the last three are a set
    assert found != numbers(of_rank(opened(path, 4), 0, 1), seed=1)


def test_in_order_the_blocks_come_as_they_lie(path: Path) -> None:
    first, second, *_ = numbers(of_rank(opened(path, 4), 0, 1, shuffle=False))
    assert first == {i: [10 * i, 10 * i + 1, 10 * i + 2, 10 * i + 3] for i in range(4)}
    assert second == {i: [10 * i + 4, 10 * i + 5, 10 * i + 6, 10 * i + 7] for i in range(4)}


@pytest.mark.parametrize("first", [1, 4, 8, 99])
def test_an_epoch_begun_later_has_the_batches_that_are_left(path: Path, first: int) -> None:
    batches = of_rank(opened(path, 4), 0, 1)
    assert numbers(batches, first=first) == numbers(batches)[first:]
    assert len(numbers(batches)) <= batches.per_epoch


def test_what_is_read_ahead_does_not_overwrite_a_block_in_use(path: Path) -> None:
    """Small batches, so that each set is long in use, and its rows are looked at as they come."""
    found = of_rank(opened(path, 3), 0, 1, batch_size=3)
    for (share,) in found.epoch(Generator().manual_seed(2)):
        for x, y in share.pieces.values():
            assert torch.equal(2 * x, y)
    assert Counter(r for b in numbers(found) for rows in b.values() for r in rows) == Counter(range(ROWS))


def test_a_pass_in_parts_finds_what_one_pass_finds(path: Path) -> None:
    whole, parts = opened(path, 1), opened(path, 4)
    assert parts.rows == whole.rows and torch.equal(parts.largest, whole.largest)
    assert torch.equal(parts.table.x, whole.table.x)
    assert parts.squares(True).mean == pytest.approx(whole.squares(True).mean, rel=1e-12)
    assert parts.digest() != whole.digest() == opened(path, 1).digest()


def test_a_batch_too_small_and_processes_too_many_are_refused(path: Path) -> None:
    with pytest.raises(UserError, match=r"training\.batch_size=3: .* data\.batch_blocks=4"):
        opened(path, 4).batches(3, True)
    with pytest.raises(UserError, match=r"data\.batch_blocks=4: 5 processes can't share"):
        of_rank(opened(path, 4), 0, 5)


def test_processes_that_begin_elsewhere_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.Workers, "everyones", lambda self, own: [own, {**own, "step": 7}])
    with pytest.raises(UserError, match="process 1 of torchrun begins with step 7, process 0 with 3"):
        Workers(0, 2).require_alike({"data": "same", "step": 3})
