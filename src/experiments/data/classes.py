"""A data set's target as classes, where y (n, 1) holds the number of each row's class from 0, or as plain numbers."""

import dataclasses

import torch
from torch import Tensor

from experiments.data.dataset import Dataset
from experiments.data.labels import not_whole, require_classes, require_one_target
from experiments.errors import UserError


def classified(dataset: Dataset) -> Dataset:
    """The data set with its one target as classes: the source's own labels, else the whole numbers that y holds.

    Raises UserError for several targets, for numbers that are not whole, and for one class or too many.
    """
    require_one_target(dataset.targets)
    if dataset.classes is not None:
        return dataset
    name, parts = dataset.targets[0], [dataset, *filter(None, (dataset.held_out, dataset.test))]
    for part in parts:
        if len(odd := (part.y[:, 0] != part.y[:, 0].round()).nonzero()):
            raise UserError(not_whole("data.targets", int(odd[0]) + 1, name, part.y[int(odd[0])].item()))
    found = torch.cat([part.y[:, 0] for part in parts]).unique()  # sorted
    classes = tuple(int(label) for label in found)
    require_classes(name, classes)
    return dataset.each(
        lambda rows: dataclasses.replace(rows, y=torch.searchsorted(found, rows.y).to(rows.y.dtype), classes=classes)
    )


def measured(dataset: Dataset) -> Dataset:
    """The data set for a loss of numbers: labels that are numbers are these again. Raises UserError for text."""
    if dataset.classes is None:
        return dataset
    if isinstance(dataset.classes[0], str):
        raise UserError(
            f"data.targets: {dataset.targets[0]} holds labels ({', '.join(map(str, dataset.classes[:3]))}), which "
            "loss=cross_entropy predicts; other losses need numbers"
        )
    values = torch.tensor([float(label) for label in dataset.classes], dtype=dataset.y.dtype)
    return dataset.each(lambda rows: dataclasses.replace(rows, y=values[rows.y.long()], classes=None))


def require_every_class(table: Dataset, counts: Tensor | None = None) -> None:
    """Raise UserError for a class that no training row has; `counts` (classes,) of all the rows, if y is a sample."""
    if table.classes is None:
        return
    counts = table.y[:, 0].long().bincount(minlength=len(table.classes)) if counts is None else counts
    if len(absent := (counts == 0).nonzero()):
        raise UserError(
            f"data.targets: no training row has the class {table.classes[int(absent[0])]} of {table.targets[0]}, only "
            "rows held out do; hold out others, by data.split_seed, or fewer"
        )
