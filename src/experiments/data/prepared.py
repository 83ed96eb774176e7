"""From a table to what a run trains on: columns chosen, rows split, scaled, cast, and placed on the device."""

import dataclasses
import hashlib
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from experiments.data.dataset import Dataset, select
from experiments.data.order import epoch_order
from experiments.data.scaling import Scaling, identity, standardization
from experiments.errors import UserError


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
    standardized: bool = False
    loader: str = "tensor"
    block_rows: int = 65_536


def prepare(
    dataset: Dataset, *, inputs: list[str] | None = None, targets: list[str] | None = None,
    validation: float = 0.0, split_seed: int = 0, standardize: bool = False, bias: bool = True,
    loader: str = "tensor", block_rows: int = 65_536,
    device: torch.device | None = None, dtype: torch.dtype = torch.float32,
) -> Prepared:  # fmt: skip
    """Choose columns, split, scale by the training rows only, cast and place. Raises UserError."""
    dataset = select(dataset, inputs, targets)
    table, held_out = split(dataset, validation, split_seed)
    if standardize:
        scaling = standardization(table.x, table.y, bias)
    else:
        scaling = identity(len(dataset.features), len(dataset.targets))

    def placed(rows: Dataset | None) -> tuple[Tensor | None, Tensor | None]:
        if rows is None:
            return None, None
        x, y = (scaling.inputs(rows.x), scaling.targets(rows.y)) if standardize else (rows.x, rows.y)
        x, y = x.to(device=device, dtype=dtype), y.to(device=device, dtype=dtype)
        if dtype == torch.float32 and not (torch.isfinite(x).all() and torch.isfinite(y).all()):
            raise UserError(
                "data: a value is beyond float32 (3.4e38); use device.dtype=float64 or data.standardize=true"
            )
        return x.contiguous(), y.contiguous()

    x, y = placed(table)
    assert x is not None and y is not None
    return Prepared(table, held_out, scaling, x, y, *placed(held_out), standardize, loader, block_rows)


def split(dataset: Dataset, validation: float, split_seed: int) -> tuple[Dataset, Dataset | None]:
    """Training and validation rows; the same rows for every run with one `split_seed`, whatever the run's seed."""
    rows = len(dataset.x)
    held = round(rows * validation)
    if validation == 0:
        return dataset, None
    if held == 0 or held == rows:
        left = "no row for validation" if held == 0 else "no row for training"
        raise UserError(f"data.validation={validation}: of {rows} rows this leaves {left}")
    order = epoch_order(rows, Generator().manual_seed(split_seed))
    chosen, rest = order[:held].sort().values, order[held:].sort().values
    return _rows(dataset, rest), _rows(dataset, chosen)


def _rows(dataset: Dataset, rows: Tensor) -> Dataset:
    return dataclasses.replace(dataset, x=dataset.x[rows], y=dataset.y[rows])


def data_hash(dataset: Dataset) -> str:
    """16 hexadecimal digits of the table's bytes and names: the same data, the same digits."""
    digest = hashlib.sha256(repr((dataset.features, dataset.targets, tuple(dataset.x.shape))).encode())
    for tensor in (dataset.x, dataset.y):
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()[:16]
