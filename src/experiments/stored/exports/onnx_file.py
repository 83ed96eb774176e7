"""A run's model as an ONNX file: rows in the table's units in, predictions in its units or probabilities out."""

import json
import logging
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from experiments.errors import UserError, one_line
from experiments.stored.stored_model import Model
from experiments.tracking.files import write_asked

ROWS = 3
"""Rows of the example that is traced; the file takes any number."""


class Probabilities(nn.Module):
    """Logits (n, outputs) to the probability of each class (n, classes), as `decisions.probabilities`."""

    def __init__(self, logits: nn.Module) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, x: Tensor) -> Tensor:
        found = self.logits(x)
        if found.shape[1] == 1:
            found = torch.cat([torch.zeros_like(found), found], dim=1)
        return found.softmax(1)


def write_onnx(model: Model, path: str | Path) -> None:
    """Write the model: `rows` (n, features) to `predictions` (n, targets) or `probabilities` (n, classes), all float64.

    The file's metadata names features, targets and classes in their order, as JSON. Raises UserError for a model that
    torch.onnx can't export, and a file that can't be written.
    """
    outputs = "predictions" if model.classes is None else "probabilities"
    module = model.in_units if model.classes is None else Probabilities(model.in_units)
    rows, log = torch.zeros(ROWS, len(model.features), dtype=torch.float64), logging.getLogger("torch.onnx")
    level = log.level
    try:
        with warnings.catch_warnings():  # torch's own, about its insides
            warnings.simplefilter("ignore")
            log.setLevel(logging.ERROR)  # which operators of torchvision it does without
            program = torch.onnx.export(
                module.eval(), (rows,), input_names=["rows"], output_names=[outputs], dynamo=True, verbose=False,
                dynamic_shapes=({0: torch.export.Dim("n")},),
            )  # fmt: skip
    except ImportError as error:
        raise UserError(
            f"--onnx: needs {error.name}, which is not installed; pip install 'experiments[onnx]'"
        ) from None
    except Exception as error:  # whatever a module of the user's own does that has no place in a graph
        raise UserError(
            f"--onnx: torch.onnx can't export this model: {one_line(error.__cause__ or error)[:200]}"
        ) from None
    finally:
        log.setLevel(level)
    assert program is not None
    about = {"features": model.features, "targets": model.targets, "classes": model.classes}
    program.model.metadata_props.update({k: json.dumps(v) for k, v in about.items() if v is not None})
    write_asked("--onnx", path, program.model_proto.SerializeToString())
