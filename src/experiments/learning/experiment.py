"""Everything that one run trains with, built and in its place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from experiments.config.schema import Config
from experiments.data.prepared import Prepared
from experiments.exact.solution import Optimum
from experiments.learning import models


@dataclass
class Experiment:
    """The parts of a run: `assembly.assemble` builds them, `training.fit` trains them."""

    config: Config
    device: torch.device
    data: Prepared
    generator: Generator
    model: models.Model
    optimizer: Any
    loss: Any
    """The loss as trained, on the targets as scaled."""
    reported_loss: Any
    """The same in the targets' own units."""
    schedule: Callable[[int], float]
    lr: float
    batches: Any
    optimum: Optimum | None = None
    """What the logged gap is measured against, where it is known."""

    def predict(self, x: Tensor) -> Tensor:
        """Predictions (n, targets), float64, for rows (n, features), both in the table's units."""
        if models.is_linear(self.model):
            weight, bias = self.parameters()
            return x @ weight.t() + bias
        with torch.no_grad(), models.evaluating(self.model):
            scaled = self.data.scaling.inputs(x).to(self.device, self.data.x.dtype)
            # to the CPU first: mps has no float64
            return self.data.scaling.predictions(self.model(scaled).cpu().to(torch.float64))

    def parameters(self) -> tuple[Tensor, Tensor]:
        """A linear model's weight (targets, features) and bias (targets,) in the table's units, float64."""
        assert not isinstance(self.model.weight, torch.nn.Module)
        return self.data.scaling.original(self.model.weight, self.model.bias)  # type: ignore[arg-type]  # nn.Module's are untyped


def saved_weights(experiment: Experiment) -> dict[str, Tensor]:
    """What model.safetensors holds of a run: tensors by name.

    A linear model: `weight` and `bias` in the table's units. Where it was trained on standardised columns, these
    are float64 and `trained.weight`, `trained.bias` hold the bits that were trained. Any other model: its own tensors.
    With standardised columns also `scaling.*`.
    """
    model, data = experiment.model, experiment.data
    tensors = models.state(model)
    if not data.standardized:
        return tensors
    scaling = {f"scaling.{k}": v for k, v in vars(data.scaling).items()}
    if not models.is_linear(model):
        return tensors | scaling
    weight, bias = experiment.parameters()
    return {"weight": weight, "bias": bias} | {f"trained.{k}": v for k, v in tensors.items()} | scaling
