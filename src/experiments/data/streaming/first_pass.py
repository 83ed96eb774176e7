"""One pass over all the rows of a stream, in float64: their squares, digest, ranges and a sample; maybe in parts."""

import copy
import hashlib
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from experiments.data.prefetch import prefetched
from experiments.data.streaming.rows import Rows
from experiments.data.workers import Workers, part
from experiments.exact.optimum import LeastSquares

SAMPLE_ROWS = 10_000
"""Rows kept in memory for the figures."""


@dataclass(frozen=True)
class Seen:
    """What is known of the training rows of some blocks."""

    squares: LeastSquares
    digest: str
    low: Tensor
    high: Tensor
    """The smallest and the largest number of each input (features,)."""
    sample: list[Tensor]
    """Some of the rows (n, features + targets), in pieces; of the whole file SAMPLE_ROWS about."""
    classes: Tensor
    """How many rows each class has (classes,)."""

    def joined(self, other: "Seen") -> "Seen":
        """What is known of the rows of both."""
        return Seen(
            self.squares.joined(other.squares),
            hashlib.sha256((self.digest + other.digest).encode()).hexdigest(),
            torch.minimum(self.low, other.low),
            torch.maximum(self.high, other.high),
            self.sample + other.sample,
            self.classes + other.classes,
        )


def seen(rows: Rows, squares: LeastSquares, blocks: range, largest: np.ndarray) -> Seen:
    """Read some blocks for the first time, refused as `Rows.table` does, into `squares` among others."""
    d, every = rows.features, max(1, rows.reader.rows // SAMPLE_ROWS)
    about = (rows.encoding.features, rows.targets, *([rows.classes] if rows.classes else []))
    digest = hashlib.sha256(repr(about).encode())
    low = torch.full((d,), torch.inf, dtype=torch.float64)
    high, sample, classes = -low, list[Tensor](), torch.zeros(len(rows.classes or ()), dtype=torch.int64)
    with closing(prefetched(rows.tables(largest, blocks))) as tables:
        for table in tables:
            x, y = table[:, :d], table[:, d:]
            for columns in (x, y):
                digest.update(columns.contiguous().numpy().data)
            if len(x):
                low = torch.minimum(low, torch.from_numpy(x.numpy().min(0)).double())
                high = torch.maximum(high, torch.from_numpy(x.numpy().max(0)).double())
            sample.append(table[::every].clone())
            if rows.classes is not None:
                classes += y[:, 0].long().bincount(minlength=len(classes))
            squares.add(x, y)
    return Seen(squares, digest.hexdigest(), low, high, sample, classes)


def first_pass(rows: Rows, bias: bool, largest: np.ndarray, parts: int, workers: Workers) -> Seen:
    """The whole pass, in so many parts that the workers share: the bits depend on the parts, not on the workers."""
    blocks, squares = len(rows.reader.blocks), LeastSquares(bias)
    if parts == 1:
        return seen(rows, squares, range(blocks), largest)

    def own() -> dict[int, Seen]:
        first = next((table for table in rows.tables(largest) if len(table)), None)
        if first is not None:  # the origin and scales of all parts
            squares.begin(first[:, : rows.features], first[:, rows.features :])
        return {i: seen(rows, copy.deepcopy(squares), part(blocks, i, parts), largest) for i in workers.share(parts)}

    return workers.joined(own, parts, Seen.joined)
