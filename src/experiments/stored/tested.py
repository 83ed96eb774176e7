"""What a stored run is worth on the rows of data.test, which nothing but `experiments test` reads."""

import dataclasses
from typing import Any

from experiments.errors import UserError, one_line
from experiments.stored.stored_config import stored_config
from experiments.stored.stored_run import Run


def tested(run: Run) -> tuple[int, str, dict[str, Any]]:
    """The number of test rows, their hash, and a run's metrics over them. Raises UserError."""
    name, model = one_line(run.folder.name), run.model
    config = stored_config(run.folder)
    import numpy as np
    import torch

    from experiments.data.dataset import data_hash
    from experiments.running import assembly
    from experiments.running.measures.metrics import Models, metrics
    from experiments.running.measures.reference import Reference

    data = assembly.load(config, torch.device("cpu"), torch.float64)
    if data.test is None:
        raise UserError(f"{name}: has no rows for a test; train with data.test=0.2")
    if data.digest() != run.data_hash:
        raise UserError(f"{name}: its data have changed since, so that its test may be of rows it was trained on")

    def predictions(x: Any) -> Any:
        return torch.from_numpy(model.of(x.numpy())).t()[None]

    alone = Models(1, predictions, np.zeros(1), model.is_linear)
    held = dataclasses.replace(data, held_out=data.test)
    (found,) = metrics(alone, assembly.build_loss(config), held, Reference())
    known = {key.removeprefix("validation_"): v for key, v in found.items() if key.startswith("validation_")}
    return len(data.test.x), data_hash(data.test), {key: v for key, v in known.items() if v is not None}
