"""From a config to the parts of a run: data, model, loss, schedule, optimizer. The only place that builds them."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from experiments import devices, losses, models, schedules
from experiments.config import GROUPS, Config, Custom, Data
from experiments.data.dataset import Dataset
from experiments.data.prepared import Prepared, prepare
from experiments.errors import UserError
from experiments.optimizers import ManualOptimizer, Rule
from experiments.rates import automatic_lr
from experiments.targets import accepted, build, locate, needs_no_argument
from experiments.training import Losses, evaluation, streamed_evaluation


@dataclass
class Experiment:
    """Everything that a run trains with, built and in place."""

    config: Config
    device: torch.device
    data: Prepared
    generator: Generator
    model: models.Model
    optimizer: Any
    loss: Any
    schedule: Callable[[int], float]
    lr: float
    batches: Any

    def trained_loss(self) -> Callable[[], Losses]:
        """A look at the losses over all rows: one transfer from the device for both."""
        scale = None
        if self.data.standardized:
            scale = self.data.scaling.y_scale.to(self.data.y.device, self.data.y.dtype)
        if self.data.streamed:
            train = streamed_evaluation(self.model, self.loss, self.data.placed_blocks, scale)
            if not self.data.validation_rows:
                return lambda: (train().item(), None)
            held = streamed_evaluation(self.model, self.loss, lambda: self.data.placed_blocks(held_out=True), scale)
            return lambda: (train().item(), held().item())
        train = evaluation(self.model, self.loss, self.data.x, self.data.y, scale)
        if self.data.x_validation is None or self.data.y_validation is None:
            return lambda: (train().item(), None)
        held_out = evaluation(self.model, self.loss, self.data.x_validation, self.data.y_validation, scale)

        def both() -> Losses:
            train_loss, validation_loss = torch.stack([train(), held_out()]).tolist()
            return train_loss, validation_loss

        return both

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


def assemble(config: Config, data: Prepared | None = None) -> Experiment:
    """Build every part of a run, with its own data unless `data` is given. Raises UserError; nothing is written."""
    device = devices.choose(config.device.name, config.device.dtype)
    dtype = devices.precision(config.device.dtype, device)
    if config.device.threads is not None:
        torch.set_num_threads(config.device.threads)
    loss = build_loss(config)
    data = data or load(config, device, dtype)
    generator = Generator().manual_seed(config.seed)
    model = build_model(config, data, generator, device, dtype)
    if isinstance(config.loss, Custom):
        _try_loss(config.loss._target_, loss, model(data.x[:1]), data.y[:1])
    schedule = build_schedule(config)
    optimizer, lr = build_optimizer(config, model, data, loss)
    training = config.training
    batches = data.batches(training.batch_size, training.shuffle)
    return Experiment(config, device, data, generator, model, optimizer, loss, schedule, lr, batches)


def threads(experiment: Experiment) -> int:
    """How many threads a run trains with, see `devices.threads`; a model of the user's own may hold any work."""
    asked, data = experiment.config.device.threads, experiment.data
    if not models.is_linear(experiment.model):
        return asked or torch.get_num_threads()
    batch = experiment.config.training.batch_size or data.rows
    return devices.threads(asked, min(batch, data.rows) * len(data.table.features) * len(data.table.targets))


def load(config: Config, device: torch.device, dtype: torch.dtype) -> Prepared:
    """Read or make the table that `data` names, and prepare it."""
    keys = options(config.data)
    target = locate("data._target_", config.data._target_, (object,))
    common: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(Data)} | keys
    own = {k: v for k, v in keys.items() if k not in {f.name for f in dataclasses.fields(Data)}}
    taken = accepted(target, common)
    source = build("data", target, own | taken)
    if hasattr(source, "prepared"):  # a stream, whose rows come block by block
        return source.prepared(
            standardize=common["standardize"], bias=has_bias(config), loader=common["loader"],
            device=device, dtype=dtype,
        )  # fmt: skip
    if not callable(getattr(source, "load", None)):
        raise UserError(f"data._target_={config.data._target_}: has no load() that gives a table")
    dataset = source.load()
    if not isinstance(dataset, Dataset):
        raise UserError(f"data._target_={config.data._target_}: load() gave no experiments.data.dataset.Dataset")
    chosen = {k: None if k in taken else common[k] for k in ("inputs", "targets")}  # a source may choose by itself
    return prepare(
        dataset, **chosen, validation=common["validation"],
        split_seed=common["split_seed"], standardize=common["standardize"], bias=has_bias(config),
        loader=common["loader"], block_rows=common["block_rows"], device=device, dtype=dtype,
    )  # fmt: skip


@contextmanager
def seeded(config: Config) -> Iterator[None]:
    """What a module of the user's draws while it trains (dropout, say) follows from the run's seed alone."""
    if not isinstance(config.model, Custom):
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        yield


def has_bias(config: Config) -> bool:
    """Whether the exact optimum to compare with has an intercept; a model of the user's own is taken to."""
    return bool(options(config.model).get("bias", True))


def build_custom_model(node: Custom, features: int, targets: int, generator: Generator) -> torch.nn.Module:
    """A model of the user's own, given the sizes that its class has names for. Raises UserError."""
    target = locate("model._target_", node._target_, models.BASES)
    sizes = {"in_features": features, "out_features": targets}
    options = accepted(target, sizes, anything=True) | own_options("model", target, node)
    # the constructor draws from torch's global generator: give it a seed of the run's, then put it back
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**63 - 1, (), generator=generator)))
        return build("model", target, options)


def build_model(
    config: Config, data: Prepared, generator: Generator, device: torch.device, dtype: torch.dtype
) -> models.Model:
    """The model with its start weights, on the device."""
    features, targets = len(data.table.features), len(data.table.targets)
    if isinstance(config.model, Custom):
        model = build_custom_model(config.model, features, targets, generator)
    else:
        target = locate("model._target_", config.model._target_, models.BASES)
        sizes = {"in_features": features, "out_features": targets}
        model = (
            torch.nn.utils.skip_init(target, **sizes, bias=config.model.bias)
            if target is torch.nn.Linear
            else (target(**sizes, bias=config.model.bias))
        )
        weight, bias = models.start(config.model.init, features, targets, config.model.bias, generator)
        models.load_state(model, {"weight": weight} | ({} if bias is None else {"bias": bias}))
    models.place(model, device, dtype)
    try:
        with torch.no_grad(), models.evaluating(model):
            output = model(data.x[:1])
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"model._target_={config.model._target_}: cannot predict a row of {features} features: {error}"
        ) from error
    if not isinstance(output, Tensor) or output.shape != data.y[:1].shape:
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise UserError(
            f"model._target_={config.model._target_}: predicts {shape} for one row; must be (1, {targets}), "
            "since another shape would broadcast in the loss"
        )
    return model


def build_loss(config: Config) -> Any:
    """The loss. Raises UserError for one without a hand-written gradient under the analytic model."""
    target = locate("loss._target_", config.loss._target_, (*losses.BASES, torch.nn.Module))
    loss = build("loss", target, options(config.loss))
    if config.model._target_ == "experiments.models.Analytic" and not hasattr(loss, "gradient"):
        raise UserError(f"loss._target_={config.loss._target_}: has no gradient() for model=analytic; use model=manual")
    return loss


def _try_loss(target: str, loss: Any, prediction: Tensor, y: Tensor) -> None:
    """Raise UserError for a class that gives no number for a prediction and its targets (1, targets)."""
    try:
        value = loss(prediction, y)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(f"loss._target_={target}: can't be called as loss(prediction, target): {error}") from error
    if not isinstance(value, Tensor) or value.ndim != 0:
        raise UserError(f"loss._target_={target}: gives no single number for predictions and targets")


def build_schedule(config: Config) -> Callable[[int], float]:
    """The factor on the learning rate, per epoch."""
    target = locate("schedule._target_", config.schedule._target_, schedules.BASES)
    keys = options(config.schedule)
    if target is schedules.Cosine and keys["epochs"] is None:
        keys["epochs"] = max(1, config.training.epochs)
    return build("schedule", target, keys)


def build_optimizer(config: Config, model: models.Model, data: Prepared, loss: Any) -> tuple[Any, float]:
    """The optimizer, torch's or ours, and the learning rate that the schedule starts from."""
    target = locate("optimizer._target_", config.optimizer._target_, (torch.optim.Optimizer, Rule))
    keys = own_options("optimizer", target, config.optimizer)
    if keys.get("lr") == "auto":
        keys["lr"] = automatic_lr(config, data, loss)
    if issubclass(target, Rule):
        lr = keys.pop("lr", None)
        if not isinstance(lr, int | float):
            raise UserError(f"optimizer.lr={lr}: an update rule needs a number")
        return ManualOptimizer(model.parameters(), build("optimizer", target, keys), lr), lr
    optimizer = build("optimizer", target, {"params": list(model.parameters()), **keys})
    if target is torch.optim.SparseAdam:
        raise UserError("optimizer._target_=torch.optim.SparseAdam: is for sparse gradients; use torch.optim.Adam")
    if "lr" not in optimizer.defaults or not needs_no_argument(optimizer.step):
        raise UserError(
            f"optimizer._target_={config.optimizer._target_}: must have a learning rate and a step() without a closure"
        )
    return optimizer, float(optimizer.param_groups[0]["lr"])


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


def options(node: Any) -> dict[str, Any]:
    """The keys of a group's node that are its class's own: all but `_target_`."""
    if isinstance(node, Custom):
        return dict(node.options)
    return {f.name: getattr(node, f.name) for f in dataclasses.fields(node) if f.name != "_target_"}
