"""One run: config -> parts -> fit -> tracking -> Result."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.config.schema import Config
from experiments.config.validation import config_hash, plain_config
from experiments.errors import DataChanged, UserError, one_line
from experiments.exact.tsqr import blas
from experiments.learning import devices
from experiments.learning.evaluation import Evaluation
from experiments.learning.experiment import Experiment
from experiments.running import assembly
from experiments.running.ending import told
from experiments.running.factories import start_file
from experiments.running.under_way import Run
from experiments.tracking import environment, files
from experiments.tracking.result import Result, failure, write_result
from experiments.tracking.tracker import Tracker

log = logging.getLogger("experiments")
Watch = Callable[[Evaluation | None], None]


def run(
    config: Config, folder: Path, *, watch: Watch = lambda look: None, single: bool = True, resumed: bool = False
) -> Result:  # fmt: skip
    """Train one experiment into `folder`, or with `resumed` go on with the one that is there; return its Result.

    `watch` is called after every epoch; `single` is False in a sweep, where figures and weights are off by
    default. Raises UserError before anything is written when a part can't be built. KeyboardInterrupt, after a
    checkpoint, and OSError leave the run unfinished, so that it can be resumed; whatever else goes wrong is
    raised after a result.json of status failed. So does DataChanged, after a checkpoint where one can be made.
    """
    began = time.perf_counter()
    with steady(config):
        experiment, about = begun(config)
        plain = plain_config(config)
        tracker = Tracker(
            folder, plain, config_hash(plain), config.tracking.tensorboard, own_log=single, resumed=resumed
        )
        with tracker, _failures_told(tracker, config, about), assembly.seeded(config):
            under_way = Run(experiment, tracker, about, began, single=single)
            for evaluation in under_way.epochs():
                watch(evaluation)
            result = under_way.ended()
            return told(result, config, experiment.data, folder)


def begun(config: Config) -> tuple[Experiment, dict[str, Any]]:
    """The parts of a run, and the environment. Raises UserError; nothing is written."""
    experiment = assembly.assemble(config)
    torch.set_num_threads(assembly.threads(experiment))
    about = environment.describe(
        devices.describe(experiment.device), torch.get_num_threads(), config.device.dtype, experiment.data.digest()
    )
    if start := start_file(config, experiment.data):
        about["start_hash"] = files.digest(start)
    return experiment, about


@contextmanager
def steady(config: Config) -> Iterator[None]:
    """For a run: as many threads as its bits are to depend on, and no warning of what is said, or written as null."""
    fixed = assembly.fixed_threads(config)
    with restored_threads(), np.errstate(all="ignore"), blas().limit(limits=fixed, user_api="blas"):
        if fixed is not None:
            torch.set_num_threads(fixed)
        yield


@contextmanager
def restored_threads() -> Iterator[None]:
    """Whatever number of threads is set inside, torch has its own again afterwards."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _failures_told(tracker: Tracker, config: Config, about: dict) -> Iterator[None]:
    """Whatever ends a run before its end: how to go on where that can be, else a result that says why it failed."""
    folder, go_on = tracker.folder, f"go on with: experiments resume {tracker.folder}"
    try:
        yield
    except KeyboardInterrupt:
        log.info("interrupted")
        raise KeyboardInterrupt(f"interrupted; {go_on}") from None
    except OSError as error:  # the disk's doing, not the run's
        log.error("stopped: %s", one_line(error))
        error.filename = error.filename or str(folder)
        if (folder / "config.json").exists():
            error.add_note(go_on)
        raise
    except DataChanged as error:  # the file may come back as it was
        log.error("stopped: %s", one_line(error))
        raise type(error)(f"{error}; {go_on}") from None
    except Exception as error:
        if tracker.resumed and isinstance(error, UserError):  # no such folder can be gone on with; it stays as it is
            raise
        log.exception("the run failed: %s", one_line(error))
        write_result(folder, failure(tracker.config_hash, config.seed, error, about))
        tracker.checkpoints.remove()
        raise
