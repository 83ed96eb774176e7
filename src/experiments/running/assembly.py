"""From a config to an experiment: the table read or made, and every part of a run built and in its place."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from experiments.config.locate import accepted, build, locate
from experiments.config.schema import Config, Custom, Data
from experiments.data.dataset import Dataset
from experiments.data.prepared import Prepared, prepare
from experiments.errors import UserError
from experiments.learning import devices, models
from experiments.learning.training import Losses, evaluator, streamed_evaluator
from experiments.running.factories import build_loss, build_model, build_optimizer, build_schedule, options, try_loss


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
            train = streamed_evaluator(self.model, self.loss, self.data.placed_blocks, scale)
            if not self.data.validation_rows:
                return lambda: (train().item(), None)
            held = streamed_evaluator(self.model, self.loss, lambda: self.data.placed_blocks(held_out=True), scale)
            return lambda: (train().item(), held().item())
        train = evaluator(self.model, self.loss, self.data.x, self.data.y, scale)
        if self.data.x_validation is None or self.data.y_validation is None:
            return lambda: (train().item(), None)
        held_out = evaluator(self.model, self.loss, self.data.x_validation, self.data.y_validation, scale)

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
        try_loss(config.loss._target_, loss, model(data.x[:1]), data.y[:1])
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
