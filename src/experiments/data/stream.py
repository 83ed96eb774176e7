"""A table larger than memory: read in blocks, ahead of the training, as often as it is needed."""

import dataclasses
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.data.ahead import ahead
from experiments.data.allocation import return_blocks
from experiments.data.batches import GATHERED, Pair, batches, cut, gather
from experiments.data.columns import Encoding, require, unlike
from experiments.data.dataset import Dataset
from experiments.data.order import block_plan, within_block
from experiments.data.prepared import Prepared
from experiments.data.reader import Block, Reader
from experiments.data.reading import validation_file
from experiments.data.scaling import Scaling, identity, of_moments
from experiments.data.splitting import held_by_hash
from experiments.data.table import chosen_targets, one_split, required_path
from experiments.errors import UserError
from experiments.optimum import Conditioning, LeastSquares, Optimum
from experiments.spectrum import BatchStability, streamed_batch_stability

log = logging.getLogger("experiments")
SAMPLE_ROWS = 10_000
"""Rows kept in memory for the figures."""


@dataclass(frozen=True)
class Rows:
    """The rows of a reader that are trained on (`held` False) or held out (`held` True)."""

    reader: Reader
    names: tuple[str, ...]
    features: int
    share: float = 0.0
    split_seed: int = 0
    held: bool = False

    def mask(self, block: Block) -> np.ndarray | None:
        """Which rows of a block these are, or None for all."""
        if not self.share:
            return None
        out = held_by_hash(block.number, block.rows, self.share, self.split_seed)
        return out if self.held else ~out

    def size(self, block: Block) -> int:
        """How many rows of a block these are; nothing is read."""
        mask = self.mask(block)
        return block.rows if mask is None else int(np.count_nonzero(mask))

    def table(self, block: Block, check: bool = False) -> Tensor:
        """These rows of a block (rows, features + targets), in the table's units; `check` refuses missing cells."""
        table, mask = self.reader.read(block, self.names), self.mask(block)
        if check:
            self.reader.refuse(block, table, self.names)
        return torch.from_numpy(table if mask is None else table[mask])

    def tables(self) -> Iterator[Tensor]:
        """These rows of each block (n, features + targets) in the file's order; a missing cell is refused."""
        return (self.table(block, check=True) for block in self.reader.blocks)

    def blocks(self) -> Iterator[Pair]:
        """x (n, features) and y (n, targets) of each block in the file's order, read ahead."""
        for table in ahead(self.tables()):
            yield table[:, : self.features], table[:, self.features :]


@dataclass(frozen=True)
class Stream:
    """The keys of data=stream."""

    path: str | None = None
    inputs: list[str] | None = None
    targets: list[str] | None = None
    units: dict[str, str] | None = None
    validation: float = 0.0
    validation_path: str | None = None
    split_seed: int = 0
    block_rows: int = 65_536

    def prepared(self, **settings: Any) -> "Streamed":
        """What a run trains on, see `prepare_stream`."""
        return prepare_stream(self, **settings)

    def open(self) -> tuple[Rows, Rows | None, tuple[str, ...], tuple[str, ...]]:
        """Training rows, validation rows, inputs and targets. Raises UserError."""
        reader = Reader(required_path(self.path, "stream"), self.block_rows)
        targets = chosen_targets(self.targets, reader.names)
        inputs = self.inputs
        if inputs is None:
            inputs = reader.inputs(targets)
        if not inputs:
            raise UserError("data.inputs=[]: at least one column is needed")
        require(reader.names, inputs, "data.inputs")
        require([*inputs, *targets], list(self.units or ()), "data.units")
        unlike(inputs, targets)
        names, features = (*inputs, *targets), len(inputs)
        training, held = Rows(reader, names, features, self.validation, self.split_seed), None
        if one_split(self.validation, None, self.validation_path) == "validation_path":
            with validation_file():
                other = Reader(Path(self.validation_path or ""), self.block_rows)
            require(other.names, names, f"data.validation_path={self.validation_path}")
            held = Rows(other, names, features)
        elif self.validation:
            held = dataclasses.replace(training, held=True)
        return training, held, tuple(inputs), tuple(targets)


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
        for x, y in self.blocks(held_out):
            yield self._placed(torch.cat([x, y], 1))

    def squares(self, bias: bool) -> LeastSquares:
        assert bias == self.passed.bias
        return self.passed

    def squares_as_trained(self, bias: bool) -> LeastSquares:
        if not self.standardized:
            return self.squares(bias)
        scaling = self.scaling
        found = self.squares(bias).rescaled(
            torch.cat([scaling.x_shift, scaling.y_shift]).numpy(), torch.cat([scaling.x_scale, scaling.y_scale]).numpy()
        )
        found.largest_row = float((self.largest / scaling.x_scale).square().sum())
        return found

    def optimum(self, bias: bool) -> Optimum:
        return self.squares(bias).optimum()

    def conditioning(self, bias: bool) -> Conditioning:
        return self.squares_as_trained(bias).conditioning()

    def stability(self, batch_size: int, bias: bool) -> BatchStability:
        return streamed_batch_stability(self.squares_as_trained(bias), batch_size)

    def digest(self) -> str:
        return self.hash

    def batches(self, batch_size: int | None, shuffle: bool | str) -> "StreamedBatches":
        if batch_size is None and len(self.training.reader.blocks) > 1:
            raise UserError(
                "training.batch_size=null: a stream is never in memory as a whole; give a number, 1024 for instance"
            )
        return StreamedBatches(self, min(batch_size or self.rows, self.rows), shuffle)

    def _placed(self, table: Tensor) -> Pair:
        """Rows (n, features + targets) as the model trains on them."""
        d = self.training.features
        if self.standardized:
            wide = table.to(torch.float64)
            table = torch.cat([self.scaling.inputs(wide[:, :d]), self.scaling.targets(wide[:, d:])], 1)
        table = table.to(self.x.device, self.x.dtype)
        return table[:, :d], table[:, d:]


class StreamedBatches:
    """The face of `Batches` over blocks that are read, shuffled and scaled ahead in the background."""

    def __init__(self, data: Streamed, batch_size: int, shuffle: bool | str) -> None:
        self.data, self.batch_size, self.shuffle = data, batch_size, bool(shuffle)
        self.sizes = [data.training.size(block) for block in data.training.reader.blocks]
        self.per_epoch = -(-sum(self.sizes) // batch_size)

    def epoch(self, generator: Generator, first: int = 0, arrays: bool = False) -> Iterator[tuple[Any, Any]]:
        """The epoch's batches, see `Batches.epoch`; blocks before number `first` are not read."""
        order, seed = list(range(len(self.sizes))), 0
        if self.shuffle:
            order, seed = block_plan(len(order), generator)
        ends = list(accumulate(self.sizes[b] for b in order))
        skipped = first * self.batch_size
        at = next((i for i, end in enumerate(ends) if end > skipped), len(order))
        offset = skipped - (ends[at - 1] if at else 0)
        blocks = ahead(self._blocks(order[at:], seed))
        runs = cut((self.data._placed(rows) for rows in self._gathered(blocks)), self.batch_size, offset)
        return batches(runs, self.batch_size, arrays)

    def _blocks(self, order: list[int], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The blocks in `order` and the order of their rows."""
        rows = self.data.training
        for b in order:
            table = rows.table(rows.reader.blocks[b])
            yield table, within_block(len(table), seed, b) if self.shuffle else torch.arange(len(table))
            del table  # the consumer alone holds it now

    def _gathered(self, blocks: Iterator[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
        """The rows of each block in their order, some whole batches at a time, in memory that the next ones overwrite.

        By the consumer, who has the time: reading, which goes on in the background, takes longer than training.
        """
        place = None
        for table, order in blocks:
            at_once = self.batch_size * max(1, GATHERED // (table.shape[1] * self.batch_size))
            for rows in order.split(at_once):
                if place is None or len(place) < len(rows):
                    place = table.new_empty(len(rows), table.shape[1])
                yield gather(table, rows, place[: len(rows)])
            del table


def prepare_stream(
    source: Stream, *, standardize: bool, bias: bool, loader: str, device: torch.device, dtype: torch.dtype
) -> Streamed:
    """One pass over all the rows, in float64: scaling, optimum, conditioning, digest, sample. Raises UserError."""
    if loader == "torch":
        raise UserError("data.loader=torch: a stream has no DataLoader; use data.loader=tensor")
    return_blocks()
    training, held, inputs, targets = source.open()
    d, total = len(inputs), training.reader.rows
    squares, digest = LeastSquares(bias), hashlib.sha256(repr((inputs, targets)).encode())
    low, high = torch.full((d,), torch.inf, dtype=torch.float64), torch.full((d,), -torch.inf, dtype=torch.float64)
    sample: list[Tensor] = []
    every = max(1, total // SAMPLE_ROWS)

    def seen() -> Iterator[Pair]:
        """The rows, with all that is noted of them besides; in the background, as long as the squares take."""
        nonlocal low, high
        for table in training.tables():
            x, y = table[:, :d], table[:, d:]
            digest.update(x.contiguous().numpy().data)
            digest.update(y.contiguous().numpy().data)
            if len(x):
                low = torch.minimum(low, torch.from_numpy(x.numpy().min(0)).double())
                high = torch.maximum(high, torch.from_numpy(x.numpy().max(0)).double())
            sample.append(torch.cat([x[::every], y[::every]], 1))
            yield x, y

    for x, y in ahead(seen()):
        squares.add(x, y)
    validation_rows = 0 if held is None else sum(held.size(block) for block in held.reader.blocks)
    if not squares.rows or (held is not None and not validation_rows):
        left = "no row for validation" if squares.rows else "no row for training"
        raise UserError(f"data.validation={source.validation}: of {total} rows this leaves {left}")
    scaling = scaling_of(squares, d) if standardize else identity(d, len(targets))
    biggest = torch.maximum(low.abs(), high.abs()).max()
    if dtype == torch.float32 and not standardize and biggest > torch.finfo(torch.float32).max:
        raise UserError("data: a value is beyond float32 (3.4e38); use device.dtype=float64 or data.standardize=true")
    units = source.units or {}
    rows = torch.cat(sample)
    table = Dataset(
        x=rows[:, :d], y=rows[:, d:], features=inputs, targets=targets,
        feature_units=tuple(units.get(n, "") for n in inputs), target_units=tuple(units.get(n, "") for n in targets),
        encoding=Encoding(inputs).as_json(),
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
