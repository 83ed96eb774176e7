"""What every data set becomes: a frozen table of inputs and targets in their original units."""

import dataclasses
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from experiments.errors import UserError, nearest


@dataclass(frozen=True)
class Dataset:
    """x (n, features) and y (n, targets), both float, on the CPU, in the units of the table."""

    x: Tensor
    y: Tensor
    features: tuple[str, ...]
    targets: tuple[str, ...]
    feature_units: tuple[str, ...] = ()
    target_units: tuple[str, ...] = ()
    quantities: tuple[str, ...] = ()
    """What each target measures, for the equations; the targets' names where not given."""
    example: tuple[float, ...] | None = None
    """An input row whose prediction the summary shows."""
    truth: tuple[Tensor, Tensor] | None = None
    """Weight (targets, features) and bias (targets,) that the targets were made with, where known."""
    held_out: "Dataset | None" = None
    """Rows for validation that the source itself has set apart."""
    test: "Dataset | None" = None
    """Rows that only `experiments test` reads."""
    encoding: dict[str, Any] | None = None
    """How the inputs were made of a file's columns, where they are not the columns themselves: `files/encoding.py`."""
    classes: tuple[str | int | bool, ...] | None = None
    """The labels in order, where y (n, 1) holds the number of each row's class, from 0."""
    image: tuple[int, ...] | None = None
    """Height and width of the picture that a row of inputs is, or channels, height and width."""
    dropped: int = 0
    """Rows of the source that are left out for a missing cell, of training and held-out rows together."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """What a model gives for a row: a number for each target, a logit for each class, that of the second of two."""
        if self.classes is None:
            return self.targets
        return tuple(map(str, self.classes[1:] if len(self.classes) == 2 else self.classes))

    @property
    def outputs(self) -> int:
        """How many those are."""
        return len(self.output_names)

    def __post_init__(self) -> None:
        check_shapes(self.x, self.y)
        if self.x.shape[1] != len(self.features) or self.y.shape[1] != len(self.targets):
            raise UserError(
                f"data: {self.x.shape[1]} inputs and {self.y.shape[1]} targets, but "
                f"{len(self.features)} and {len(self.targets)} names"
            )
        if self.image is not None and (len(self.image) not in (2, 3) or math.prod(self.image) != len(self.features)):
            raise UserError(
                f"data.image={list(self.image)}: must be height and width, or channels, height, width; their product "
                f"is the number of inputs, {len(self.features)}"
            )
        for units, names in (("feature_units", self.features), ("target_units", self.targets)):
            if not getattr(self, units):
                object.__setattr__(self, units, ("",) * len(names))
        if not self.quantities:
            object.__setattr__(self, "quantities", self.targets)

    def holding_out(self, rows: "Dataset") -> "Dataset":
        """This data set with `rows`, of the same columns, for validation."""
        return dataclasses.replace(self, held_out=rows)

    def each(self, change: Callable[["Dataset"], "Dataset"]) -> "Dataset":
        """This data set with `change` made to its rows, to those held out, and to those of the test."""
        held_out, test = (None if rows is None else change(rows) for rows in (self.held_out, self.test))
        return dataclasses.replace(change(self), held_out=held_out, test=test)


def check_shapes(x: Tensor, y: Tensor) -> None:
    """Raise UserError unless x is (n, features) and y (n, targets), both float, finite, n above 0.

    Here, once, before any training: (n,) against (n, 1) would broadcast to (n, n) in a loss without a word.
    """
    for name, tensor in (("inputs", x), ("targets", y)):
        if tensor.ndim != 2:
            raise UserError(
                f"data: {name} of shape {tuple(tensor.shape)}; must be (rows, columns): "
                "a single column is (n, 1), as tensor.unsqueeze(1) gives"
            )
        if not tensor.is_floating_point():
            raise UserError(f"data: {name} of type {tensor.dtype}; must be float32 or float64")
        if tensor.shape[1] == 0:
            raise UserError(f"data: no {name}; at least one column is needed")
    if len(x) != len(y):
        raise UserError(f"data: {len(x)} rows of inputs but {len(y)} of targets")
    if len(x) == 0:
        raise UserError("data: the table has no rows")
    for name, tensor in (("inputs", x), ("targets", y)):
        if not finite(tensor):
            row, column = (~torch.isfinite(tensor)).nonzero()[0].tolist()
            raise UserError(
                f"data: {name} row {row + 1}, column {column + 1} is {tensor[row, column].item()}; "
                "every cell must be a finite number"
            )


def finite(tensor: Tensor) -> bool:
    """Whether every number is: mostly one pass and no copy, since a sum is finite only if every summand is."""
    return bool(torch.isfinite(tensor.sum()) or torch.isfinite(tensor).all())


def data_hash(dataset: Dataset) -> str:
    """16 hexadecimal digits of the table's bytes and names: the same data, the same digits."""
    about = (dataset.features, dataset.targets, tuple(dataset.x.shape), *([dataset.classes] if dataset.classes else []))
    digest = hashlib.sha256(repr(about).encode())
    for tensor in (dataset.x, dataset.y):
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()[:16]


def select(dataset: Dataset, inputs: list[str] | None, targets: list[str] | None) -> Dataset:
    """The data set with only the named columns; either may come from the inputs or the targets of the table.

    Raises UserError for a column that is not there, or is on both sides, and for a side without columns.
    """
    if inputs is None and targets is None:
        return dataset
    names, units = (*dataset.features, *dataset.targets), (*dataset.feature_units, *dataset.target_units)
    targets = list(dataset.targets) if targets is None else targets
    inputs = [n for n in dataset.features if n not in targets] if inputs is None else inputs
    for key, chosen in (("inputs", inputs), ("targets", targets)):
        if not chosen:
            raise UserError(f"data.{key}=[]: at least one column is needed; there are {', '.join(names)}")
        for name in chosen:
            if name not in names:
                there = nearest(name, names) or "; there are " + ", ".join(names)
                raise UserError(f"data.{key}: there is no column {name}{there}")
    if both := sorted(set(inputs) & set(targets)):
        raise UserError(f"data.inputs and data.targets both name {both[0]}; a column can only be one of them")
    table = torch.cat([dataset.x, dataset.y], dim=1)
    i, j = ([names.index(n) for n in chosen] for chosen in (inputs, targets))
    same_inputs, truth = tuple(inputs) == dataset.features, None
    if dataset.truth is not None and same_inputs and set(targets) <= set(dataset.targets):
        kept = [dataset.targets.index(n) for n in targets]
        truth = dataset.truth[0][kept], dataset.truth[1][kept]
    return dataclasses.replace(
        dataset,
        x=table[:, i],
        y=table[:, j],
        features=tuple(inputs),
        targets=tuple(targets),
        feature_units=tuple(units[k] for k in i),
        target_units=tuple(units[k] for k in j),
        quantities=dataset.quantities if tuple(targets) == dataset.targets else (),
        example=dataset.example if same_inputs else None,
        image=dataset.image if same_inputs else None,
        classes=dataset.classes if tuple(targets) == dataset.targets else None,
        truth=truth,
    )
