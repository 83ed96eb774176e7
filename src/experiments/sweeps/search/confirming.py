"""The best settings once more with fresh seeds: the best of a thousand was lucky, and this says how much."""

from collections.abc import Callable, Iterable, Sequence

from optuna.trial import FrozenTrial

from experiments.sweeps.launching import Sweep
from experiments.sweeps.resuming import Found, look
from experiments.sweeps.search.space import Space
from experiments.tracking.result import Result


def confirm(
    session: Sweep, space: Space, repeats: Sequence[Sequence[str]], trials: Iterable[FrozenTrial],
    worth: Callable[[Iterable[Result]], float],
) -> dict[int, float]:  # fmt: skip
    """What each of the trials is worth over `repeats`, seeds that the search did not use, on each fold.

    The jobs lie in the folder `confirm`, which has a table of its own. Raises as `Sweep.run`.
    """
    named = [(trial, repeat) for trial in trials for repeat in repeats]
    if not named:
        return {}
    again = session.beside("confirm")
    jobs = again.composed([[*space.overrides(t.params), *repeat] for t, repeat in named], range(len(named)))
    found = Found()
    for job, (trial, own) in zip(jobs, named, strict=True):
        job.name = "_".join([f"trial_{trial.number}", *(o.removeprefix("data.") for o in own)])
        if (again.folder / job.name).is_dir():
            look(again.folder / job.name, job.number, job.name, found)
    ended = {n: result for n, (known, result) in found.ended.items() if known.digest == jobs[n].digest}
    again.take_over([], [(jobs[n], result) for n, result in ended.items()], found.numbers - ended.keys())
    again.run([job for job in jobs if job.number not in ended])
    of_trials: dict[int, list[int]] = {}
    for job, (trial, _) in zip(jobs, named, strict=True):
        of_trials.setdefault(trial.number, []).append(job.number)
    came = again.outcomes.results
    return {trial: worth([came[n] for n in numbers]) for trial, numbers in of_trials.items()}
