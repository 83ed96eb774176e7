"""From a node of the config to the object that it names: model, loss, schedule, optimizer."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from experiments.config import schema
from experiments.config.locate import accepted, build, locate, needs_no_argument
from experiments.config.schema import GROUPS, Config, Custom, given_start, options
from experiments.data.prepared import Prepared
from experiments.errors import UserError, one_line
from experiments.learning import class_losses, losses, models, networks, schedules
from experiments.learning.optimizers import ManualOptimizer, Rule
from experiments.learning.start_weights import load_start
from experiments.running.measures.automatic_rate import automatic_lr, careful_lr
from experiments.tracking.result import read_result


def build_network(
    node: Any, features: int, outputs: int, image: Sequence[int] | None, generator: Generator
) -> torch.nn.Module:
    """A network, ours or the user's own, given the sizes that its class has names for. Raises UserError.

    `image` (channels, height, width): a class of the user's own then gets its rows as images.
    """
    target = locate("model._target_", node._target_, models.BASES)
    sizes = {"in_features": features, "out_features": outputs, "image": image}
    chosen = accepted(target, sizes, anything=True) | own_options("model", target, node)
    if issubclass(target, networks.BASES):
        chosen.pop("init", None)  # the weights that build_model gives it
    # the constructor draws from torch's global generator: give it a seed of the run's, then put it back
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**63 - 1, (), generator=generator, device="cpu")))
        model = build("model", target, chosen)
    if image is not None and target is not networks.MLP:
        shape = (1,) * (3 - len(image)) + tuple(image)
        model.register_forward_pre_hook(lambda module, rows: (rows[0].unflatten(1, shape),))
    return model


def build_model(
    config: Config, data: Prepared, generator: Generator, device: torch.device, dtype: torch.dtype
) -> models.Model:
    """The model with its start weights, on the device."""
    features, outputs, node = len(data.table.features), data.table.outputs, config.model
    if not isinstance(node, schema.Model):
        model = build_network(node, features, outputs, data.table.image, generator)
    else:
        target = locate("model._target_", node._target_, models.BASES)
        sizes = {"in_features": features, "out_features": outputs, "bias": node.bias}
        model = torch.nn.utils.skip_init(target, **sizes) if target is torch.nn.Linear else target(**sizes)
        if not given_start(node):
            weight, bias = models.start(node.init, features, outputs, node.bias, generator)
            models.load_state(model, {"weight": weight} | ({} if bias is None else {"bias": bias}))
    models.place(model, device, dtype)
    if path := start_file(config, data):
        load_start(path, model, data.scaling)
    _try_model(node._target_, model, data)
    return model


def start_file(config: Config, data: Prepared) -> Path | None:
    """The file of weights that a run starts from: that of the run in `training.start`, or the one in `model.init`.

    Raises UserError for a run that is not there, has not ended, or is of other columns or classes.
    """
    if config.training.start is None:
        path = given_start(config.model)
        return None if path is None else Path(path)
    folder, table = Path(config.training.start), data.table
    said = f"training.start={one_line(folder)}"
    try:
        result = read_result(folder)
    except FileNotFoundError:
        raise UserError(f"{said}: no folder of a run that has ended") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{said}: its result.json can't be read: {one_line(error)}") from None
    ours = {"inputs": table.features, "targets": table.targets, "classes": table.classes or ()}
    for what, theirs in (("inputs", result.features), ("targets", result.targets), ("classes", result.classes or ())):
        if list(theirs) != list(ours[what]):
            names = ", ".join(map(str, theirs)) or "none"
            raise UserError(
                f"{said}: was trained with other {what}: {one_line(names)}; "
                f"\"model.init='{one_line(folder / 'model.safetensors')}'\" takes its weights in their order"
            )
    return folder / "model.safetensors"


def _try_model(name: str, model: models.Model, data: Prepared) -> None:
    """Raise UserError for a model that does not give a row's outputs."""
    features, outputs = len(data.table.features), data.table.outputs
    try:
        with torch.no_grad(), models.evaluating(model):
            output = model(data.x[:1])
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"model._target_={name}: cannot predict a row of {features} features: {error}") from error
    if not isinstance(output, Tensor) or output.shape != (1, outputs):
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise UserError(
            f"model._target_={name}: predicts {shape} for one row; must be (1, {outputs}), "
            "since another shape would broadcast in the loss"
        )


def build_loss(config: Config) -> Any:
    """The loss. Raises UserError for one without a hand-written gradient under the analytic model."""
    target = locate("loss._target_", config.loss._target_, (*losses.BASES, *class_losses.BASES, torch.nn.Module))
    loss = build("loss", target, own_options("loss", target, config.loss))
    model = locate("model._target_", config.model._target_, models.BASES)
    if issubclass(model, models.Analytic) and not hasattr(loss, "gradient"):
        raise UserError(f"loss._target_={config.loss._target_}: has no gradient() for model=analytic; use model=manual")
    return loss


def try_loss(target: str, loss: Any, prediction: Tensor, data: Prepared) -> None:
    """Try a class of the user's own on predictions (n, targets) for the first rows.

    Raises UserError where it gives no number, and where it needs more than the residual although the targets are
    scaled: its losses could not be told in the table's units.
    """
    y = data.y[: len(prediction)]
    try:
        value, shifted = loss(prediction, y), loss(prediction + 1, y + 1)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(f"loss._target_={target}: can't be called as loss(prediction, target): {error}") from error
    if not isinstance(value, Tensor) or value.ndim != 0:
        raise UserError(f"loss._target_={target}: gives no single number for predictions and targets")
    if data.target_scale is not None and not torch.allclose(value, shifted, rtol=1e-3, atol=1e-5, equal_nan=True):
        raise UserError(
            f"loss._target_={target}: data.standardize=true scales the targets, but this loss depends on more than the "
            "residual; use data.standardize=inputs"
        )


def build_schedule(config: Config) -> Callable[[int], float]:
    """The factor on the learning rate, per epoch."""
    target = locate("schedule._target_", config.schedule._target_, schedules.BASES)
    keys = options(config.schedule)
    if target is schedules.Cosine and keys["epochs"] is None:
        keys["epochs"] = max(1, config.training.epochs)
    return build("schedule", target, keys)


def start_lr(config: Config, data: Prepared, loss: Any) -> float | None:
    """The rate that the schedule starts from; None where it is left to a class of the user's own."""
    lr = options(config.optimizer).get("lr")
    return automatic_lr(config, data, loss) if lr == "auto" else lr


def known_lr(config: Config, data: Prepared) -> float | None:
    """The rate that is known to be stable with this config, see `careful_lr`; None where none is."""
    return careful_lr(config, data, build_loss(config))


def build_optimizer(config: Config, model: models.Model, lr: float | None) -> Any:
    """The optimizer, torch's or ours."""
    name = config.optimizer._target_
    target = locate("optimizer._target_", name, (torch.optim.Optimizer, Rule))
    keys = own_options("optimizer", target, config.optimizer)
    if issubclass(target, Rule):
        keys.pop("lr", None)
        if not isinstance(lr, int | float):
            raise UserError(f"optimizer.lr={lr}: an update rule needs a number")
        return ManualOptimizer(model.parameters(), build("optimizer", target, keys), lr)
    keys |= {"lr": lr} if "lr" in keys else {}
    optimizer = build("optimizer", target, {"params": list(model.parameters()), **keys})
    if target is torch.optim.SparseAdam:
        raise UserError("optimizer._target_=torch.optim.SparseAdam: is for sparse gradients; use torch.optim.Adam")
    if "lr" not in optimizer.defaults or not needs_no_argument(optimizer.step):
        raise UserError(f"optimizer._target_={name}: must have a learning rate and a step() without a closure")
    return optimizer


def own_options(group: str, target: type, node: Any) -> dict[str, Any]:
    """The keys to build `target` with.

    On the command line `model._target_=their.Net` leaves the keys of the choice it replaces in place: those that are
    at their default and that the user's class has no name for are left out. Any other is the class's to refuse.
    """
    keys = options(node)
    if not isinstance(node, Custom):
        return keys
    fields = [f for schema in GROUPS[group].values() for f in dataclasses.fields(schema)]
    defaults = [(f.name, f.default_factory() if callable(f.default_factory) else f.default) for f in fields]
    known = accepted(target, keys)
    return {k: v for k, v in keys.items() if k in known or (k, v) not in defaults}
