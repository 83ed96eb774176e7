"""What a run trains on when its rows come block by block: all that is known of them, from one pass."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from experiments.data.allocation import return_blocks
from experiments.data.batches import Pair
from experiments.data.classes import require_every_class
from experiments.data.dataset import Dataset
from experiments.data.prefetch import prefetched
from experiments.data.prepared import Preparation, Prepared
from experiments.data.scaling import Scaling, identity, of_moments, scaled
from experiments.data.streaming.rows import Rows
from experiments.data.streaming.streamed_batches import StreamedBatches
from experiments.errors import UserError
from experiments.exact.optimum import Conditioning, LeastSquares
from experiments.exact.spectrum import BatchStability, streamed_batch_stability

SAMPLE_ROWS = 10_000
"""Rows kept in memory for the figures."""


@dataclass(frozen=True)
class Streamed(Prepared):
    """What a run trains on, with the face of `Prepared`; `table`, `x` and `y` are a sample of the rows."""

    streamed: ClassVar[bool] = True

    training: Rows = field(kw_only=True)
    held: Rows | None = field(kw_only=True)
    passed: LeastSquares = field(kw_only=True)
    """Of all the training rows, in the table's units."""
    largest: Tensor = field(kw_only=True)
    """The largest |x - shift| of each input (features,)."""
    counts: tuple[int, int] = field(kw_only=True)
    hash: str = field(kw_only=True)

    @property
    def rows(self) -> int:
        return self.counts[0]

    @property
    def validation_rows(self) -> int:
        return self.counts[1]

    def blocks(self, held_out: bool = False) -> Iterator[Pair]:
        return self._chosen(held_out).blocks()

    def placed_blocks(self, held_out: bool = False) -> Iterator[Pair]:
        d = self.training.features
        for table in self._chosen(held_out).read_ahead():
            out = torch.empty(table.shape, dtype=self.x.dtype)
            self.write(table, out)
            out = out.to(self.x.device)
            yield out[:, :d], out[:, d:]

    def write(self, table: Tensor, out: Tensor) -> None:
        """Put rows (n, features + targets) into `out` as the model trains on them."""
        if self.standardized:
            scaled(table, *self.scaling.of_rows, out)
        else:
            out.copy_(table)

    def squares(self, bias: bool) -> LeastSquares:
        assert bias == self.passed.bias
        return self.passed

    def squares_as_trained(self, bias: bool) -> LeastSquares:
        if not self.standardized:
            return self.squares(bias)
        shift, scale = self.scaling.of_rows
        found = self.squares(bias).rescaled(shift.numpy(), scale.numpy())
        found.largest_row = float((self.largest / self.scaling.x_scale).square().sum())
        return found

    def conditioning(self, bias: bool) -> Conditioning:
        return self.squares_as_trained(bias).conditioning()

    def stability(self, batch_size: int, bias: bool) -> BatchStability:
        return streamed_batch_stability(self.squares_as_trained(bias), batch_size)

    def digest(self) -> str:
        return self.hash

    def batches(self, batch_size: int | None, shuffle: bool | str) -> StreamedBatches:
        if batch_size is None and len(self.training.reader.blocks) > 1:
            raise UserError(
                "training.batch_size=null: a stream is never in memory as a whole; give a number, 1024 for instance"
            )
        size = min(batch_size or self.rows, self.rows)
        return StreamedBatches(self.training, size, shuffle, self.x, self.standardized, self.write)

    def _chosen(self, held_out: bool) -> Rows:
        chosen = self.held if held_out else self.training
        assert chosen is not None
        return chosen


def prepare_stream(training: Rows, held: Rows | None, how: Preparation) -> Streamed:
    """One pass over all the rows, in float64: scaling, optimum, conditioning, digest, sample. Raises UserError."""
    if how.loader == "torch":
        raise UserError("data.loader=torch: a stream has no DataLoader; use data.loader=tensor")
    return_blocks()
    seen = _Pass(training)
    largest = np.full(len(training.names), math.inf if how.dtype == torch.float64 else torch.finfo(how.dtype).max)
    largest[: 0 if not how.standardize else None if how.standardize is True else training.features] = math.inf
    squares = LeastSquares(how.bias)
    with closing(prefetched(seen.blocks(largest))) as blocks:
        for x, y in blocks:
            squares.add(x, y)
    if held is not None and held.second:  # a bad cell in it is told now, not after the first epoch
        for _ in held.tables(largest):
            pass
    validation_rows = 0 if held is None else held.count()
    if not squares.rows or (held is not None and not validation_rows):
        left = "no row for validation" if squares.rows else "no row for training"
        share = training.keys.validation
        raise UserError(f"data.validation={share}: of {training.reader.rows} rows this leaves {left}")
    table = seen.sample()
    require_every_class(table, seen.classes)
    scaling = identity(len(table.features), len(table.targets))
    if how.standardize:
        scaling = scaling_of(squares, targets=how.standardize is True)
    x, y = (scaling.inputs(table.x), scaling.targets(table.y)) if how.standardize else (table.x, table.y)
    return Streamed(
        table, None, scaling, x.to(how.device, how.dtype), y.to(how.device, how.dtype), None, None, how,
        training=training, held=held, passed=squares, counts=(squares.rows, validation_rows),
        largest=torch.maximum((seen.low - scaling.x_shift).abs(), (seen.high - scaling.x_shift).abs()),
        hash=seen.digest.hexdigest()[:16],
    )  # fmt: skip


class _Pass:
    """What is noted of the training rows besides their squares while they are read for the first time."""

    def __init__(self, rows: Rows) -> None:
        about = (rows.encoding.features, rows.targets, *([rows.classes] if rows.classes else []))
        self.rows, self.digest = rows, hashlib.sha256(repr(about).encode())
        self.low = torch.full((rows.features,), torch.inf, dtype=torch.float64)
        self.high, self.kept = -self.low, list[Tensor]()
        self.classes = torch.zeros(len(rows.classes or ()), dtype=torch.int64)
        """How many rows each class has."""

    def blocks(self, largest: np.ndarray) -> Iterator[Pair]:
        """The rows as x (n, features) and y (n, targets); refused as `Rows.table` does."""
        d, every = self.rows.features, max(1, self.rows.reader.rows // SAMPLE_ROWS)
        for table in self.rows.tables(largest):
            x, y = table[:, :d], table[:, d:]
            self.digest.update(x.contiguous().numpy().data)
            self.digest.update(y.contiguous().numpy().data)
            if len(x):
                self.low = torch.minimum(self.low, torch.from_numpy(x.numpy().min(0)).double())
                self.high = torch.maximum(self.high, torch.from_numpy(x.numpy().max(0)).double())
            self.kept.append(table[::every].clone())
            if self.rows.classes is not None:
                self.classes += y[:, 0].long().bincount(minlength=len(self.classes))
            yield x, y

    def sample(self) -> Dataset:
        """Some of the rows, SAMPLE_ROWS about."""
        features, keys, table = self.rows.encoding.features, self.rows.keys, torch.cat(self.kept)
        return Dataset(
            x=table[:, : len(features)],
            y=table[:, len(features) :],
            features=features,
            targets=self.rows.targets,
            encoding=self.rows.encoding.as_json(),
            classes=self.rows.classes,
            dropped=self.rows.dropped,
            **keys.about(features, self.rows.targets),
        )


def scaling_of(squares: LeastSquares, targets: bool) -> Scaling:
    """Standardisation from the pass, as `scaling.standardization` gives it from the rows."""
    mean, deviation = torch.from_numpy(squares.mean.copy()), torch.from_numpy(squares.std.copy())
    shift = mean if squares.bias else torch.zeros_like(mean)
    scale = deviation if squares.bias else torch.hypot(mean, deviation)
    of = [squares.features, squares.targets]
    x_scale, y_scale = of_moments(mean, scale).split(of)
    x_shift, y_shift = shift.split(of)
    if not targets:
        return replace(identity(*of), x_shift=x_shift, x_scale=x_scale)
    return Scaling(x_shift, x_scale, y_shift, y_scale)
