"""What a run trains on when its rows come block by block: all that is known of them, from one pass."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from experiments.data.allocation import return_blocks
from experiments.data.batches import Pair
from experiments.data.classes import require_every_class
from experiments.data.prefetch import prefetched
from experiments.data.prepared import Preparation, Prepared
from experiments.data.scaling import Scaling, of_moments, scaled
from experiments.data.streaming.first_pass import first_pass
from experiments.data.streaming.rows import Rows
from experiments.data.streaming.shared_batches import SharedBatches
from experiments.data.streaming.streamed_batches import BlocksAsTrained, StreamedBatches
from experiments.data.workers import Workers, joined_workers
from experiments.errors import UserError
from experiments.exact.optimum import LeastSquares
from experiments.exact.solution import Conditioning
from experiments.exact.spectrum import BatchStability, streamed_batch_stability

MOST_COLUMNS = 8_192
"""Inputs and targets: what is kept for the exact optimum grows with their square, and is 1 GB then."""


@dataclass(frozen=True)
class Streamed(Prepared):
    """What a run trains on, with the methods of `Prepared`; `table`, `x` and `y` are a sample of the rows."""

    streamed: ClassVar[bool] = True

    training: Rows = field(kw_only=True)
    held: Rows | None = field(kw_only=True)
    passed: LeastSquares = field(kw_only=True)
    """Of all the training rows, in the table's units."""
    largest: Tensor = field(kw_only=True)
    """The largest |x - shift| of each input (features,)."""
    hash: str = field(kw_only=True)
    together: int | None = None
    """How many blocks a batch takes its rows from, for workers to share; None: one after the other."""
    workers: Workers = Workers()

    @property
    def rows(self) -> int:
        return self.passed.rows

    @property
    def validation_rows(self) -> int:
        return 0 if self.held is None else self.held.count()

    def blocks(self, held_out: bool = False) -> Iterator[Pair]:
        for table in prefetched(self._chosen(held_out).tables()):
            yield table[:, : self.training.features], table[:, self.training.features :]

    def placed_blocks(self, held_out: bool = False) -> Iterator[Pair]:
        """Of this worker's blocks."""
        d, rows = self.training.features, self._chosen(held_out)
        for table in prefetched(rows.tables(chosen=self.workers.share(len(rows.reader.blocks)))):
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

    def everyones(self, own: list[Any]) -> list[Any]:
        return [found for one in self.workers.everyones(own) for found in one]

    def batches(self, batch_size: int | None, shuffle: bool | str) -> Any:
        if batch_size is None and len(self.training.reader.blocks) > 1:
            raise UserError(
                "training.batch_size=null: a stream is never in memory as a whole; give a number, 1024 for instance"
            )
        size = min(batch_size or self.rows, self.rows)
        blocks = BlocksAsTrained(self.training, self.x, self.standardized, self.write, bool(shuffle))
        if self.together is None:
            return StreamedBatches(blocks, size)
        return SharedBatches(blocks, size, self.together, self.workers)

    def _chosen(self, held_out: bool) -> Rows:
        chosen = self.held if held_out else self.training
        assert chosen is not None
        return chosen


def prepare_stream(training: Rows, held: Rows | None, how: Preparation, together: int | None = None) -> Streamed:
    """One pass over all the rows, in float64: scaling, optimum, conditioning, digest, sample. Raises UserError.

    `together`: how many blocks a batch takes its rows from, and in how many parts the pass is made.
    """
    if how.loader == "torch":
        raise UserError("data.loader=torch: a stream has no DataLoader; use data.loader=tensor")
    if (columns := len(training.names)) > MOST_COLUMNS:
        raise UserError(
            f"data.inputs: {columns:,} columns in a stream, whose exact optimum takes {16 * columns**2 / 1e9:.1f} GB; "
            f"name {MOST_COLUMNS:,} at most, or use data=table"
        )
    return_blocks()
    largest = np.full(len(training.names), math.inf if how.dtype == torch.float64 else torch.finfo(how.dtype).max)
    largest[: 0 if not how.standardize else None if how.standardize is True else training.features] = math.inf
    workers = joined_workers()
    seen = first_pass(training, how.bias, largest, together or 1, workers)
    squares, sample = seen.squares, torch.cat(seen.sample)
    if held is not None and held.second:  # a bad cell in it is told now, not after the first epoch
        workers.agreed(lambda: deque(held.tables(largest, workers.share(len(held.reader.blocks))), maxlen=0))
    if not squares.rows or (held is not None and not held.count()):
        left = "no row for validation" if squares.rows else "no row for training"
        share = training.keys.validation
        raise UserError(f"data.validation={share}: of {training.reader.rows} rows this leaves {left}")
    table = training.dataset(sample[:, : training.features], sample[:, training.features :])
    require_every_class(table, seen.classes)
    scaling = how.scaling(lambda: scaling_of(squares), table)
    x, y = (scaling.inputs(table.x), scaling.targets(table.y)) if how.standardize else (table.x, table.y)
    return Streamed(
        table, None, scaling, x.to(how.device, how.dtype), y.to(how.device, how.dtype), None, None, how,
        training=training, held=held, passed=squares,
        largest=torch.maximum((seen.low - scaling.x_shift).abs(), (seen.high - scaling.x_shift).abs()),
        hash=seen.digest[:16], together=together, workers=workers,
    )  # fmt: skip


def scaling_of(squares: LeastSquares) -> Scaling:
    """Standardisation from the pass, as `scaling.standardization` gives it from the rows."""
    mean, deviation = torch.from_numpy(squares.mean.copy()), torch.from_numpy(squares.std.copy())
    shift = mean if squares.bias else torch.zeros_like(mean)
    scale = of_moments(mean, deviation if squares.bias else torch.hypot(mean, deviation))
    d = squares.features
    return Scaling(shift[:d], scale[:d], shift[d:], scale[d:])
