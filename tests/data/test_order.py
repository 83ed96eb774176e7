"""The rule of the batch order: one function, drawn in pieces or at once, and uniform."""

from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from torch import Generator

from experiments.data.order import SORTED_ROWS, block_order, block_plan, epoch_order, sort_keys, within_block


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("rows", [1, 2, 15, 1000])
def test_order_is_a_permutation_that_advances_the_generator(rows: int) -> None:
    generator = seeded()
    first, second = epoch_order(rows, generator), epoch_order(rows, generator)
    assert sorted(first.tolist()) == list(range(rows)) == sorted(second.tolist())
    if rows > 2:
        assert first.tolist() != second.tolist()


def test_many_epochs_drawn_at_once_are_the_same_bits() -> None:
    generator = seeded(3)
    one_by_one = torch.stack([epoch_order(15, generator) for _ in range(100)])
    at_once = sort_keys(torch.rand(100, 15, generator=seeded(3)))
    assert torch.equal(one_by_one, at_once)


def test_many_runs_sorted_at_once_are_the_same_bits() -> None:
    keys = torch.stack([torch.rand(4, 33, generator=seeded(s)) for s in range(50)])
    together = sort_keys(keys)
    for seed in (0, 17, 49):
        generator = seeded(seed)
        assert torch.equal(together[seed], torch.stack([epoch_order(33, generator) for _ in range(4)]))


def test_ties_keep_their_order() -> None:
    assert sort_keys(torch.tensor([0.5, 0.1, 0.5, 0.1])).tolist() == [1, 3, 0, 2]


def test_large_tables_take_randperm() -> None:
    rows = SORTED_ROWS + 1
    ours, torchs = seeded(5), seeded(5)
    for _ in range(2):  # what comes after it in the generator, too
        assert torch.equal(epoch_order(rows, ours), torch.randperm(rows, generator=torchs))


def test_every_order_is_equally_likely() -> None:
    generator = seeded(1)
    seen = Counter(tuple(epoch_order(3, generator).tolist()) for _ in range(6000))
    assert len(seen) == 6
    assert chisquare(list(seen.values())).pvalue > 1e-3


@pytest.mark.parametrize(("rows", "block"), [(10, 3), (10, 10), (10, 100), (1, 1), (9, 1)])
def test_blocks_stay_together(rows: int, block: int) -> None:
    order = block_order(rows, block, seeded()).tolist()
    assert sorted(order) == list(range(rows))
    blocks = [row // block for row in order]
    assert len([b for i, b in enumerate(blocks) if i == 0 or b != blocks[i - 1]]) == -(-rows // block)


def test_blocks_and_the_rows_in_them_are_shuffled() -> None:
    orders = {tuple(block_order(12, 4, seeded(s)).tolist()) for s in range(40)}
    assert len({tuple(r // 4 for r in order) for order in orders}) > 3
    assert any(order[:4] != tuple(sorted(order[:4])) for order in orders)


def test_block_order_is_what_its_parts_say() -> None:
    """The rule of streams too: a block's rows follow from its number and the epoch's seed alone."""
    plan, seed = block_plan(4, seeded(7))
    expected = [start * 3 + i for start in plan for i in within_block(3 if start < 3 else 1, seed, start).tolist()]
    assert block_order(10, 3, seeded(7)).tolist() == expected
