"""A sweep from the arguments of `-m` to its jobs and their outcomes. The sweeper plugin hands over to this."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.config.explain import explained
from experiments.errors import Failure
from experiments.running.interruption import ended_by_sigterm
from experiments.sweeps import resuming, resuming_large
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.overrides import FOLD, OWN, jobs_of, key_of, over_folds
from experiments.sweeps.launching import Sweep
from experiments.sweeps.packed.keeping import Keep
from experiments.sweeps.results import stored_sweep, summary
from experiments.tracking.hparams import flat

PART = 20_480
"""Jobs that are composed at a time where not all have folders."""


def sweep(
    arguments: Sequence[str], context: HydraContext, config: DictConfig, session: Sweep | None, launcher: Any
) -> None:
    """Run a whole sweep; `outcomes.LATEST` has what it came to. `session` is ours when the launcher is the stacked one.

    Raises UserError, Failure, KeyboardInterrupt.
    """
    with explained():
        batches, swept = jobs_of(arguments, context)
    if config.data.get("folds") is not None or any("data.folds=" in values[0] for values in batches.lists):
        folded = [job for batch in batches for job in over_folds(batch, config.data.get("folds"))]
        if len(folded) > len(batches):
            batches, swept = folded, {*swept, FOLD}
    if session is None:
        from experiments.sweeps.foreign import launch

        launch(batches, launcher, config)
        return
    resumed = take_folder(session, config)
    keep = Keep.of(config.sweep.keep, len(batches))
    large = len(batches) > PART and not keep.everything
    parts = _parts(session, batches, PART if large else max(1, len(batches)))
    jobs = next(parts)
    if config.sweep.dry_run:
        from experiments.sweeps.dry_run import show

        show(session, [*jobs, *itertools.chain.from_iterable(parts)], keep, large=large)
        return
    fixed = fixed_settings(jobs, batches, swept, session)
    if resumed:
        stored_sweep.require_same_settings(session.folder, fixed, swept)
    with stored_sweep.held(session.folder):
        if not resumed:
            stored_sweep.write(session.folder, to_store(arguments, config), swept, fixed)
        keeping(session, keep, len(batches))
        session.outcomes.apart, session.outcomes.first = large, jobs[0]
        left = itertools.chain([jobs], parts)
        if resumed:
            left = resuming_large.left(session, left) if large else iter([_left(session, jobs)])

        def progress() -> str:
            if not large:
                summary.not_run([job for job in jobs if job.number not in session.outcomes.statuses])
            return f"{len(session.outcomes.statuses)} of {len(batches)} jobs"

        with resumable(session, progress):
            session.run_parts(left, len(batches))
        summary.require_success(session.outcomes)


def _parts(session: Sweep, batches: Sequence[list[str]], size: int) -> Iterator[list[Job]]:
    """All jobs, `size` of them composed at a time."""
    count = len(batches)
    return (
        session.composed(batches[at : at + size], range(at, min(at + size, count)), batches)
        for at in range(0, max(1, count), size)
    )


def _left(session: Sweep, jobs: list[Job]) -> list[Job]:
    """The jobs that an earlier session has not ended; the others enter the table."""
    found = resuming.scan(session.folder, jobs)
    remaining, begun = resuming.match(jobs, found)
    session.take_over(jobs, found.ended.values(), begun)
    return remaining


def keeping(session: Sweep, keep: Keep, jobs: int) -> None:
    """Say which of so many jobs are to have folders, where not all have, now and in the summary."""
    session.keep = keep
    if not keep.everything:
        session.outcomes.note = keep.said(jobs)
        print(session.outcomes.note, flush=True)


def take_folder(session: Sweep, config: DictConfig) -> bool:
    """Whether an earlier sweep is gone on with; its folder is then the session's."""
    if session.resumed is None:
        return False
    session.folder = session.resumed
    with read_write(config), open_dict(config):
        config.hydra.sweep.dir = str(session.folder)
    return True


def to_store(arguments: Sequence[str], config: DictConfig) -> list[str]:
    """The arguments from which a later session begins."""
    given: Any = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)
    kept = [o for o in given if key_of(o) == "hydra.sweep.subdir"]
    return [a for a in arguments if key_of(a) not in OWN] + kept


@contextmanager
def resumable(session: Sweep, progress: Callable[[], str]) -> Iterator[None]:
    """Jobs run inside, in a folder that is ours; where that is cut short, `progress` tells how far it came.

    Raises KeyboardInterrupt, OSError and Failure as they come, with how to go on.
    """
    try:
        with ended_by_sigterm():
            yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_unfinished(session, progress, "interrupted")) from None
    except OSError as error:
        said = _unfinished(session, progress, "stopped")
        error.filename = error.filename or str(session.folder)
        if (session.folder / "sweep.yaml").exists():
            error.add_note(said)
        raise
    except Failure:
        progress()
        raise
    finally:
        session.engine.close()


def _unfinished(session: Sweep, progress: Callable[[], str], word: str) -> str:
    return f"{word}: {progress()} finished; go on with `experiments resume {session.folder}`"


def fixed_settings(
    jobs: Sequence[Job], batches: Sequence[Sequence[str]], swept: set[str], session: Sweep
) -> dict[str, Any] | None:
    """The settings that every job has, flat; None where they do not compose without the swept ones."""
    template = jobs[0].template
    if template is not None and jobs[0].error is None and template.simple and swept <= set(template.paths):
        return {k: v for k, v in flat(jobs[0].plain()).items() if k not in swept}
    base = session.composer.compose(Job(0, tuple(o for o in batches[0] if key_of(o) not in swept)))
    return None if base.error is not None else flat(base.plain())
