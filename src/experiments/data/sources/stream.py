"""A table larger than memory: read in blocks, ahead of the training, as often as it is needed."""

import dataclasses
import hashlib
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from experiments.data.allocation import return_blocks
from experiments.data.batches import Pair
from experiments.data.dataset import Dataset
from experiments.data.files.chosen import chosen_inputs, chosen_targets, one_split, required_path
from experiments.data.files.columns import Encoding, kinds, require
from experiments.data.files.reading import validation_file
from experiments.data.order import rows_of_a_block
from experiments.data.prefetch import prefetched
from experiments.data.prepared import Prepared
from experiments.data.scaling import Scaling, identity, of_moments, scaled
from experiments.data.streaming.reader import Reader
from experiments.data.streaming.scan import learned
from experiments.data.streaming.streamed_batches import StreamedBatches
from experiments.data.streaming.streamed_rows import Rows
from experiments.errors import UserError
from experiments.exact.optimum import Conditioning, LeastSquares, Optimum
from experiments.exact.spectrum import BatchStability, streamed_batch_stability

SAMPLE_ROWS = 10_000
"""Rows kept in memory for the figures."""


@dataclass(frozen=True)
class Stream:
    """The keys of data=stream."""

    path: str | None = None
    inputs: list[str] | None = None
    targets: list[str] | None = None
    one_hot: list[str] | None = None
    missing: str = "error"
    units: dict[str, str] | None = None
    validation: float = 0.0
    validation_column: str | None = None
    validation_path: str | None = None
    split_seed: int = 0
    block_rows: int = 65_536

    def prepared(self, **settings: Any) -> "Streamed":
        """What a run trains on, see `prepare_stream`."""
        return prepare_stream(self, **settings)

    def open(self) -> tuple[Rows, Rows | None]:
        """Training rows and validation rows, what they take learned from the file. Raises UserError."""
        reader = Reader(required_path(self.path, "stream"), self.block_rows)
        targets = chosen_targets(self.targets, reader.names)
        split = one_split(self.validation, self.validation_column, self.validation_path)
        head = reader.head()
        inputs = chosen_inputs(self, head, targets)
        require([*inputs, *targets], list(self.units or ()), "data.units")
        if self.validation_column:
            require(reader.names, [self.validation_column], "data.validation_column")
        rows = Rows(
            reader, Encoding(tuple(inputs), kinds=kinds(head, inputs)), tuple(targets), self.missing == "drop",
            self.validation, self.split_seed, self.validation_column,
        )  # fmt: skip
        training, held = self._learned(rows)
        if split != "validation_path":
            return training, held if split else None
        with validation_file():
            other = Reader(Path(self.validation_path or ""), reader.block_rows)
            require(other.names, [*inputs, *targets], f"data.validation_path={self.validation_path}")
            second, _ = learned(dataclasses.replace(training, reader=other, second=True, counts=None))
        return training, second

    def _learned(self, rows: Rows) -> tuple[Rows, Rows]:
        """What `scan.learned` finds, in blocks that hold no more than a few megabytes."""
        rows.reader.cut(rows_of_a_block(self.block_rows, len(rows.names)))
        training, held = learned(rows, self.one_hot or (), self.missing == "mean")
        narrow = rows_of_a_block(self.block_rows, len(training.names))
        if narrow == rows.reader.block_rows:
            return training, held
        rows.reader.cut(narrow)  # categories have made the rows wider
        return learned(rows, self.one_hot or (), self.missing == "mean", again=True)


@dataclass(frozen=True)
class Streamed(Prepared):
    """What a run trains on, with the face of `Prepared`; `table`, `x` and the like are a sample of the rows."""

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
        chosen = self.held if held_out else self.training
        assert chosen is not None
        return chosen.blocks()

    def placed_blocks(self, held_out: bool = False) -> Iterator[Pair]:
        chosen, d = self.held if held_out else self.training, self.training.features
        assert chosen is not None
        for table in chosen.read_ahead():
            out = torch.empty(table.shape, dtype=self.x.dtype)
            self.write(table, out)
            out = out.to(self.x.device)
            yield out[:, :d], out[:, d:]

    def write(self, table: Tensor, out: Tensor) -> None:
        """Put rows (n, features + targets) into `out` as the model trains on them."""
        if not self.standardized:
            out.copy_(table)
            return
        scaled(table, *self.scaling.of_rows, out)

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

    def optimum(self, bias: bool) -> Optimum:
        return self.squares(bias).optimum()

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


def prepare_stream(
    source: Stream, *, standardize: bool, bias: bool, loader: str, device: torch.device, dtype: torch.dtype
) -> Streamed:
    """One pass over all the rows, in float64: scaling, optimum, conditioning, digest, sample. Raises UserError."""
    if loader == "torch":
        raise UserError("data.loader=torch: a stream has no DataLoader; use data.loader=tensor")
    return_blocks()
    training, held = source.open()
    features, targets = training.encoding.features, training.targets
    d, total = len(features), training.reader.rows
    squares, digest = LeastSquares(bias), hashlib.sha256(repr((features, targets)).encode())
    low, high = torch.full((d,), torch.inf, dtype=torch.float64), torch.full((d,), -torch.inf, dtype=torch.float64)
    sample: list[Tensor] = []
    every = max(1, total // SAMPLE_ROWS)
    largest = torch.finfo(dtype).max if dtype == torch.float32 and not standardize else math.inf

    def seen() -> Iterator[Pair]:
        """The rows, with all that is noted of them besides; in the background, as long as the squares take."""
        nonlocal low, high
        for table in training.tables(largest):
            x, y = table[:, :d], table[:, d:]
            digest.update(x.contiguous().numpy().data)
            digest.update(y.contiguous().numpy().data)
            if len(x):
                low = torch.minimum(low, torch.from_numpy(x.numpy().min(0)).double())
                high = torch.maximum(high, torch.from_numpy(x.numpy().max(0)).double())
            sample.append(torch.cat([x[::every], y[::every]], 1))
            yield x, y

    with closing(prefetched(seen())) as blocks:
        for x, y in blocks:
            squares.add(x, y)
    if held is not None and held.second:  # a bad cell in it is told now, not after the first epoch
        for _ in held.tables(largest):
            pass
    validation_rows = 0 if held is None else sum(held.size(block) for block in held.reader.blocks)
    if not squares.rows or (held is not None and not validation_rows):
        left = "no row for validation" if squares.rows else "no row for training"
        raise UserError(f"data.validation={source.validation}: of {total} rows this leaves {left}")
    scaling = scaling_of(squares, d) if standardize else identity(d, len(targets))
    units = source.units or {}
    rows = torch.cat(sample)
    table = Dataset(
        x=rows[:, :d], y=rows[:, d:], features=features, targets=targets,
        feature_units=tuple(units.get(n, "") for n in features), target_units=tuple(units.get(n, "") for n in targets),
        encoding=training.encoding.as_json(),
    )  # fmt: skip
    x, y = (scaling.inputs(table.x), scaling.targets(table.y)) if standardize else (table.x, table.y)
    return Streamed(
        table, None, scaling, x.to(device, dtype), y.to(device, dtype), None, None, standardize, loader,
        source.block_rows, training=training, held=held, passed=squares,
        largest=torch.maximum((low - scaling.x_shift).abs(), (high - scaling.x_shift).abs()),
        counts=(squares.rows, validation_rows), hash=digest.hexdigest()[:16],
    )  # fmt: skip


def scaling_of(squares: LeastSquares, features: int) -> Scaling:
    """Standardisation from the pass, as `scaling.standardization` gives it from the rows."""
    mean, deviation = torch.from_numpy(squares.mean.copy()), torch.from_numpy(squares.std.copy())
    shift = mean if squares.bias else torch.zeros_like(mean)
    scale = deviation if squares.bias else torch.hypot(mean, deviation)
    x_scale, y_scale = of_moments(mean, scale).split([features, len(mean) - features])
    x_shift, y_shift = shift.split([features, len(mean) - features])
    return Scaling(x_shift, x_scale, y_shift, y_scale)
