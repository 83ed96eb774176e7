"""From a table to what a run trains on: columns chosen, rows split, scaled, cast, and placed on the device."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from experiments.config.schema import Data
from experiments.data.allocation import CACHE_LINE
from experiments.data.batches import Batches
from experiments.data.classes import classified, measured, require_every_class
from experiments.data.dataset import Dataset, data_hash, finite, select
from experiments.data.scaling import ROWS_AT_ONCE, Scaling, identity, scaled, standardization
from experiments.data.splitting import HELD, TESTED, TRAINED, subsets
from experiments.errors import UserError
from experiments.exact.optimum import LeastSquares, columns_alone
from experiments.exact.solution import Conditioning, Optimum
from experiments.exact.spectrum import BatchStability, batch_stability


@dataclass(frozen=True)
class Preparation(Data):
    """How a table becomes what a run trains on: keys of `data`, whether the model has an intercept, and the device."""

    bias: bool = True
    labels: bool = False
    """Whether the loss is one of classes, and the target a column of labels."""
    device: torch.device = torch.device("cpu")
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if self.labels and self.standardize is True:
            raise UserError(
                "data.standardize=true: scales the targets too, which are classes here; use data.standardize=inputs"
            )

    def scaling(self, learned: Callable[[], Scaling], table: Dataset) -> Scaling:
        """How the rows are scaled, by what is `learned` where `standardize` asks for it."""
        if not self.standardize:
            return identity(len(table.features), len(table.targets))
        return learned() if self.standardize is True else learned().of_inputs

    def placed(self, table: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """A table (n, columns) as trained, on the device. Raises UserError for numbers beyond its dtype."""
        if self.standardize:
            table = scaled(table, shift, scale, torch.empty(table.shape, dtype=self.dtype))
        table = table.to(device=self.device, dtype=self.dtype)
        if self.dtype == torch.float32 and not finite(table):
            raise UserError(
                "data: a value is beyond float32 (3.4e38); use device.dtype=float64 or data.standardize=true"
            )
        return on_cache_line(table.contiguous())


@dataclass(frozen=True)
class Prepared:
    """x (n, features), y (n, targets) as trained, on the device; the same of the validation rows, or None.

    `table` and `held_out` are the training and validation rows in original units, on the CPU.
    """

    table: Dataset
    held_out: Dataset | None
    scaling: Scaling
    x: Tensor
    y: Tensor
    x_validation: Tensor | None
    y_validation: Tensor | None
    how: Preparation
    test: Dataset | None = None
    """Rows that only `experiments test` reads, in original units, on the CPU."""

    streamed: ClassVar[bool] = False
    """Whether the rows come block by block, see `streaming/streamed.py`."""

    @property
    def standardized(self) -> bool:
        """Whether the model trains on other units than the table's."""
        return bool(self.how.standardize)

    @property
    def rows(self) -> int:
        """Rows that are trained on."""
        return len(self.table.x)

    @property
    def validation_rows(self) -> int:
        """Rows that are held out for validation."""
        return 0 if self.held_out is None else len(self.held_out.x)

    @cached_property
    def target_scale(self) -> Tensor | None:
        """What residuals (n, targets) are multiplied by to be in the table's units, on the device; None for 1."""
        scale = self.scaling.y_scale
        return None if bool((scale == 1).all()) else scale.to(self.y.dtype).to(self.y.device)

    def blocks(self, held_out: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
        """x and y of the training or validation rows, some at a time, in the table's units, on the CPU."""
        rows = self.held_out if held_out else self.table
        assert rows is not None
        return zip(rows.x.split(ROWS_AT_ONCE), rows.y.split(ROWS_AT_ONCE), strict=True)

    def placed_blocks(self, held_out: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
        """x and y of the training or validation rows as trained, on the device."""
        x, y = (self.x_validation, self.y_validation) if held_out else (self.x, self.y)
        assert x is not None and y is not None
        yield x, y

    def everyones(self, own: list[Any]) -> list[Any]:
        """What was found in each of `placed_blocks`, in their order: here, and in the processes that have others."""
        return own

    def squares(self, bias: bool) -> LeastSquares:
        """One pass over the training rows, in the table's units."""
        found = LeastSquares(bias)
        found.add(self.table.x, self.table.y)
        return found

    def squares_as_trained(self, bias: bool) -> LeastSquares:
        """One pass over the training rows, as trained."""
        found = LeastSquares(bias)
        found.add(self.x, self.y)
        return found

    def optimum(self, bias: bool) -> Optimum:
        """Of the training rows, in the table's units."""
        return self.squares(bias).optimum()

    def conditioning(self, bias: bool) -> Conditioning:
        """Of the loss as trained."""
        return columns_alone(self.x, self.y.shape[1], bias).conditioning()

    def stability(self, batch_size: int, bias: bool) -> BatchStability:
        """Of plain descent on batches, as trained."""
        return batch_stability(self.x, self.y.shape[1], batch_size, bias)

    def digest(self) -> str:
        """Digits of the training rows: the same data, the same digits."""
        return data_hash(self.table)

    def batches(self, batch_size: int | None, shuffle: bool | str) -> Any:
        """What `fit` asks for: an object whose `epoch(generator, first)` gives an epoch's batches."""
        return Batches(self.x, self.y, batch_size, shuffle, self.how.block_rows, self.how.loader)


def prepare(dataset: Dataset, how: Preparation = Preparation()) -> Prepared:
    """Choose columns, split, scale by the training rows only, cast and place. Raises UserError."""
    dataset = dataset.each(lambda rows: select(rows, how.inputs, how.targets))
    dataset = classified(dataset) if how.labels else measured(dataset)
    table, held_out, test = split(dataset, how)
    require_every_class(table)
    scaling = how.scaling(lambda: standardization(table.x, table.y, how.bias), table)

    def placed(rows: Dataset) -> tuple[Tensor, Tensor]:
        x = how.placed(rows.x, scaling.x_shift, scaling.x_scale)
        return x, how.placed(rows.y, scaling.y_shift, scaling.y_scale)

    x_validation, y_validation = (None, None) if held_out is None else placed(held_out)
    return Prepared(table, held_out, scaling, *placed(table), x_validation, y_validation, how, test)


def rescaled(data: Prepared, standardize: bool | str) -> Prepared:
    """The same rows, standardised otherwise."""
    how = dataclasses.replace(data.how, standardize=standardize, inputs=None, targets=None, folds=None, validation=0.0)
    return prepare(dataclasses.replace(data.table, held_out=data.held_out), how)


def split(dataset: Dataset, how: Preparation) -> tuple[Dataset, Dataset | None, Dataset | None]:
    """Training, validation and test rows: those that the source has set apart, or drawn by `split_seed`."""
    table, held_out = dataclasses.replace(dataset, held_out=None, test=None), dataset.held_out
    if held_out is not None and how.folds is not None:
        raise UserError(f"data.folds={how.folds}: these data have rows for validation of their own; leave them out")
    drawn = held_out is None and (how.validation > 0 or how.folds is not None)
    if not drawn and not how.test:
        return table, held_out, dataset.test
    classes = dataset.y[:, 0].long().numpy() if dataset.classes else np.zeros(len(dataset.y), np.int64)
    found = torch.from_numpy(subsets(how, classes, None, None if drawn else np.zeros(len(classes), bool)))
    if drawn:
        held_out = _rows(table, found == HELD)
    return _rows(table, found == TRAINED), held_out, _rows(table, found == TESTED) if how.test else dataset.test


def on_cache_line(table: Tensor) -> Tensor:
    """The table, or a copy where it lies otherwise in the processor's memory, see `allocation.aligned`."""
    return table if table.device.type != "cpu" or table.data_ptr() % CACHE_LINE == 0 else table.clone()


def _rows(dataset: Dataset, rows: Tensor) -> Dataset:
    return dataclasses.replace(dataset, x=dataset.x[rows], y=dataset.y[rows])
