"""From the config of a pack to the models that train in it, and from what they learned to what a run leaves."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.config import schema
from experiments.config.schema import Config
from experiments.data.prepared import Prepared
from experiments.exact.solution import Optimum
from experiments.learning import models
from experiments.running.factories import build_loss, build_model
from experiments.running.measures.metrics import Models, metrics
from experiments.running.measures.reference import Reference
from experiments.sweeps.stacked.gaps import Gaps
from experiments.sweeps.stacked.linear_program import LinearProgram, original, predicted
from experiments.sweeps.stacked.module_program import ModuleProgram, NotStacked
from experiments.sweeps.stacked.stacked_losses import StackedLoss
from experiments.sweeps.stacked.stacked_tables import lay_out
from experiments.sweeps.stacked.stacked_training import TrainedRuns

CHUNK = 8_000_000
"""Predictions held at a time."""
Ended = tuple[dict[str, Any], np.ndarray | None, dict[str, np.ndarray]]
"""The metrics of a run, a linear model's weights (outputs, features + 1) in the table's units, its tensors by name."""


class StackedModels:
    """R models, one for each seed, on their tables."""

    def __init__(self, config: Config, tables: Sequence[Prepared], seeds: Sequence[int]) -> None:
        """`config` is that of one of them. Raises NotStacked for classes that are no nn.Module."""
        first = tables[0]
        self.generators = [Generator().manual_seed(seed) for seed in seeds]
        self.loss = build_loss(config)
        by_hand = isinstance(config.model, schema.Model) and not isinstance(config.loss, schema.Custom)
        bias = by_hand and config.model.bias
        self.tables = lay_out(tables, bias, config.training.batch_size, padded=by_hand)
        scale = torch.stack([t.scaling.y_scale for t in tables])[:, :, None].to(first.x)
        loss = StackedLoss(self.loss, scale, standardized=any(t.target_scale is not None for t in tables))
        self.program: LinearProgram | ModuleProgram
        if by_hand:
            self.program = LinearProgram(self.tables, loss, bias)
        else:
            self.program = ModuleProgram(self.tables, loss, _modules(config, first, self.generators))

    def gaps(self, cases: Sequence[tuple[Prepared, Optimum | None]], of_runs: Sequence[int]) -> Gaps | None:
        """What measures the gaps of linear models, where every optimum is known; see `Gaps`."""
        known = [(data, optimum) for data, optimum in cases if optimum is not None]
        every = len(known) == len(cases) and self.is_linear
        return Gaps(known, of_runs, self.program.loss) if every else None

    @property
    def is_linear(self) -> bool:
        """Whether the models are, also where a loss of the user's own has them trained as modules."""
        return isinstance(self.program, LinearProgram) or models.is_linear(self.program.module)

    def ended(self, trained: TrainedRuns, runs: Sequence[int], data: Prepared, reference: Reference) -> list[Ended]:
        """What the given runs, all on one variant, came to."""
        numbers = torch.tensor(runs)
        parameters = trained.parameters[numbers]
        state = self.program.state(parameters, numbers)
        weights = original(state["weight"], state.get("bias"), data) if self.is_linear else None
        found: list[dict[str, Any]] = []
        for at in torch.arange(len(runs)).split(max(2, CHUNK // (data.rows * self.tables.outputs))):
            part = None if weights is None else weights[at]
            predictions = self._predictions(numbers[at], parameters[at], part, data)
            of_these = Models(len(at), predictions, trained.penalty[numbers[at].numpy()], self.is_linear)
            found += metrics(of_these, self.loss, data, reference)
        tensors = {name: t.cpu().numpy() for name, t in state.items()}
        ended: list[Ended] = []
        for run, its in enumerate(found):
            listed = None if weights is None else weights[run].numpy()
            ended.append((its, listed, _saved({name: t[run] for name, t in tensors.items()}, listed, data)))
        return ended

    def _predictions(
        self, runs: Tensor, parameters: Tensor, weights: Tensor | None, data: Prepared
    ) -> Callable[[Tensor], Tensor]:
        """From rows (n, features) to predictions (len(runs), outputs, n), both float64 and in the table's units."""
        if weights is not None:
            return lambda x: predicted(weights, x)
        program = self.program
        assert isinstance(program, ModuleProgram)

        def predictions(x: Tensor) -> Tensor:
            outputs = program.outputs_of(runs, parameters, data.scaling.inputs(x).to(data.x))
            return data.scaling.predictions(outputs.transpose(1, 2).cpu().to(torch.float64)).transpose(1, 2)

        return predictions


def _modules(config: Config, data: Prepared, generators: Sequence[Generator]) -> list[torch.nn.Module]:
    """The runs' networks with their start weights; linear models, which all start alike, as nn.Linear."""
    if isinstance(config.model, schema.Model):
        node = schema.Model(init=config.model.init, bias=config.model.bias)
        config = dataclasses.replace(config, model=node)
    modules = []
    for generator in generators:
        model = build_model(config, data, generator, data.x.device, data.x.dtype)
        if not isinstance(model, torch.nn.Module):
            raise NotStacked("the model is no torch.nn.Module")
        modules.append(model)
    return modules


def _saved(tensors: dict[str, np.ndarray], weights: np.ndarray | None, data: Prepared) -> dict[str, np.ndarray]:
    """The tensors of model.safetensors by name, as `experiment.saved_weights` has them."""
    if not data.standardized:
        return tensors
    scaling = {f"scaling.{k}": v.numpy() for k, v in vars(data.scaling).items()}
    if weights is None:
        return tensors | scaling
    units = {"weight": weights[:, :-1], "bias": weights[:, -1]}
    return units | {f"trained.{k}": v for k, v in tensors.items()} | scaling
