"""A run's model as a module that needs torch and nothing of ours."""

import copy

import torch
from torch import nn

from experiments.errors import UserError, one_line
from experiments.stored.stored_model import Model


def to_torch(model: Model) -> nn.Module:
    """The model in evaluation mode, with weights of its own; of classes it gives the logits (n, outputs).

    Linear models are a torch.nn.Linear of float64. Networks are traced by torch.fx, so that only layers of torch
    are left (and dropout, which does nothing while predicting, is gone); they take float32 and float64. Raises
    UserError for a module that can't be traced.
    """
    if model.is_linear:
        return copy.deepcopy(model.module).eval()
    try:
        return torch.fx.symbolic_trace(copy.deepcopy(model.in_units).eval())
    except Exception as error:  # whatever a module of the user's own does with what is no tensor yet
        raise UserError(
            f"to_torch: torch.fx can't trace this module ({one_line(error)[:200]}); .model.module is it as it is"
        ) from None
