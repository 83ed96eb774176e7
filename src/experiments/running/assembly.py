"""From a config to an experiment: the table read or made, and every part of a run built and in its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator

from experiments.config.locate import accepted, build, locate
from experiments.config.schema import Config, CrossEntropy, Custom, Data, keys, options
from experiments.data.dataset import Dataset
from experiments.data.prepared import Preparation, Prepared, prepare
from experiments.errors import UserError
from experiments.learning import devices, models, networks
from experiments.learning.experiment import Experiment
from experiments.learning.losses import on_scaled_targets
from experiments.running.factories import build_loss, build_model, build_optimizer, build_schedule, start_lr, try_loss

MOST_NAMED = 12
"""Classes that an error lists."""


def assemble(config: Config, data: Prepared | None = None) -> Experiment:
    """Build every part of a run, with its own data unless `data` is given. Raises UserError; nothing is written."""
    device = devices.choose(config.device.name, config.device.dtype)
    dtype = devices.precision(config.device.dtype)
    if config.device.threads is not None:
        torch.set_num_threads(config.device.threads)
    reported_loss = build_loss(config)
    data = data or load(config, device, dtype)
    generator = Generator().manual_seed(config.seed)
    model = build_model(config, data, generator, device, dtype)
    if isinstance(config.loss, Custom):
        try_loss(config.loss._target_, reported_loss, model(data.x[:1]), data)
    lr = start_lr(config, data, reported_loss)
    optimizer = build_optimizer(config, model, lr)
    return Experiment(
        config=config, device=device, data=data, generator=generator, model=model, optimizer=optimizer,
        loss=on_scaled_targets(reported_loss, data.target_scale), reported_loss=reported_loss,
        schedule=build_schedule(config), lr=float(lr if lr is not None else optimizer.defaults["lr"]),
        batches=data.batches(config.training.batch_size, config.training.shuffle),
    )  # fmt: skip


def threads(experiment: Experiment) -> int:
    """How many threads a run trains with, see `devices.threads`; a model of the user's own may hold any work."""
    if fixed := fixed_threads(experiment.config):
        return fixed
    asked, data, model = experiment.config.device.threads, experiment.data, experiment.model
    if isinstance(model, networks.BASES):
        a_row = model.products
    elif models.is_linear(model):
        a_row = len(data.table.features) * data.table.outputs
    else:
        return asked or torch.get_num_threads()
    batch = experiment.config.training.batch_size or data.rows
    return devices.threads(asked, min(batch, data.rows) * a_row)


def fixed_threads(config: Config) -> int | None:
    """How many threads a run has whose bits are to be the same in any number of processes; None for any other run."""
    return (config.device.threads or 1) if getattr(config.data, "batch_blocks", None) else None


def load(config: Config, device: torch.device, dtype: torch.dtype) -> Prepared:
    """Read or make the table that `data` names, and prepare it."""
    given = options(config.data)
    target = locate("data._target_", config.data._target_, (object,))
    common: dict[str, Any] = {name: given.get(name, key.default) for name, key in keys(Data).items()}
    own = {name: value for name, value in given.items() if name not in common}
    taken = accepted(target, common | own)
    source = build("data", target, own | taken)
    common |= dict.fromkeys({"inputs", "targets"} & taken.keys())  # a source may choose by itself
    how = Preparation(**common, bias=has_bias(config), labels=takes_labels(config), device=device, dtype=dtype)
    if hasattr(source, "prepared"):  # a stream, whose rows come block by block
        return _weighed(config, source.prepared(how))
    if not callable(getattr(source, "load", None)):
        raise UserError(f"data._target_={config.data._target_}: has no load() that gives a table")
    dataset = source.load()
    if not isinstance(dataset, Dataset):
        raise UserError(f"data._target_={config.data._target_}: load() gave no experiments.data.dataset.Dataset")
    return _weighed(config, prepare(dataset, how))


def _weighed(config: Config, data: Prepared) -> Prepared:
    """The data. Raises UserError where loss.weight is of another number of classes than there are."""
    weight, classes = getattr(config.loss, "weight", None), data.table.classes
    if classes is not None and weight is not None and len(weight) != len(classes):
        raise UserError(
            f"loss.weight={list(weight)}: {len(weight)} numbers for {len(classes)} classes; give one for each, in the "
            f"order {', '.join(map(str, classes[:MOST_NAMED]))}{', ...' * (len(classes) > MOST_NAMED)}"
        )
    return data


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


def takes_labels(config: Config) -> bool:
    """Whether the loss is one of classes, so that the target is a column of labels."""
    return isinstance(config.loss, CrossEntropy)
