"""Many runs as one tensor program: the loop of `training.fit` with a leading run axis.

Parameters are (R, ., P); hyper-parameters are (R, 1, 1). The gradients are those of the pack's program, the update
rules and schedules those of `optimizers.py` and `schedules.py`, and every run draws its start and its orders from its
own generator just as it would alone. Nothing mixes runs.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.data.order import sort_keys
from experiments.sweeps.compose.halving import Halving
from experiments.sweeps.stacked.gaps import Gaps
from experiments.sweeps.stacked.programs import Program
from experiments.sweeps.stacked.settings import Settings
from experiments.sweeps.stacked.stacked_penalty import StackedPenalty
from experiments.sweeps.stacked.stacked_tables import Tables

DRAWN_NUMBERS = 4_000_000
"""Uniform draws held at a time, for the orders of as many epochs as they last."""
GATHERED = 2**20
"""Numbers of rows gathered at a time, for as many batches as they last."""


@dataclass
class Evaluations:
    """R runs at L evaluations; NaN where a run was not looked at."""

    epochs: np.ndarray
    """(L,) after which epoch."""
    due: np.ndarray
    """(R, L) whether the run was looked at."""
    values: dict[str, np.ndarray]
    """By TensorBoard's tags, (R, L): losses in the table's units, accuracies, the rate."""

    def of(self, runs: slice) -> "Evaluations":
        """The evaluations of some of the runs."""
        return Evaluations(self.epochs, self.due[runs], {tag: found[runs] for tag, found in self.values.items()})


@dataclass
class TrainedRuns:
    """What R runs came to: status, epochs, best_epoch (R,), and the parameters to keep (R, ., P)."""

    status: list[str]
    epochs: np.ndarray
    best_epoch: np.ndarray
    parameters: Tensor
    penalty: np.ndarray
    """(R,) of those parameters, in the targets' units."""
    evaluations: Evaluations
    rung: np.ndarray
    """(R,) at which a run was pruned, by its number; -1 where it was not."""


def train(
    settings: Settings, tables: Tables, program: Program, gaps: Gaps | None, generators: Sequence[Generator],
    halving: Halving | None = None,
) -> TrainedRuns:  # fmt: skip
    """Train all runs of a pack on its tables, or the best of them to the end; each draws from its own generator."""
    return _Runs(settings, tables, program, gaps, generators, halving).train()


class _Runs:
    """The runs that are still under way, `alive`: their numbers in the pack (A,)."""

    def __init__(
        self, settings: Settings, tables: Tables, program: Program, gaps: Gaps | None, generators: Sequence[Generator],
        halving: Halving | None,
    ) -> None:  # fmt: skip
        self.halving, self.rungs = halving, halving.rungs if halving else ()
        self.settings, self.tables, self.program, self.gaps = settings, tables, program, gaps
        self.generators = generators
        runs = len(settings.seeds)
        self.alive = np.arange(runs)
        self.variant = settings.variant
        self.parameters = program.start(settings.jobs, generators)
        self.penalty = StackedPenalty(settings, program)
        self.state = settings.rule(self.alive).start(self.parameters)
        self.kept = self.parameters.clone()
        self.best_loss, self.best_epoch = np.full(runs, math.inf), np.zeros(runs, dtype=np.int64)
        self.since_best, self.ended = np.zeros(runs, dtype=np.int64), np.zeros(runs, dtype=np.int64)
        self.status, self.rung = ["running"] * runs, np.full(runs, -1)
        self.scores, self.before = np.full(runs, math.inf), np.full(runs, math.inf)
        """Of halving: what runs are worth, and were at the look before a rung."""

    @torch.no_grad()
    def train(self) -> TrainedRuns:
        settings, evaluated = self.settings, []
        step = 0
        alive, rule = self.alive, settings.rule(self.alive)
        for epoch, batches in enumerate(self._epochs(), start=1):
            if self.alive is not alive:
                alive, rule = self.alive, settings.rule(self.alive)
            lr = settings.lr(alive, epoch - 1)
            for x, y, rows in batches:
                step += 1
                gradient = self.program.gradients(self.parameters, x, y, rows, self.variant)
                self.penalty.add_to(gradient, self.parameters, alive)
                self.parameters.sub_(rule.update(self.parameters, gradient, self.state, step, lr))
                self.penalty.shrink(self.parameters, alive, lr)
            due = (epoch % settings.log_every[alive] == 0) | (epoch == settings.epochs[alive])
            if due.any():
                looked = self._looked() | {"optimizer/lr": lr.reshape(-1).numpy()}
                evaluated.append((epoch, alive[due], {tag: found[due] for tag, found in looked.items()}))
                self._judge(epoch, due, looked["loss/train"], looked.get("loss/validation", looked["loss/train"]))
            if self.halving is not None and len(self.alive):
                if epoch in self.rungs:
                    self._halve(self.halving, epoch)
                if epoch in self.halving.looks:
                    self.before[self.alive] = self.halving.scores(self._looked())
            if not len(self.alive):
                break
        penalty = self.penalty.of(self.kept, np.arange(len(self.kept)), settings.variant).cpu().to(torch.float64)
        return TrainedRuns(
            self.status, self.ended, self.best_epoch, self.kept, penalty.numpy(), self._collected(evaluated),
            self.rung,
        )  # fmt: skip

    def _epochs(self) -> Iterator[Iterator[tuple[Tensor, Tensor, int]]]:
        """The batches of one epoch after another, as long as runs are alive."""
        tables, longest = self.tables, int(self.settings.epochs.max())
        if tables.batch_size == tables.rows:
            for _ in range(longest):
                yield iter([(*tables.all_rows(self.variant), tables.rows)])
            return
        held = max(1, DRAWN_NUMBERS // (len(self.alive) * tables.rows)) if self.settings.shuffle else longest
        first = 0
        while first < longest:  # of runs that a rung may end, no orders are drawn beyond it
            epochs = min(held, next((rung for rung in self.rungs if rung > first), longest) - first)
            places, placed_for = self._places(self._orders(epochs)), self.alive
            for k in range(epochs):
                if placed_for is not self.alive:  # some runs have ended since
                    places, placed_for = places[np.searchsorted(placed_for, self.alive)], self.alive
                yield self._batches(places[:, k] if self.settings.shuffle else places[:, 0])
            first += epochs

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
        """x (A, batch, width), y (A, batch, t) and the number of true rows in each, of one epoch's `places`."""
        tables, rows, size = self.tables, self.tables.rows, self.tables.batch_size
        runs, at_once = len(places), max(1, GATHERED // (places.shape[0] * tables.batch_padded * tables.width))
        for first in range(0, tables.steps, at_once):
            steps = min(at_once, tables.steps - first)
            some = places[:, first * tables.batch_padded : (first + steps) * tables.batch_padded].reshape(-1)
            x = tables.x.reshape(-1, tables.width).index_select(0, some).reshape(runs, steps, -1, tables.width)
            y = tables.y.reshape(-1, tables.targets).index_select(0, some).reshape(runs, steps, -1, tables.targets)
            for k, (x_batch, y_batch) in enumerate(zip(x.unbind(1), y.unbind(1), strict=True), start=first):
                true = min(size, rows - k * size)
                if not tables.padded and true < size:
                    x_batch, y_batch = x_batch[:, :true], y_batch[:, :true]
                yield x_batch, y_batch, true

    def _looked(self) -> dict[str, np.ndarray]:
        """Losses over all rows in the table's units, gaps, and accuracies, by their tags, (A,)."""
        tables, loss, variant = self.tables, self.program.loss, self.variant
        x, y = tables.all_rows(variant)
        outputs, y = self.program.outputs(self.parameters, x), y.transpose(1, 2)
        train = loss.means(outputs, y, tables.rows, variant)
        if self.penalty.on:
            train = train + self.penalty.of(self.parameters, self.alive, variant)
        found, accuracies = {"loss/train": train}, {}
        if loss.classes:
            accuracies["accuracy/train"] = loss.accuracy(outputs, y, tables.rows)
        gap = None if self.gaps is None else self.gaps.of(outputs, train, tables.rows, self.alive, variant)
        if tables.rows_validation:
            x, y = tables.all_rows(variant, validation=True)
            outputs, y = self.program.outputs(self.parameters, x), y.transpose(1, 2)
            found["loss/validation"] = loss.means(outputs, y, tables.rows_validation, variant)
            if loss.classes:
                accuracies["accuracy/validation"] = loss.accuracy(outputs, y, tables.rows_validation)
        found |= ({} if gap is None else {"loss/gap": gap}) | accuracies
        values = torch.stack(list(found.values())).cpu().to(torch.float64)  # the losses leave the device here
        return dict(zip(found, values.numpy(), strict=True))

    def _judge(self, epoch: int, due: np.ndarray, train: np.ndarray, monitored: np.ndarray) -> None:
        """`training.judge` for the runs that were looked at; those that end are taken out of the pack."""
        runs, settings = self.alive, self.settings
        finite = np.isfinite(train) & np.isfinite(monitored)
        better = due & finite & (monitored < self.best_loss[runs])
        worse = due & finite & ~better
        self.best_loss[runs[better]], self.best_epoch[runs[better]] = monitored[better], epoch
        self.since_best[runs[better]] = 0
        self.since_best[runs[worse]] += 1
        patience = settings.patience[runs]  # 0: none
        saved = better & ((patience > 0) | settings.keep_best[runs])
        self._save(saved)
        diverged = due & ~finite
        impatient = worse & (patience > 0) & (self.since_best[runs] >= patience)
        done = epoch >= settings.epochs[runs]
        ends = diverged | impatient | done
        if not ends.any():
            return
        for run, is_diverged, is_impatient in zip(runs[ends], diverged[ends], impatient[ends], strict=True):
            self.status[run] = "diverged" if is_diverged else "stopped_early" if is_impatient else "completed"
        self.scores[runs[ends]] = np.where(diverged[ends], math.inf, self.best_loss[runs[ends]])
        self._end(ends, epoch)

    def _halve(self, halving: Halving, epoch: int) -> None:
        """End the runs that do not go on from this rung."""
        rung = self.rungs.index(epoch)
        alive = self.alive
        now, epochs = halving.scores(self._looked()), self.settings.epochs[alive]
        self.scores[alive] = halving.projected(now, self.before[alive], epoch, epochs)
        out = ~halving.survivors(rung, self.scores, self.alive)
        for run in self.alive[out]:
            self.status[run], self.rung[run] = "pruned", rung
        self._end(out, epoch)

    def _end(self, ends: np.ndarray, epoch: int) -> None:
        """Take runs out of the pack, with the weights that they are to keep."""
        runs, settings = self.alive, self.settings
        self.ended[runs[ends]] = epoch
        kept = ((settings.patience[runs] > 0) | settings.keep_best[runs]) & np.isfinite(self.best_loss[runs])
        self._save(ends & ~kept)
        self._keep(~ends)

    def _save(self, which: np.ndarray) -> None:
        """Keep the parameters of some of the runs as they are."""
        if which.any():
            at = torch.from_numpy(np.flatnonzero(which))
            self.kept[self.alive[which]] = self.parameters[at]
            self.program.save(self.alive[which], at)

    def _keep(self, stay: np.ndarray) -> None:
        """Drop the runs that have ended."""
        at = torch.from_numpy(np.flatnonzero(stay))
        self.alive = self.alive[stay]
        self.variant = self.variant[at]
        at = at.to(self.parameters.device)
        self.parameters, self.state = self.parameters[at], [slot[at] for slot in self.state]
        self.program.keep(at)

    def _collected(self, evaluated: list[tuple[int, np.ndarray, dict[str, np.ndarray]]]) -> Evaluations:
        shape = (len(self.settings.seeds), len(evaluated))
        due = np.zeros(shape, dtype=bool)
        values = {tag: np.full(shape, np.nan) for tag in (evaluated[0][2] if evaluated else ())}
        for column, (_, runs, found) in enumerate(evaluated):
            due[runs, column] = True
            for tag, numbers in found.items():
                values[tag][runs, column] = numbers
        return Evaluations(np.array([epoch for epoch, *_ in evaluated], dtype=np.int64), due, values)
