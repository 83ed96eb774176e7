"""Which rows are held out for validation: the same for every run with one `split_seed`, whatever the run's seed."""

import numpy as np
from torch import Generator

from experiments.data.order import epoch_order
from experiments.errors import UserError


def held_out_rows(rows: int, share: float, split_seed: int) -> np.ndarray:
    """A mask (rows,), true for exactly round(rows * share) of them. Raises UserError when a side would be empty."""
    held = round(rows * share)
    if held in (0, rows):
        side = "training" if held else "validation"
        raise UserError(f"data.validation={share}: of {rows} rows this leaves no row for {side}")
    mask = np.zeros(rows, bool)
    mask[epoch_order(rows, Generator().manual_seed(split_seed))[:held].numpy()] = True
    return mask


def held_by_hash(first: int, rows: int, share: float, split_seed: int) -> np.ndarray:
    """A mask (rows,) for rows number `first` on: true for about `share` of them, each by its own number alone.

    The number is mixed as in splitmix64 (S. Vigna, after G. Steele et al., 2014), so that neither the size of the
    blocks nor their order changes which rows are held out.
    """
    z = np.arange(first, first + rows, dtype=np.uint64) + np.uint64(1)
    z = z * np.uint64(0x9E3779B97F4A7C15) + np.uint64(split_seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    z ^= z >> np.uint64(31)
    return z < np.uint64(int(share * 2**64))
