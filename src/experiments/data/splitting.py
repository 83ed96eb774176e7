"""Which subset each row is in: training, validation or test. The same for every run with one `split_seed`.

Every row is in one fold. Without groups the folds differ by one row at most, and by one row of each class at most;
with groups each is in one fold whole, the largest first, always where the classes' shares then are the most even.
"""

from collections.abc import Sequence

import numpy as np
from torch import Generator

from experiments.config.schema import Data
from experiments.data.order import epoch_order
from experiments.errors import UserError

TRAINED, HELD, TESTED = range(3)
"""The subsets; HELD are the rows for validation."""


def subsets(keys: Data, classes: np.ndarray, groups: np.ndarray | None, held: np.ndarray | None = None) -> np.ndarray:
    """The subset of each row, (rows,): those of `data.test` are drawn first, those for validation from the others.

    `classes` (rows,): the number of each row's class, 0 for all where there are none. `groups` (rows,): what a row
    belongs together with. `held` (rows,) is the mask of rows for validation where a column or a file says it. Raises
    UserError where the rows can't be so shared out.
    """
    found, tested = np.full(len(classes), TRAINED), np.zeros(len(classes), bool)
    if keys.test:
        tested = tested_rows(keys, classes, groups)
    if held is None:
        rest, held = np.flatnonzero(~tested), np.zeros(len(classes), bool)
        held[rest] = held_rows(keys, classes[rest], None if groups is None else groups[rest])
    found[held], found[tested] = HELD, TESTED
    return found


def tested_rows(keys: Data, classes: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """A mask (rows,), true for the share that is for the test, evenly of each class; see `subsets`."""
    generator = Generator().manual_seed(2**63 - 1 - keys.split_seed)  # other draws than those for validation
    share, rows = keys.test, len(classes)
    if groups is not None:
        return grouped(groups, classes, [1 - share, share], generator, f"data.test={share}") == 1
    count, mask = counted(rows, share, f"data.test={share}", "the test"), np.zeros(rows, bool)
    mask[by_class(classes, generator)[(2 * np.arange(count) + 1) * rows // (2 * count)]] = True
    return mask


def held_rows(keys: Data, classes: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """A mask (rows,), true for the rows held out for validation: those of a fold, or a share of all; see `subsets`."""
    folds, share, generator = keys.folds, keys.validation, Generator().manual_seed(keys.split_seed)
    if folds is None:
        if groups is None:
            return held_out_rows(len(classes), share, keys.split_seed)
        return grouped(groups, classes, [1 - share, share], generator, f"data.validation={share}") == 1
    if folds > len(classes):
        raise UserError(f"data.folds={folds}: there are {len(classes)} rows; use as many folds at most")
    assert keys.fold is not None  # `config/coupled.py` asks for it
    if groups is not None:
        return grouped(groups, classes, [1 / folds] * folds, generator, f"data.folds={folds}") == keys.fold
    mask = np.zeros(len(classes), bool)
    mask[by_class(classes, generator)[keys.fold :: folds]] = True  # dealt out in turn, class after class
    return mask


def held_out_rows(rows: int, share: float, split_seed: int) -> np.ndarray:
    """A mask (rows,), true for exactly round(rows * share) of them. Raises UserError when a side would be empty."""
    held, mask = counted(rows, share, f"data.validation={share}", "validation"), np.zeros(rows, bool)
    mask[epoch_order(rows, Generator().manual_seed(split_seed))[:held].numpy()] = True
    return mask


def held_by_hash(numbers: np.ndarray, share: float, split_seed: int) -> np.ndarray:
    """A mask (rows,), true for about `share` of the rows, each by its own number (from 0) alone.

    The number is mixed as in splitmix64 (S. Vigna, after G. Steele et al., 2014), so that neither the size of the
    blocks nor their order changes which rows are held out.
    """
    z = numbers.astype(np.uint64) + np.uint64(1)
    z = z * np.uint64(0x9E3779B97F4A7C15) + np.uint64(split_seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    z ^= z >> np.uint64(31)
    return z < np.uint64(int(share * 2**64))


def counted(rows: int, share: float, said: str, subset: str) -> int:
    """round(rows * share). Raises UserError, which begins with `said`, when it leaves a side empty."""
    count = round(rows * share)
    if count in (0, rows):
        raise UserError(f"{said}: of {rows} rows this leaves no row for {'training' if count else subset}")
    return count


def by_class(classes: np.ndarray, generator: Generator) -> np.ndarray:
    """The rows (rows,) in the order of their classes, those of one class in an order by chance."""
    order = epoch_order(len(classes), generator).numpy()
    return order[np.argsort(classes[order], kind="stable")]


def grouped(
    groups: np.ndarray, classes: np.ndarray, sizes: Sequence[float], generator: Generator, said: str
) -> np.ndarray:
    """The part of each row (rows,) where whole groups make parts of about these `sizes`, shares of the rows.

    Each group goes to the part in which the sum of (a class's share)^2 / (the part's size) grows least; with one class
    that is the emptiest part. Raises UserError, which begins with `said`, for a part without a group.
    """
    _, of = np.unique(groups, return_inverse=True)
    shares = np.zeros((of.max() + 1, classes.max() + 1))
    np.add.at(shares, (of, classes), 1)
    rows = shares.sum(1)
    shares /= np.maximum(shares.sum(0), 1)
    filled, count, part = np.zeros((len(sizes), shares.shape[1])), np.zeros(len(sizes)), np.empty(len(rows), np.int64)
    for group in by_class(-rows, generator):
        growth = ((2 * filled + shares[group]) * shares[group]).sum(1) / sizes
        place = np.lexsort((count / sizes, growth))[0]
        part[group] = place
        filled[place] += shares[group]
        count[place] += rows[group]
    if not count.all():
        raise UserError(f"{said}: the rows are of {len(rows)} groups, too few or too large ones to be so shared out")
    return part[of]
