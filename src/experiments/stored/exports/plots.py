"""A stored run's figures as matplotlib's, drawn from its folder and its table."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from experiments.config.schema import Config
from experiments.errors import UserError, one_line
from experiments.exact.solution import Optimum
from experiments.learning import models
from experiments.learning.experiment import Experiment
from experiments.learning.start_weights import load_start
from experiments.running import assembly
from experiments.running.figures.canvas import Picture
from experiments.running.figures.drawing import Logged, figures
from experiments.stored.stored_config import stored_config
from experiments.stored.stored_run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plots(run: Run) -> "dict[str, Figure]":
    """`pictures` as matplotlib's figures."""
    return {tag: png.figure for tag, png in pictures(run).items()}


def pictures(run: Run) -> dict[str, Picture]:
    """The figures that the run has as PNGs below figures/, by their tags: loss, prediction, plane/<target>, ...

    They are drawn anew, so a sweep's job has them too. `loss_surface` needs the weights of each epoch, which are
    logged for small models of single runs. Raises UserError for a table that is gone or changed, and without weights.
    """
    config, model = stored_config(run.folder), run.model
    experiment = assembly.assemble(config)
    if experiment.data.digest() != run.data_hash:
        raise UserError(f"plot: {one_line(run.folder.name)} was trained on other rows than its table has now")
    if found := (run.result or {}).get("optimum"):
        weight, bias = (np.array(found[name], dtype=np.float64) for name in ("weight", "bias"))
        loss = (run.result or {})["metrics"]["optimum_loss"]
        experiment.optimum = Optimum(weight, bias, loss, weight.shape[1], True, loss)
    path = _path(run, experiment) if model.weight is not None and model.classes is None else []
    load_start(run.folder / "model.safetensors", experiment.model, experiment.data.scaling)
    return dict(figures(experiment, _logged(run, config), path))


def curve(run: Run) -> Picture:
    """The figure `loss` alone, which needs the folder only."""
    config = stored_config(run.folder)
    return _logged(run, config).curve(run.model.is_linear, bool(_penalty(config)))


def _logged(run: Run, config: Config) -> Logged:
    metrics = (run.result or {})["metrics"]
    optimum = metrics.get("optimum_loss") if run.model.is_linear else metrics.get("linear_loss")
    keeps = config.training.patience is not None or config.training.keep == "best"
    best = (run.result or {}).get("best_epoch") if keeps else None
    return Logged(run.metrics.to_dicts(), optimum, None if best == (run.result or {}).get("epochs") else best)


def _penalty(config: Config) -> float:
    return getattr(config.loss, "l1", 0.0) + getattr(config.loss, "l2", 0.0)


def _path(run: Run, experiment: Experiment) -> list[Tensor]:
    """The weights as trained after each look, from where the run started; empty where they were not logged."""
    table, logged = experiment.data.table, run.metrics
    columns = [f"weights/{t}/{f}" for t in table.targets for f in (*table.features, "bias")]
    if not logged.height or not set(columns) <= set(logged.columns):
        return []
    state = models.state(experiment.model)
    points = [torch.cat([tensor.flatten() for tensor in state.values()])]
    for row in torch.from_numpy(logged.select(columns).to_numpy().copy()):
        weight, bias = row.view(len(table.targets), -1).split([len(table.features), 1], dim=1)
        weight, bias = experiment.data.scaling.trained(weight, bias[:, 0])
        points.append(torch.cat([weight.flatten(), bias if "bias" in state else bias[:0]]))
    return [point.cpu().to(torch.float64) for point in points]
