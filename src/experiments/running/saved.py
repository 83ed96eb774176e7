"""What model.safetensors holds of a run."""

from torch import Tensor

from experiments.learning import models
from experiments.learning.experiment import Experiment


def saved_weights(experiment: Experiment) -> dict[str, Tensor]:
    """The tensors by name.

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
