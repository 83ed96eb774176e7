"""R networks, or modules of the user's own, at once: torch.func's functional_call under vmap, gradients by autograd.

Parameters are (R, 1, P): all of a module's, one after the other, so that an update is one operation. Buffers are
stacked beside them; what a module changes in them (the statistics of batch norm, say) is kept for each run.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, vmap

from experiments.errors import one_line
from experiments.learning import models
from experiments.learning.losses import on_scaled_targets
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.stacked.stacked_losses import StackedLoss, with_spare_runs
from experiments.sweeps.stacked.stacked_tables import Tables

NUMBERS = 2**23
"""About how many numbers of layers' outputs are held at a time where all rows are looked at."""
PROBED = 7
"""Runs that a model is tried with before it is stacked."""
ALIKE = 1e-3
"""How near a pack's gradients must be to those of a module by itself, relative to the largest."""


class NotStacked(Exception):
    """Jobs that can't be stacked, or gain nothing from it: they run one by one. The text says why."""


class ModuleProgram:
    """A `Program`. `modules` are the runs' own, with their start weights."""

    def __init__(self, tables: Tables, loss: StackedLoss, modules: Sequence[nn.Module]) -> None:
        self.tables, self.loss, self.module = tables, loss, modules[0]
        self.shapes = {name: p.shape for name, p in self.module.named_parameters()}
        self.begin = torch.stack([_flat(m) for m in modules])[:, None]
        states = [dict(m.named_buffers()) for m in modules]
        self.buffers = {name: torch.stack([s[name] for s in states]) for name in states[0]}
        """Those of the runs that are under way."""
        self.saved = {name: b.clone() for name, b in self.buffers.items()}
        """Those that belong to the parameters that are kept of each run, by its number in the pack."""
        self._a_row: int | None = None

    def start(self, jobs: Sequence[Job], generators: Sequence[Generator]) -> Tensor:
        """Start parameters, which the modules were built with."""
        return self.begin.to(self.tables.x.device, self.tables.x.dtype)

    def penalized(self) -> Tensor:
        """1 for the parameters that a penalty is on, (1, 1, P)."""
        parts = [torch.full((s.numel(),), float(len(s) >= 2)) for s in self.shapes.values()]
        return torch.cat(parts)[None, None].to(self.tables.x.device, self.tables.x.dtype)

    def outputs(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(A, outputs, n) for rows x (A, n, features)."""
        return self._outputs(parameters, x, self.buffers)

    def outputs_of(self, runs: Tensor, parameters: Tensor, x: Tensor) -> Tensor:
        """(len(runs), outputs, n) of the kept parameters of some runs of the pack, for rows x (n, features)."""
        buffers = {name: b[runs] for name, b in self.saved.items()}
        return self._outputs(parameters, x.expand(len(runs), *x.shape), buffers)

    def _outputs(self, parameters: Tensor, x: Tensor, buffers: dict[str, Tensor]) -> Tensor:
        """(A, outputs, n), computed for some runs at a time, within NUMBERS."""
        parts = max(1, math.ceil(len(parameters) * self._made(x.shape[1]) / NUMBERS))
        found = []
        with models.evaluating(self.module):
            for at in torch.arange(len(parameters)).tensor_split(min(parts, len(parameters))):
                own = with_spare_runs(at, x.shape[1])
                own_x = x[own] if x.stride(0) else x[:1].expand(len(own), *x.shape[1:])  # the same rows: not copied
                outputs = vmap(self._call)(parameters[own, 0], {k: b[own] for k, b in buffers.items()}, own_x)
                found.append(outputs[: len(at)].transpose(1, 2))
        return torch.cat(found)

    def gradients(self, parameters: Tensor, x: Tensor, y: Tensor, rows: int, variant: Tensor) -> Tensor:
        """The gradient of each run's mean loss, (A, 1, P), for a batch x (A, n, features), y (A, n, t)."""
        runs = len(parameters)
        own = with_spare_runs(torch.arange(runs), rows)
        buffers = {name: b[own] for name, b in self.buffers.items()}
        leaf, y, variant = parameters[own, 0].requires_grad_(), y[own], variant[own]
        with torch.enable_grad():
            outputs = vmap(self._call)(leaf, buffers, x[own])
            if self.loss.has_slopes:  # several times as fast as what autograd makes of a loss
                with torch.no_grad():
                    copied = outputs.transpose(1, 2).clone(memory_format=torch.contiguous_format)
                    slopes = self.loss.slopes(copied, y.transpose(1, 2), rows, variant).transpose(1, 2)
                (found,) = torch.autograd.grad(outputs, leaf, slopes)
            else:
                lost = vmap(self._lost)(outputs, y, self.loss.scale[variant][:, :, 0])
                (found,) = torch.autograd.grad(lost.sum(), leaf)
        self.buffers = {name: b[:runs].detach() for name, b in buffers.items()}
        return found[:runs, None]

    def save(self, runs: np.ndarray, at: Tensor) -> None:
        """The parameters of `runs`, at these places among those under way, are kept: keep their buffers too."""
        for name, buffer in self.buffers.items():
            self.saved[name][runs] = buffer[at]

    def keep(self, stay: Tensor) -> None:
        """Runs have ended: go on with those at `stay`."""
        self.buffers = {name: b[stay] for name, b in self.buffers.items()}

    def state(self, parameters: Tensor, runs: Tensor) -> dict[str, Tensor]:
        """The tensors by name, (len(runs), ...), of the kept parameters (len(runs), 1, P) of some runs."""
        parts = {name: p.reshape(-1, *self.shapes[name]) for name, p in self._parts(parameters[:, 0]).items()}
        named = parts | {name: b[runs] for name, b in self.saved.items()}
        return {name: named[name] for name in self.module.state_dict()}

    def numbers(self) -> int:
        """How many numbers a module's parameters are, and its layers' outputs for a batch."""
        return self.begin.shape[2] + self._made(self.tables.batch_size)

    def _made(self, rows: int) -> int:
        """How many numbers the layers' outputs are for so many rows."""
        if self._a_row is None:
            made: list[int] = []
            hooks = [
                part.register_forward_hook(lambda _, x, y: made.append(y.numel() if isinstance(y, Tensor) else 0))
                for part in self.module.modules()
                if not list(part.children())
            ]
            with torch.no_grad(), models.evaluating(self.module):
                self.module(self.tables.x[0, :1])
            for hook in hooks:
                hook.remove()
            self._a_row = sum(made) + self.tables.width
        return self._a_row * rows

    def check(self) -> None:
        """Raise NotStacked unless a step in a pack is what each run takes by itself, to the same bits in any pack."""
        tables, kept = self.tables, self.buffers
        size = tables.batch_size
        begin = self.begin[:1].to(tables.x) * torch.linspace(0.5, 1.5, PROBED).to(tables.x)[:, None, None]
        try:
            together = self._probe(begin, size, [slice(0, PROBED)])
            parts = self._probe(begin, size, [slice(0, 1), slice(1, 3), slice(3, 6), slice(6, PROBED)])
            if not torch.equal(together.nan_to_num(), parts.nan_to_num()):
                raise NotStacked("stacked, the last digits of this model would depend on the runs beside it")
            leaf, buffers = begin[0, 0].clone().requires_grad_(), {name: b[0].clone() for name, b in kept.items()}
            rows = torch.arange(size) % tables.rows
            outputs = self._call(leaf, buffers, tables.x[0, rows])
            self._lost(outputs, tables.y[0, rows], self.loss.scale[0, :, 0]).backward()
        except NotStacked:
            raise
        except Exception as error:
            raise NotStacked(f"torch.func can't stack this model: {one_line(error)[:200]}") from None
        finally:
            self.buffers = kept
        alone = torch.zeros(0) if leaf.grad is None else leaf.grad
        found = together[0, : len(alone)]
        if not torch.allclose(found, alone, rtol=ALIKE, atol=ALIKE * float(alone.abs().max()), equal_nan=True):
            raise NotStacked("stacked, this model would learn otherwise than by itself")

    def _probe(self, begin: Tensor, size: int, parts: Sequence[slice]) -> Tensor:
        """Gradients on batches, and then the loss over all rows, of PROBED runs, some at a time: (PROBED, P + 1)."""
        tables, kept, found = self.tables, self.buffers, []
        rows = torch.arange(PROBED * size).reshape(PROBED, size) % tables.rows
        x, y = tables.x[0, rows], tables.y[0, rows]
        for part in parts:
            count = part.stop - part.start
            variant = torch.zeros(count, dtype=torch.int64)
            self.buffers = {name: b[:1].repeat(count, *(1 for _ in b.shape[1:])) for name, b in kept.items()}
            gradients = self.gradients(begin[part], x[part], y[part], size, variant)[:, 0]
            every_x, every_y = tables.all_rows(variant)
            outputs = self.outputs(begin[part], every_x[:, : tables.rows])
            means = self.loss.means(outputs, every_y.transpose(1, 2), tables.rows, variant)
            found.append(torch.cat([gradients, means[:, None].to(gradients)], dim=1))
        self.buffers = kept
        return torch.cat(found)

    def _call(self, flat: Tensor, buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        named = {name: part.view(self.shapes[name]) for name, part in self._parts(flat).items()}
        return functional_call(self.module, {**named, **buffers}, (x,))

    def _lost(self, outputs: Tensor, y: Tensor, scale: Tensor) -> Tensor:
        loss: Any = self.loss.reported
        if isinstance(self.loss.trained, type(loss)) and self.loss.trained is not loss:
            loss = on_scaled_targets(loss, scale)
        return loss(outputs, y)

    def _parts(self, flat: Tensor) -> dict[str, Tensor]:
        sizes = [shape.numel() for shape in self.shapes.values()]
        return dict(zip(self.shapes, flat.split(sizes, dim=-1), strict=True))


def _flat(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()])
