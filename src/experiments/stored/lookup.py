"""The run or sweep that a word on the command line means: a path, `last`, `best`, `SWEEP/123`, or a name."""

import os
from collections.abc import Sequence
from pathlib import Path

from experiments.config.folder_names import STAMP
from experiments.config.quoting import in_quotes
from experiments.errors import UserError, nearest, one_line
from experiments.stored import stored_run
from experiments.stored.answers import LoadedRun
from experiments.stored.comparable import groups
from experiments.stored.folders import JOB, OUTPUTS, Found, everything, written
from experiments.stored.ranking import FINISHED, default_metric, larger_is_better, value_of
from experiments.stored.run_files import finite
from experiments.stored.stored_run import Run
from experiments.tracking import packed
from experiments.tracking.files import read_json
from experiments.tracking.hparams import flat

SEARCH = "search.json"
"""What a search came to, in its folder."""
LARGEST = 2**20
"""Bytes of it at most."""
MEANING = "a folder; last or best; SWEEP/123, its job 123; or a name in outputs/, by its beginning or its 8 letters"
FOLDER = f"{MEANING}; default: outputs"
"""What RUN and FOLDER may be, for the help of the commands."""


def with_folders(arguments: Sequence[str]) -> list[str]:
    """The words of a command line with `training.start=RUN,...` as absolute folders. Raises UserError."""
    return [_with_folders(word) if word.lstrip("+").startswith("training.start=") else word for word in arguments]


def _with_folders(word: str) -> str:
    key, _, value = word.partition("=")
    if value in ("", "null") or "$" in value or value.startswith(("choice(", "[")):
        return word
    names = [value] if os.path.isdir(value.strip("'\"")) else value.split(",")
    try:
        folders = [str(resolve(name.strip().strip("'\"")).absolute()) for name in names]
    except UserError as error:
        raise UserError(f"training.start={error}") from None
    if without := next((folder for folder in folders if packed.of_folder(folder) is not None), None):
        raise UserError(f"training.start={without}: the job has no folder; make it: experiments unpack {without}")
    return key + "=" + ",".join(map(in_quotes, folders))


def load_run(run: str | Path) -> LoadedRun:
    """The stored run that a word means, see `resolve`. Raises UserError."""
    folder = resolve(str(run))
    try:
        return LoadedRun(**vars(stored_run.read(str(folder))))
    except ValueError as error:
        raise UserError(f"{one_line(folder.name)}: {one_line(error)}") from None


def sweep_to_resume(word: str) -> Path:
    """The folder that `sweep.resume=word` means, absolute: as `resolve`, but `last` is the newest sweep.

    Raises UserError.
    """
    last = word == "last" and not os.path.exists(word)
    try:
        found = _newest_sweep(word, everything(OUTPUTS)) if last else resolve(word, many=True)
    except UserError as error:
        raise UserError(f"sweep.resume={error}") from None
    return Path(found).absolute()


def _newest_sweep(word: str, found: Found) -> str:
    """Raises UserError, which names the word that meant it, where there is none."""
    sweep = next((folder for folder in found.newest() if folder in found.sweeps), None)
    if sweep is None:
        raise UserError(f"{word}: there is no sweep below {OUTPUTS}/")
    return sweep


def resolve(word: str, outputs: str | Path = OUTPUTS, *, many: bool = False) -> Path:
    """The folder that a word means: a run's, or with `many` also a sweep's or that of many runs.

    A path; `last`, the newest; `best`, the best finished run of the newest sweep (over folds: of the setting with the
    best mean); `SWEEP/123`, the job 123 of a sweep; or a name below outputs/: whole, its eight letters, or a beginning
    that no other has. Raises UserError.
    """
    if os.path.exists(word) if many else os.path.lexists(os.path.join(word, "config.json")):
        return Path(word)
    if os.sep in word and (job := _without_folder(word)) is not None:
        return job
    found = everything(os.fspath(outputs)) if os.path.isdir(outputs) else Found()
    if not word:
        raise UserError("the name of the run is empty; give a folder, last, best, or the beginning of a name")
    if not found.runs and not found.sweeps:
        what = "there is no such folder" if many else "no run's folder"
        raise UserError(f"{one_line(word)}: {what}, and there are no runs below {outputs}/")
    if word == "last" and many:
        return Path(found.newest()[0])
    if word == "last":
        newest = found.newest()[0]
        if newest in found.sweeps and newest not in found.runs.values() and (jobs := packed.folders(newest)):
            return Path(jobs[-1])
        if found.runs:
            return Path(max(found.runs, key=lambda run: written(run, "config.json")))
    if word == "best":
        return _best(found)
    sweep, _, job = word.rpartition("/")
    if sweep and (number := JOB.fullmatch(job) or (JOB.match(job) if _named(sweep, list(found.sweeps)) else None)):
        return _job(word, sweep, int(number.group(1)), found)
    return _called(word, found, many)


def _without_folder(word: str) -> Path | None:
    """The folder that a job would have whose sweep's folder and number, or whose name, a word gives."""
    sweep, name = os.path.split(word)
    if packed.of_folder(word) is not None:
        return Path(word)
    job = packed.job(sweep, int(name)) if name.isdecimal() else None
    return Path(sweep, job.name) if job is not None and not os.path.lexists(os.path.join(sweep, job.name)) else None


def _called(word: str, found: Found, many: bool) -> Path:
    """The only folder of this name; a run before a sweep where a run is wanted."""
    everywhere = [*found.runs, *found.sweeps]
    matching = _named(word, everywhere)
    if not many:
        matching = [folder for folder in matching if folder in found.runs] or matching
    if len(matching) > 1:
        what = "folders" if many else "runs"
        raise UserError(f"{one_line(word)}: {len(matching)} {what} are called so: {listed(matching)}; give more of one")
    if matching and (many or matching[0] in found.runs):
        return Path(matching[0])
    if matching or os.path.lexists(os.path.join(word, "sweep.yaml")):
        raise UserError(f"{one_line(word)}: a sweep; name one of its jobs, as {one_line(word)}/0, or best")
    if os.path.isdir(word):
        raise UserError(f"{one_line(word)}: has no config.json, so it is no run's folder")
    newest = os.path.basename(found.newest()[0])
    hint = nearest(word, map(os.path.basename, everywhere)) or f"; the last one is {newest}"
    what = "there is no such folder, and no run or sweep" if many else "no run"
    raise UserError(f"{one_line(word)}: {what} below {OUTPUTS}/ is called so{one_line(hint)}")


def _named(word: str, folders: Sequence[str]) -> list[str]:
    """The folders that a name means: those called exactly so, or else those whose names begin so."""
    exact, beginning = [], []
    for folder in folders:
        name, within = os.path.basename(folder), "/".join(Path(folder).parts[-2:])
        stamp = STAMP.match(name)
        if word in (name, within) or (stamp is not None and word == stamp.group(1)):
            exact.append(folder)
        elif name.startswith(word) or within.startswith(word):
            beginning.append(folder)
    return exact or beginning


def _job(word: str, sweep: str, number: int, found: Found) -> Path:
    """The job of this number in the sweep that a word means."""
    newest = [folder for folder in found.newest() if folder in found.sweeps]
    named = newest[:1] if sweep == "last" else _named(sweep, newest)
    if os.path.isdir(sweep):
        found, named = everything(sweep), [sweep]
    if len(named) != 1:
        many = f"{len(named)} sweeps are called so: {listed(named)}" if named else "there is no such sweep"
        raise UserError(f"{one_line(word)}: {many}")
    for run in found.runs:
        match = JOB.match(os.path.basename(run))
        if match and int(match.group(1)) == number and found.runs[run] in (named[0], None):
            return Path(run)
    if (packed_job := packed.job(named[0], number)) is not None:
        return Path(named[0], packed_job.name)
    raise UserError(f"{one_line(word)}: this sweep has no job {number}")


def _best(found: Found) -> Path:
    """The best finished run of the newest sweep."""
    sweep = _newest_sweep("best", found)
    if (winner := _winner(sweep)) is not None:
        return winner
    finished: list[Run] = []
    for folder in [*(run for run, of in found.runs.items() if of == sweep), *packed.folders(sweep)]:
        try:
            run = stored_run.read(folder)
        except ValueError:  # what can't be read is not the best
            continue
        if run.status in FINISHED:
            finished.append(run)
    apart = groups([flat(run.config) for run in finished], [run.data_hash for run in finished])
    if len(named := dict.fromkeys(apart)) > 1:
        raise UserError(
            f"best: the runs of {one_line(sweep)} are of several losses or data sets, which do not compare "
            f"({'; '.join(named)}); name one, as {os.path.basename(sweep)}/0"
        )
    outcomes = [run.outcome for run in finished]
    metric = next((objective_of(run) for run in finished), None) or default_metric(outcomes)
    sign = -1 if larger_is_better(metric) else 1
    settings: dict[str, list[tuple[float, str]]] = {}
    for run, outcome in zip(finished, outcomes, strict=True):
        if (value := finite(value_of(outcome, metric))) is not None:
            settings.setdefault(_setting(run), []).append((sign * value, str(run.folder)))
    if not settings:
        raise UserError(f"best: no run of {one_line(sweep)} has finished with a {metric}")
    return Path(min(min(settings.values(), key=lambda of: sum(value for value, _ in of) / len(of)))[1])


def _setting(run: Run) -> str:
    """What runs that are chosen together share: a run itself, or its setting where each holds out another fold."""
    own = flat(run.config)
    if own.get("data.fold") is None:
        return str(run.folder)
    return str({name: value for name, value in own.items() if name not in ("config_hash", "seed", "data.fold")})


def _winner(sweep: str) -> Path | None:
    """The job of the setting that a search ended with; None for another sweep."""
    try:
        name = read_json(Path(sweep, SEARCH), LARGEST)["best"]
        found = Path(sweep, Path(name).name)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    there = (found / "result.json").is_file() and not found.is_symlink()
    return found if there or packed.of_folder(found) is not None else None


def objective_of(run: Run) -> str | None:
    """The metric that the sweep of a run was told to rank by."""
    section = run.config.get("sweep")
    name = section.get("objective") if isinstance(section, dict) else None
    return name if isinstance(name, str) else None


def listed(folders: Sequence[str], most: int = 5) -> str:
    """The names of some folders, in one line."""
    words = [one_line(f) for f in folders[:most]]
    return ", ".join(words) + (f" and {len(folders) - most} more" if len(folders) > most else "")
