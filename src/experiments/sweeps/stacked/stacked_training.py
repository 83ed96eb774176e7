"""Many runs as one tensor program: the loop of `training.fit` with a leading run axis.

Parameters are (R, targets, features + intercept); hyper-parameters are (R, 1, 1). The gradient of the mean squared
error is written by hand, the update rules and schedules are those of `optimizers.py` and `schedules.py`, and every
run draws its start and its orders from its own generator just as it would alone. Nothing mixes runs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.data.order import sort_keys
from experiments.sweeps.stacked.settings import Settings
from experiments.sweeps.stacked.stacked_tables import Tables

DRAWN_NUMBERS = 4_000_000
"""Uniform draws held at a time, for the orders of as many epochs as they last."""


@dataclass
class Evaluations:
    """The losses of R runs at L evaluations, in the table's units; NaN where a run was not looked at."""

    epochs: np.ndarray
    """(L,) after which epoch."""
    due: np.ndarray
    """(R, L) whether the run was looked at."""
    train: np.ndarray
    """(R, L)"""
    validation: np.ndarray | None
    """(R, L)"""
    gap: np.ndarray | None
    """(R, L)"""
    lr: np.ndarray
    """(R, L)"""

    def of(self, runs: slice) -> "Evaluations":
        """The evaluations of some of the runs."""
        validation, gap = (None if losses is None else losses[runs] for losses in (self.validation, self.gap))
        return Evaluations(self.epochs, self.due[runs], self.train[runs], validation, gap, self.lr[runs])


@dataclass
class Trained:
    """What R runs came to: status, epochs, best_epoch (R,), and the weights to keep (R, targets, columns)."""

    status: list[str]
    epochs: np.ndarray
    best_epoch: np.ndarray
    weights: Tensor
    evaluations: Evaluations


def train(settings: Settings, tables: Tables) -> Trained:
    """Train all runs of a pack on its tables."""
    return _Runs(settings, tables).train()


class _Runs:
    """The runs that are still under way, `alive`: their numbers in the pack (A,)."""

    def __init__(self, settings: Settings, tables: Tables) -> None:
        self.settings, self.tables = settings, tables
        runs = len(settings.seeds)
        self.generators = [Generator().manual_seed(seed) for seed in settings.seeds]
        start = settings.start(self.generators, tables)
        self.alive = np.arange(runs)
        self.variant = settings.variant
        self.parameters = start.to(tables.x.device, tables.x.dtype)
        self.state = settings.rule(self.alive).start(self.parameters)
        self.kept = self.parameters.clone()
        self.best_loss, self.best_epoch = np.full(runs, math.inf), np.zeros(runs, dtype=np.int64)
        self.since_best, self.ended = np.zeros(runs, dtype=np.int64), np.zeros(runs, dtype=np.int64)
        self.status = ["running"] * runs
        self._rows = tables.all_rows(self.variant)
        self._held_out = tables.all_rows(self.variant, validation=True) if tables.x_validation is not None else None

    @torch.no_grad()
    def train(self) -> Trained:
        settings, evaluated = self.settings, []
        step = 0
        alive, rule = self.alive, settings.rule(self.alive)
        for epoch, batches in enumerate(self._epochs(), start=1):
            if self.alive is not alive:
                alive, rule = self.alive, settings.rule(self.alive)
            lr = settings.lr(alive, epoch - 1)
            for x, y, rows in batches:
                step += 1
                residual = torch.bmm(self.parameters, x.transpose(1, 2)).sub_(y)
                gradient = torch.bmm(residual.mul_(2 / (rows * self.tables.targets)), x)
                self.parameters.sub_(rule.update(self.parameters, gradient, self.state, step, lr))
            due = (epoch % settings.log_every[alive] == 0) | (epoch == settings.epochs[alive])
            if due.any():
                losses = self._losses()
                evaluated.append((epoch, alive[due], losses[:, due], lr.reshape(-1).numpy()[due]))
                self._judge(epoch, due, losses[0], losses[0] if self._held_out is None else losses[1])
            if not len(self.alive):
                break
        return Trained(self.status, self.ended, self.best_epoch, self.kept[:, :, : self.tables.columns],
                       self._collected(evaluated))  # fmt: skip

    def _epochs(self) -> Iterator[Iterator[tuple[Tensor, Tensor, int]]]:
        """The batches of one epoch after another, as long as runs are alive."""
        tables, longest = self.tables, int(self.settings.epochs.max())
        if tables.batch_size == tables.rows:
            for _ in range(longest):
                yield iter([(*self._rows, tables.rows)])
            return
        held = max(1, DRAWN_NUMBERS // (len(self.alive) * tables.rows)) if self.settings.shuffle else longest
        for first in range(0, longest, held):
            epochs = min(held, longest - first)
            places, placed_for = self._places(self._orders(epochs)), self.alive
            for k in range(epochs):
                if placed_for is not self.alive:  # some runs have ended since
                    places, placed_for = places[np.searchsorted(placed_for, self.alive)], self.alive
                yield self._batches(places[:, k] if self.settings.shuffle else places[:, 0])

    def _orders(self, epochs: int) -> Tensor:
        """Permutations (A, epochs, rows), of each run the bits that it would draw alone; (A, 1, rows) if in order."""
        rows = self.tables.rows
        if not self.settings.shuffle:
            return torch.arange(rows).expand(len(self.alive), 1, rows)
        keys = torch.empty(len(self.alive), epochs, rows)
        for run, row in zip(self.alive.tolist(), keys.unbind(), strict=True):
            torch.rand(epochs, rows, generator=self.generators[run], out=row)
        return sort_keys(keys)

    def _places(self, order: Tensor) -> Tensor:
        """Where the rows of the padded batches lie in the pack's tables, (A, epochs, steps * batch padded)."""
        tables, rows, size = self.tables, self.tables.rows, self.tables.batch_size
        if tables.steps * tables.batch_padded != rows:  # batches are filled up with row `rows`, which is all zeros
            position = torch.full((tables.steps, tables.batch_padded), rows)
            taken = torch.arange(tables.steps * size).reshape(tables.steps, size)
            position[:, :size] = torch.where(taken < rows, taken, rows)
            order = torch.cat([order, order.new_full((*order.shape[:2], 1), rows)], dim=2)
            order = order.index_select(2, position.reshape(-1))
        places = order.to(tables.x.device)
        return places + self.variant[:, None, None] * (rows + 1) if len(tables.x) > 1 else places

    def _batches(self, places: Tensor) -> Iterator[tuple[Tensor, Tensor, int]]:
        """x (A, batch, width), y (A, t, batch) and the number of true rows in each, of one epoch's `places`."""
        tables, rows, size = self.tables, self.tables.rows, self.tables.batch_size
        places, shape = places.reshape(-1), (len(places), tables.steps, tables.batch_padded)
        x = tables.x.reshape(-1, tables.width).index_select(0, places).reshape(*shape, tables.width)
        y = tables.y.reshape(-1, tables.targets).index_select(0, places).reshape(*shape, tables.targets)
        for step, (x_batch, y_batch) in enumerate(zip(x.unbind(1), y.transpose(2, 3).unbind(1), strict=True)):
            yield x_batch, y_batch, min(size, rows - step * size)

    def _losses(self) -> np.ndarray:
        """Training loss, then validation loss and gap where they are known, (1 to 3, A), in the table's units."""
        targets, scale = self.tables.targets, self.tables.scale[self.variant]
        x, y = self._rows
        prediction = torch.bmm(self.parameters, x.transpose(1, 2))
        found = [_mean_square(prediction - y, scale, self.tables.rows * targets)]
        if self._held_out is not None:
            assert self.settings.rows_validation
            x, y = self._held_out
            residual = torch.bmm(self.parameters, x.transpose(1, 2)).sub_(y)
            found.append(_mean_square(residual, scale, self.settings.rows_validation * targets))
        if self.tables.best is not None:
            prediction -= self.tables.best[self.variant]
            if self.tables.rows_padded > self.tables.rows:
                prediction[:, :, self.tables.rows :] = 0
            found.append(_mean_square(prediction, scale, self.tables.rows * targets))
        return torch.stack(found).cpu().to(torch.float64).numpy()  # the losses leave the device here

    def _judge(self, epoch: int, due: np.ndarray, train: np.ndarray, monitored: np.ndarray) -> None:
        """`training.judge` for the runs that were looked at; those that end are taken out of the stack."""
        runs, settings = self.alive, self.settings
        finite = np.isfinite(train) & np.isfinite(monitored)
        better = due & finite & (monitored < self.best_loss[runs])
        worse = due & finite & ~better
        self.best_loss[runs[better]], self.best_epoch[runs[better]] = monitored[better], epoch
        self.since_best[runs[better]] = 0
        self.since_best[runs[worse]] += 1
        patience = settings.patience[runs]  # 0: none
        saved = better & ((patience > 0) | settings.keep_best[runs])
        if saved.any():
            self.kept[runs[saved]] = self.parameters[torch.from_numpy(saved)]
        diverged = due & ~finite
        impatient = worse & (patience > 0) & (self.since_best[runs] >= patience)
        done = epoch >= settings.epochs[runs]
        ends = diverged | impatient | done
        if not ends.any():
            return
        for run, is_diverged, is_impatient in zip(runs[ends], diverged[ends], impatient[ends], strict=True):
            self.status[run] = "diverged" if is_diverged else "stopped_early" if is_impatient else "completed"
        self.ended[runs[ends]] = epoch
        kept = ((patience > 0) | settings.keep_best[runs]) & np.isfinite(self.best_loss[runs])
        last = ends & ~kept
        self.kept[runs[last]] = self.parameters[torch.from_numpy(last)]
        self._keep(~ends)

    def _keep(self, stay: np.ndarray) -> None:
        """Drop the runs that have ended."""
        at = torch.from_numpy(np.flatnonzero(stay))
        self.alive = self.alive[stay]
        self.variant = self.variant[at]
        at = at.to(self.parameters.device)
        self.parameters, self.state = self.parameters[at], [slot[at] for slot in self.state]
        self._rows = (self._rows[0][at], self._rows[1][at])
        if self._held_out is not None:
            self._held_out = (self._held_out[0][at], self._held_out[1][at])

    def _collected(self, evaluated: list) -> Evaluations:
        shape = (len(self.settings.seeds), len(evaluated))
        lr, due = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
        losses = np.full((1 + (self._held_out is not None) + (self.tables.best is not None), *shape), np.nan)
        for column, (_, runs, found, rate) in enumerate(evaluated):
            due[runs, column], losses[:, runs, column], lr[runs, column] = True, found, rate
        train, *others = losses
        validation = others.pop(0) if self._held_out is not None else None
        epochs = np.array([epoch for epoch, *_ in evaluated], dtype=np.int64)
        return Evaluations(epochs, due, train, validation, others[0] if others else None, lr)


def _mean_square(residual: Tensor, scale: Tensor, count: int) -> Tensor:
    """Of residuals (A, t, rows padded), multiplied by their scale (A, t, 1), for each run (A,). Overwrites them."""
    return residual.mul_(scale).square_().flatten(1).sum(1) / count
