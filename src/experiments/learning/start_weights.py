"""Start weights from a file: those that another run left, or any others under the model's own names."""

import logging
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from experiments.data.scaling import Scaling
from experiments.errors import UserError, one_line
from experiments.learning import models

log = logging.getLogger("experiments")


def load_start(path: Path, model: models.Model, scaling: Scaling) -> None:
    """Give a model the weights in a safetensors file, or in what torch.save wrote of a state_dict.

    Those of a linear model, `weight` (outputs, features) and `bias` (outputs,), are in the table's units, and become
    what it trains on by `scaling`; those of a run that was scaled alike are taken to the bit. Any other model takes its
    tensors as they are. Raises UserError for a file that can't be read or does not fit.
    """
    tensors = _read(path)
    stored = {k.removeprefix("scaling."): v for k, v in tensors.items() if k.startswith("scaling.")}
    alike = all(torch.equal(stored.get(k, _unscaled(k, v)), v) for k, v in vars(scaling).items())
    trained = {k.removeprefix("trained."): v for k, v in tensors.items() if k.startswith("trained.")}
    tensors = {k: v for k, v in tensors.items() if not k.startswith(("scaling.", "trained."))}
    own = models.state(model)
    if models.is_linear(model):
        wanted = {"weight": own["weight"], "bias": own["weight"][:, 0]}  # an intercept may be left out: it is zero
        _refuse_others(path, tensors, {k: v for k, v in wanted.items() if k == "weight" or k in tensors})
        tensors = trained if trained and alike else _as_trained(path, tensors, scaling, "bias" in own)
    elif not alike:
        log.warning("%s: the columns were scaled otherwise where these weights were trained", one_line(path))
    _refuse_others(path, tensors, own)
    models.load_state(model, tensors)


def _as_trained(path: Path, tensors: dict[str, Tensor], scaling: Scaling, has_bias: bool) -> dict[str, Tensor]:
    """A linear model's tensors for the columns as scaled, in the precision they came in where nothing is scaled."""
    weight = tensors["weight"].to(torch.float64)
    weight, bias = scaling.trained(weight, tensors.get("bias", weight.new_zeros(len(weight))).to(torch.float64))
    if not has_bias and bias.any():
        raise UserError(f"{one_line(path)}: has an intercept, and the model has none; use model.bias=true")
    return {"weight": weight, "bias": bias} if has_bias else {"weight": weight}


def _unscaled(name: str, like: Tensor) -> Tensor:
    return torch.ones_like(like) if name.endswith("scale") else torch.zeros_like(like)


def _refuse_others(path: Path, tensors: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    """Raise UserError for tensors that are not the model's: by name, by shape, or with numbers that are not finite."""
    for name in sorted(own.keys() | tensors.keys()):
        given, wanted = tensors.get(name), own.get(name)
        if given is None or wanted is None:
            what = "has no" if given is None else "has a tensor that the model has not:"
            raise UserError(f"{one_line(path)}: {what} {one_line(name)}; it needs {', '.join(own)}")
        if given.shape != wanted.shape:
            raise UserError(
                f"{one_line(path)}: {one_line(name)} has the shape {tuple(given.shape)}; "
                f"this model and table need {tuple(wanted.shape)}"
            )
        if not torch.isfinite(given).all():
            raise UserError(f"{one_line(path)}: {one_line(name)} has numbers that are not finite")


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{one_line(path)}: there is no such file of weights") from None
    except (OSError, ValueError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError, SafetensorError) as error:
        raise UserError(f"{one_line(path)}: can't be read as weights: {one_line(error)[:200]}") from None
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise UserError(f"{one_line(path)}: holds no state_dict; save one with torch.save(model.state_dict(), FILE)")
    return found
