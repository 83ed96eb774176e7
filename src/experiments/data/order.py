"""The rule of the batch order: which row comes when, from the run's generator alone.

The serial loop and the pack both call it. A small table's order is the stable argsort of uniform draws, since
many runs can then be drawn and sorted at once and still each get the bits that it would get alone: `torch.rand`
in pieces is one big `torch.rand`. (`randperm` has no such form; it serves tables too large to stack, and blocks.)
"""

import numpy as np
import torch
from torch import Generator, Tensor

SORTED_ROWS = 65_536
"""Tables of more rows than this are ordered by randperm."""
BLOCK_NUMBERS = 2**23
"""What a block holds at most: 32 MB in float32, and some blocks are in memory at a time."""


def epoch_order(rows: int, generator: Generator) -> Tensor:
    """A permutation (rows,) of one epoch; advances the generator."""
    if rows > SORTED_ROWS:
        return randperm(rows, generator)
    return sort_keys(torch.rand(rows, generator=generator))


def sort_keys(keys: Tensor) -> Tensor:
    """Permutations (..., rows) from uniform float32 draws of that shape; ties keep their order."""
    assert keys.dtype == torch.float32  # another dtype would be another order
    # The bits of a draw order as it does, its place settles ties: a third of the time that a stable argsort takes.
    drawn = (keys.contiguous().view(torch.int32).long() << 32).add_(torch.arange(keys.shape[-1]))
    drawn.numpy().sort(axis=-1)
    return drawn.bitwise_and_(2**32 - 1)


def rows_of_a_block(asked: int, columns: int) -> int:
    """`asked`, or fewer where rows are so wide that a block would be large; `columns` are inputs and targets."""
    return max(1, min(asked, BLOCK_NUMBERS // columns))


def block_order(rows: int, block_rows: int, generator: Generator) -> Tensor:
    """A permutation (rows,) that shuffles blocks of neighbouring rows, and the rows inside each block."""
    starts = range(0, rows, block_rows)
    blocks, seed = block_plan(len(starts), generator)
    order, done = np.empty(rows, np.int64), 0  # numpy: torch would wake its threads for so little, and wait for them
    for b in blocks:
        inside = within_block(min(block_rows, rows - starts[b]), seed, b).numpy()
        np.add(inside, starts[b], out=order[done : done + len(inside)])
        done += len(inside)
    return torch.from_numpy(order)


def block_plan(blocks: int, generator: Generator) -> tuple[list[int], int]:
    """The order of one epoch's blocks, and the seed of the orders within them; advances the generator.

    What comes after in the generator does not depend on the rows, so that a stream can read blocks ahead.
    """
    order = epoch_order(blocks, generator).tolist()
    return order, int(torch.randint(2**62, (), generator=generator))


def within_block(rows: int, seed: int, block: int) -> Tensor:
    """The permutation (rows,) of the rows of one block, by its number and the epoch's seed."""
    return randperm(rows, Generator().manual_seed(seed + block))


def randperm(rows: int, generator: Generator) -> Tensor:
    """torch.randperm's permutation (rows,) in half its time or less: half the memory is written in random order."""
    narrow = torch.int32 if rows <= 2**31 - 1 else torch.int64
    return torch.randperm(rows, generator=generator, dtype=narrow).long()
