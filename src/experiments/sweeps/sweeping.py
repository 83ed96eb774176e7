"""From the arguments of `-m` to jobs, and from finished jobs to a summary. What the sweeper plugin hands over to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict, read_write

from experiments.config.explain import explain
from experiments.errors import Failure, UserError
from experiments.running.interruption import ended_by_sigterm
from experiments.sweeps import resuming, summary
from experiments.sweeps.compose.jobs import Job
from experiments.sweeps.compose.overrides import OWN, job_name, jobs_of, key_of, varied_keys
from experiments.sweeps.launching import Sweep


def sweep(
    arguments: Sequence[str], context: HydraContext, config: DictConfig, session: Sweep | None, launcher: Any
) -> list[dict[str, Any]]:
    """Run a whole sweep; the rows of its table, none where another launcher than ours (`session`) runs the jobs.

    Raises Failure and KeyboardInterrupt.
    """
    try:
        batches, swept = jobs_of(arguments, context)
    except Exception as error:
        raise explain(error) or error from error
    if session is None:
        return _foreign(batches, launcher, config)
    resumed = config.sweep.resume
    if resumed is not None:
        session.folders.root = _absolute(resumed)
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = str(session.folder)
    jobs = session.composed(batches, range(len(batches)))
    if config.sweep.dry_run:
        from experiments.sweeps.dry_run import show

        show(jobs, str(session.folder), session.workers)
        return []
    if resumed is not None and not (session.folder / "sweep.yaml").is_file():
        resuming.read(session.folder)  # says what is wrong with the folder
    with resuming.held(session.folder):
        return _run(jobs, session, arguments, swept, _fixed(jobs, batches, swept, session), resumed is not None)


def _run(
    jobs: list[Job], session: Sweep, arguments: Sequence[str], swept: set[str], fixed: dict[str, Any] | None,
    resumed: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """The jobs that are still to be run, in a folder that is ours."""
    if resumed:
        resuming.same_settings(resuming.read(session.folder), fixed, swept, session.folder)
        found = resuming.scan(session.folder)
        remaining = resuming.match(jobs, found)
        session.take_over(found.results, jobs, remaining)
        jobs = remaining
    else:
        resuming.write(session.folder, [a for a in arguments if key_of(a) not in OWN], swept, fixed)
    try:
        with ended_by_sigterm():
            session.run(jobs)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_unfinished(session, jobs, "interrupted")) from None
    except OSError as error:
        said = _unfinished(session, jobs, "stopped")
        error.filename = error.filename or str(session.folder)
        if (session.folder / "sweep.yaml").exists():
            error.add_note(said)
        raise
    except Failure:
        _unfinished(session, jobs, "stopped")
        raise
    finally:
        summary.show(session.outcomes, session.folder)
    if failures := session.outcomes.failures:
        raise Failure(f"{len(failures)} of {len(session.outcomes.rows)} jobs failed")
    return session.outcomes.table()


def _unfinished(session: Sweep, jobs: Sequence[Job], word: str) -> str:
    """Print the jobs that were not run; the line that says how to go on."""
    left = [job for job in jobs if job.number not in session.outcomes.results]
    summary.not_run(left)
    done = len(jobs) - len(left)
    return f"{word}: {done} of {len(jobs)} jobs finished; go on with `experiments resume {session.folder}`"


def _fixed(
    jobs: Sequence[Job], batches: Sequence[Sequence[str]], swept: set[str], session: Sweep
) -> dict[str, Any] | None:
    """The settings that every job has, flat; None where they do not compose without the swept ones."""
    if not batches:
        return None
    template = jobs[0].template
    if template is not None and jobs[0].error is None and template.simple and swept <= set(template.paths):
        return {k: v for k, v in resuming.settings(jobs[0].plain()).items() if k not in swept}
    base = Job(0, tuple(o for o in batches[0] if key_of(o) not in swept))
    session.composer.compose(base)
    return None if base.error is not None else resuming.settings(base.plain())


def _foreign(batches: Sequence[Sequence[str]], launcher: Any, config: DictConfig) -> list[dict[str, Any]]:
    """The jobs under a launcher that is not ours, each told its folder."""
    if config.sweep.resume is not None:
        raise UserError("sweep.resume: only the stacked launcher goes on with a sweep; leave out hydra/launcher")
    folder, varied = _absolute(str(config.hydra.sweep.dir)), varied_keys(batches)
    resuming.write(folder, [], [], None)
    told = []
    for number, overrides in enumerate(batches):
        name = job_name(number, overrides, varied)
        told.append([*overrides, f"hydra.sweep.dir='{folder}'", f"hydra.sweep.subdir='{name}'"])
    returns = launcher.launch(told, initial_job_idx=0)
    failed = [r for r in returns if r.status.name == "FAILED"]
    for done in failed:
        print(f"failed: {' '.join(done.overrides or [])}: {done._return_value}")
    if failed:
        raise Failure(f"{len(failed)} of {len(returns)} jobs failed")
    return []


def _absolute(folder: str) -> Path:
    return Path(folder).absolute()
