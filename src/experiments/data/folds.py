"""What each row is for: training, validation or the test. The same for every run with one `split_seed`.

Every row is in one fold. Without groups the folds differ by one row at most, and by one row of each class at most;
with groups each is in one fold whole, the largest first, always where the classes' shares then are the most even.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Generator

from experiments.data.order import epoch_order
from experiments.data.splitting import held_out_rows
from experiments.errors import UserError

TRAINED, HELD, TESTED = range(3)
"""What a row is for."""


class SplitKeys(Protocol):
    """The keys of `data` that say which rows are held out."""

    @property
    def validation(self) -> float: ...
    @property
    def split_seed(self) -> int: ...
    @property
    def test(self) -> float: ...
    @property
    def folds(self) -> int | None: ...
    @property
    def fold(self) -> int | None: ...


def parts(
    keys: SplitKeys, classes: np.ndarray, groups: np.ndarray | None = None, held: np.ndarray | None = None
) -> np.ndarray:
    """What each row is for, (rows,): those of `data.test` are drawn first, those for validation from the others.

    `held` (rows,) is the mask of the latter where a column or a file says it. Raises UserError; see `held_rows`.
    """
    found, tested = np.full(len(classes), TRAINED), np.zeros(len(classes), bool)
    if keys.test:
        tested = tested_rows(keys, classes, groups)
    if held is None:
        rest, held = np.flatnonzero(~tested), np.zeros(len(classes), bool)
        held[rest] = held_rows(keys, classes[rest], None if groups is None else groups[rest])
    found[held], found[tested] = HELD, TESTED
    return found


def tested_rows(keys: SplitKeys, classes: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """A mask (rows,), true for the share that is for the test, evenly of each class; see `held_rows`."""
    generator = Generator().manual_seed(2**63 - 1 - keys.split_seed)  # other draws than those for validation
    share, rows = keys.test, len(classes)
    if groups is not None:
        return grouped(groups, classes, [1 - share, share], generator, f"data.test={share}") == 1
    count = round(rows * share)
    if count in (0, rows):
        raise UserError(
            f"data.test={share}: of {rows} rows this leaves no row for {'training' if count else 'the test'}"
        )
    order = epoch_order(rows, generator).numpy()
    order = order[np.argsort(classes[order], kind="stable")]
    mask = np.zeros(rows, bool)
    mask[order[(2 * np.arange(count) + 1) * rows // (2 * count)]] = True
    return mask


def held_rows(keys: SplitKeys, classes: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """A mask (rows,), true for the rows held out for validation: those of a fold, or a share of all.

    `classes` (rows,): the number of each row's class, 0 for all where there are none. `groups` (rows,): what a row
    belongs together with. Raises UserError where that can't be done.
    """
    folds, share, generator = keys.folds, keys.validation, Generator().manual_seed(keys.split_seed)
    if folds is None:
        if groups is None:
            return held_out_rows(len(classes), share, keys.split_seed)
        return grouped(groups, classes, [1 - share, share], generator, f"data.validation={share}") == 1
    said = f"data.folds={folds}"
    if folds > len(classes):
        raise UserError(f"{said}: there are {len(classes)} rows; use as many folds at most")
    if groups is None:
        return folds_of(classes, folds, generator) == keys.fold
    return grouped(groups, classes, [1 / folds] * folds, generator, said) == keys.fold


def folds_of(classes: np.ndarray, folds: int, generator: Generator) -> np.ndarray:
    """The fold of each row (rows,): dealt out in turn, class after class, each class in an order by chance."""
    order = epoch_order(len(classes), generator).numpy()
    order = order[np.argsort(classes[order], kind="stable")]
    found = np.empty(len(classes), np.int64)
    found[order] = np.arange(len(classes)) % folds
    return found


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
    order = epoch_order(len(rows), generator).numpy()
    filled, count, part = np.zeros((len(sizes), shares.shape[1])), np.zeros(len(sizes)), np.empty(len(rows), np.int64)
    for group in order[np.argsort(-rows[order], kind="stable")]:
        growth = ((2 * filled + shares[group]) * shares[group]).sum(1) / sizes
        place = np.lexsort((count / sizes, growth))[0]
        part[group] = place
        filled[place] += shares[group]
        count[place] += rows[group]
    if not count.all():
        raise UserError(f"{said}: the rows are of {len(rows)} groups, too few or too large ones to be so shared out")
    return part[of]
