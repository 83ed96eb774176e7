"""One pass over all the rows of a stream, in float64: their squares, digest, ranges and a sample; maybe in parts."""

import copy
import hashlib
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from experiments.data.dataset import Dataset
from experiments.data.prefetch import prefetched
from experiments.data.streaming.rows import Rows
from experiments.data.workers import Workers, part
from experiments.exact.optimum import LeastSquares

SAMPLE_ROWS = 10_000
"""Rows kept in memory for the figures."""


class Pass:
    """What is known of the training rows of some blocks once they are read."""

    def __init__(self, rows: Rows, squares: LeastSquares) -> None:
        about = (rows.encoding.features, rows.targets, *([rows.classes] if rows.classes else []))
        self.squares, self.digest = squares, hashlib.sha256(repr(about).encode()).hexdigest()
        self.low = torch.full((rows.features,), torch.inf, dtype=torch.float64)
        self.high, self.kept = -self.low, list[Tensor]()
        self.classes = torch.zeros(len(rows.classes or ()), dtype=torch.int64)
        """How many rows each class has."""
        self._about = about

    def joined(self, other: "Pass") -> "Pass":
        """What is known of the rows of both."""
        found = copy.copy(self)
        found.squares = self.squares.joined(other.squares)
        found.digest = hashlib.sha256((self.digest + other.digest).encode()).hexdigest()
        found.low, found.high = torch.minimum(self.low, other.low), torch.maximum(self.high, other.high)
        found.kept, found.classes = self.kept + other.kept, self.classes + other.classes
        return found

    def read(self, rows: Rows, blocks: range, largest: np.ndarray) -> "Pass":
        """Read blocks for the first time, refused as `Rows.table` does; itself."""
        d, every = rows.features, max(1, rows.reader.rows // SAMPLE_ROWS)
        digest = hashlib.sha256(repr(self._about).encode())
        with closing(prefetched(rows.tables(largest, blocks))) as tables:
            for table in tables:
                x, y = table[:, :d], table[:, d:]
                digest.update(x.contiguous().numpy().data)
                digest.update(y.contiguous().numpy().data)
                if len(x):
                    self.low = torch.minimum(self.low, torch.from_numpy(x.numpy().min(0)).double())
                    self.high = torch.maximum(self.high, torch.from_numpy(x.numpy().max(0)).double())
                self.kept.append(table[::every].clone())
                if rows.classes is not None:
                    self.classes += y[:, 0].long().bincount(minlength=len(self.classes))
                self.squares.add(x, y)
        self.digest = digest.hexdigest()
        return self

    def sample(self, rows: Rows) -> Dataset:
        """Some of the rows, SAMPLE_ROWS about."""
        features, keys, table = rows.encoding.features, rows.keys, torch.cat(self.kept)
        return Dataset(
            x=table[:, : len(features)],
            y=table[:, len(features) :],
            features=features,
            targets=rows.targets,
            encoding=rows.encoding.as_json(),
            classes=rows.classes,
            dropped=rows.dropped,
            **keys.about(features, rows.targets),
        )


def passed(rows: Rows, bias: bool, largest: np.ndarray, parts: int, workers: Workers) -> Pass:
    """The whole pass, in so many parts that the workers share: the bits depend on the parts, not on the workers."""
    blocks = len(rows.reader.blocks)
    if parts == 1:
        return Pass(rows, LeastSquares(bias)).read(rows, range(blocks), largest)
    squares = LeastSquares(bias)

    def own() -> dict[int, Pass]:
        first = next((table for table in rows.tables(largest) if len(table)), None)
        if first is not None:  # the origin and scales of all parts
            squares.begin(first[:, : rows.features], first[:, rows.features :])
        return {
            i: Pass(rows, copy.deepcopy(squares)).read(rows, part(blocks, i, parts), largest)
            for i in workers.share(parts)
        }

    return workers.joined(own, parts, Pass.joined)
