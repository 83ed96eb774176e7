"""A stored run's model: from model.safetensors and the names in result.json, in the table's units."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError

from experiments.config.schema import Model as Linear
from experiments.config.validation import schema_of
from experiments.errors import UserError, one_line
from experiments.stored import run_files
from experiments.tracking.decisions import labels, probabilities

if TYPE_CHECKING:
    from torch import nn

    from experiments.data.files.encoding import Encoding

Array = np.ndarray


class Model:
    """Predicts with a run's saved weights: `model(rows)`, rows in the table's units.

    `weight` (targets, features) and `bias` (targets,) in the table's units are None for a model of the user's own.
    """

    def __init__(self, folder: Path, config: dict[str, Any], result: dict[str, Any] | None) -> None:
        """Raises UserError when the run has no usable weights."""
        from safetensors.numpy import load

        name = one_line(folder.name)
        if result is None:
            raise UserError(f"{name}: the run has no result yet, so there is nothing to predict with")
        self.features: list[str] = result["features"]
        self.targets: list[str] = result["targets"]
        self.classes: list[Any] | None = result.get("classes")
        self.outputs = len(self.targets)
        if self.classes is not None:
            self.outputs = 1 if len(self.classes) == 2 else len(self.classes)
        self._image, self._ranges = result.get("image"), result.get("ranges")
        try:
            self._tensors = load(run_files.read(folder, "model.safetensors"))
        except FileNotFoundError:
            raise UserError(f"{name}: there is no model.safetensors (status {result['status']})") from None
        except (OSError, ValueError, SafetensorError, KeyError) as error:
            raise UserError(f"{name}: model.safetensors can't be read: {one_line(error)}") from None
        self._config, self._folder = config, folder
        self.weight: Array | None = None
        self.bias: Array | None = None
        if self.is_linear:
            self.weight, self.bias = self._parameters(name)

    @property
    def is_linear(self) -> bool:
        node = self._config.get("model")
        target = str(node.get("_target_")) if isinstance(node, dict) else ""
        schema = schema_of("model", target)
        return schema is not None and issubclass(schema, Linear)

    def _parameters(self, name: str) -> tuple[Array, Array]:
        shape = (self.outputs, len(self.features))
        weight = self._tensors.get("weight")
        bias = self._tensors.get("bias", np.zeros(shape[0]))
        if weight is None or weight.shape != shape or bias.shape != shape[:1]:
            found = "none" if weight is None else weight.shape
            raise UserError(
                f"{name}: model.safetensors holds a weight of shape {found}; result.json names {shape[0]} outputs "
                f"and {shape[1]} features"
            )
        return weight.astype(np.float64), bias.astype(np.float64)

    @cached_property
    def encoding(self) -> "Encoding":
        """How a table's columns become inputs: the levels of columns of text, the means of missing cells."""
        from experiments.tracking.encoding import encoding

        return encoding(self._folder, self.features)

    def __call__(self, rows: Any) -> Array:
        """Predictions (n, targets) in the targets' units, float64; (targets,) for one row by itself. Of classes labels.

        `rows`: numbers, texts and dates by the columns' names or in their order, in anything that holds rows; see
        `given_rows.frame_of`. Warns of values outside the training data. Raises UserError for what does not fit.
        """
        from experiments.data.files.inputs import inputs_of

        x, single = inputs_of(rows, self.encoding, self._ranges)
        outputs = self.of(x)
        found = outputs if self.classes is None else labels(outputs, self.classes)
        return found[0] if single else found

    def probabilities(self, rows: Any) -> Array:
        """The probability of each class in the order of `classes`, (n, classes), or (classes,) for one row.

        Raises UserError for rows that do not fit, and for a run that predicts numbers.
        """
        from experiments.data.files.inputs import inputs_of

        if self.classes is None:
            raise UserError("this run predicts numbers, which have no probabilities; predict() gives them")
        x, single = inputs_of(rows, self.encoding, self._ranges)
        found = probabilities(self.of(x))
        return found[0] if single else found

    def of(self, x: Array) -> Array:
        """Predictions (n, targets), or logits (n, outputs) of classes, for inputs (n, features)."""
        if self.weight is not None and self.bias is not None:
            return x @ self.weight.T + self.bias
        import torch

        with torch.no_grad():
            return self.in_units(torch.from_numpy(x)).numpy()

    @cached_property
    def module(self) -> "nn.Module":
        """The model as a torch module with its weights.

        A linear one takes and gives the table's units, in float64. A model of the user's own is as it was trained: its
        module must be trusted by the environment, as for training. Raises UserError.
        """
        import torch

        from experiments.config.schema import Custom
        from experiments.running import factories
        from experiments.stored.exports.in_units import linear

        if self.weight is not None and self.bias is not None:
            return linear(torch.from_numpy(self.weight), torch.from_numpy(self.bias))
        node = self._config.get("model")
        if not isinstance(node, dict):
            raise UserError("config.json names no model")
        options = {k: v for k, v in node.items() if k != "_target_"}
        own = Custom(str(node.get("_target_")), options)
        sizes = len(self.features), self.outputs, self._image
        tensors = {k: torch.from_numpy(v) for k, v in self._tensors.items() if not k.startswith("scaling.")}
        try:
            if own._target_.startswith(
                ("torch.", "experiments.")
            ):  # a stranger's config could ask for any size: look before it is made
                with torch.device("meta"):
                    factories.build_network(own, *sizes, torch.Generator("cpu")).load_state_dict(tensors, assign=True)
            module = factories.build_network(own, *sizes, torch.Generator())
            module.load_state_dict(tensors)
        except (RuntimeError, TypeError) as error:
            raise UserError(f"model.safetensors does not fit model._target_: {one_line(error)}") from None
        return module.eval()

    @cached_property
    def in_units(self) -> "nn.Module":
        """The model as a module between the table's units, in float64 outside. Raises UserError."""
        from experiments.stored.exports.in_units import InUnits

        scaling = {k.removeprefix("scaling."): v for k, v in self._tensors.items() if k.startswith("scaling.")}
        return InUnits(self.module, {} if self.is_linear else scaling)
