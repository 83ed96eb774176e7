"""`engine=submitit`: tasks of SLURM, or of this machine as SLURM would have them.

A task writes its reports one by one into the sweep's `.submitit`, as Python pickles that only the session which sent
the task reads. A task that is begun again, after preemption or when its time was up, goes on with what it has not told.
"""

import contextlib
import math
import os
import pickle
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from experiments.errors import Failure, UserError, one_line
from experiments.sweeps.dry_run import seconds_of
from experiments.sweeps.engine import Submitted
from experiments.sweeps.engines.driving import ENDED, Lost, drive
from experiments.sweeps.engines.parcel import Parcel, Report, work
from experiments.tracking.files import read_json

if TYPE_CHECKING:
    from experiments.sweeps.job_folders import Folders
    from experiments.sweeps.stacked.packs import Done, Pack
    from experiments.sweeps.workers import Crashed

FOLDER = ".submitit"
TASKS = "tasks.json"
LARGEST = 2**20
TASK_SECONDS = 300.0
"""The shortest task of SLURM, as `sweep.dry_run` estimates it: a shorter one waits longer than it works."""
GENERAL = ("name", "timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb")
"""Settings that submitit takes for every cluster; the others are SLURM's."""
LOOK_EVERY = 0.2


class Submitit:
    """Tasks, each of which is a parcel."""

    parts, seconds, shared = 1, math.inf, True  # all is sent at once: a task takes seconds to start

    def __init__(self, workers: int | None, cluster: str, wait: bool, settings: Mapping[str, Any]) -> None:
        """`settings`: those of Hydra's own submitit launcher. Raises UserError, and ModuleNotFoundError."""
        import submitit

        self._submitit: Any = submitit
        if cluster not in ("local", "slurm"):
            raise UserError(f"hydra.launcher.cluster={cluster}: must be local or slurm")
        self.workers, self.cluster, self.wait = workers or 1, cluster, wait
        self._given, self.settings = workers, settings
        self.processes = settings["cpus_per_task"] or 1
        self.slots = self.workers
        self._waiting: list[_Task] = []
        self._jobs: dict[int, tuple[Any, set[str]]] = {}
        """By the number of the parcel: submitit's job, and the names of its reports that were read."""

    def run(self, packs: Iterator["Pack"], folders: "Folders", done: "Done", crashed: "Crashed", jobs: int) -> None:
        bare = [pack.without_tables() for pack in packs]
        if self.cluster == "slurm" and self._given is None:
            seconds = seconds_of([job for pack in bare for job in pack.jobs]) / self.processes
            self.workers = max(1, min(len(bare), self.settings["array_parallelism"], math.ceil(seconds / TASK_SECONDS)))
        self.slots = self.workers
        self._folder = folders.root / FOLDER
        self._executor = self._made()
        # of `jobs` an earlier session may have trained most: counted by it, one task would get all that are left
        drive(self, iter(bare), folders, done, crashed, sum(len(pack.jobs) for pack in bare))
        with contextlib.suppress(OSError):
            (self._folder / TASKS).unlink()

    def _made(self) -> Any:
        try:
            executor = self._submitit.AutoExecutor(
                self._folder, self.cluster, slurm_max_num_timeout=self.settings["max_num_timeout"],
                local_max_num_timeout=self.settings["max_num_timeout"],
            )  # fmt: skip
            given = {k: v for k, v in self.settings.items() if k != "max_num_timeout" and v is not None}
            executor.update_parameters(
                **{name if name in GENERAL else f"slurm_{name}": value for name, value in given.items()}
            )
        except (RuntimeError, ValueError, NameError, AssertionError) as error:
            raise UserError(f"hydra.launcher.cluster={self.cluster}: {one_line(error)}") from None
        return executor

    def send(self, parcel: Parcel) -> None:
        self._waiting.append(_Task(parcel))

    def receive(self) -> Iterator[tuple[int, Report | Lost]]:
        if self._waiting:
            self._submit()
        time.sleep(LOOK_EVERY)
        ended = [number for number, (job, _) in self._jobs.items() if job.done()]
        names = sorted(os.listdir(self._folder), key=lambda name: (len(name), name))
        for name in names:  # listed after it was seen to have ended: all that it had to tell is there
            number = name.partition(".")[0]
            if name.endswith(".report") and int(number) in self._jobs:
                _, read = self._jobs[int(number)]
                if name not in read:
                    read.add(name)
                    yield int(number), pickle.loads((self._folder / name).read_bytes())
        for number in ended:
            job, _ = self._jobs.pop(number)
            yield number, self._outcome(job)
            its = [self._folder / name for name in names if name.partition(".")[0] == str(number)]
            for path in [job.paths.submitted_pickle, job.paths.result_pickle, *its]:
                path.unlink(missing_ok=True)

    def _submit(self) -> None:
        """Send all tasks that wait, as one array."""
        tasks, self._waiting = self._waiting, []
        try:
            jobs = self._executor.map_array(_Run(), tasks)
        except (self._submitit.core.utils.FailedJobError, OSError) as error:
            raise Failure(f"hydra.launcher.cluster={self.cluster}: {one_line(error)}") from None
        self._jobs |= {task.parcel.number: (job, set()) for task, job in zip(tasks, jobs, strict=True)}
        ids = [job.job_id for job, _ in self._jobs.values()]
        (self._folder / TASKS).write_bytes(orjson.dumps({"cluster": self.cluster, "tasks": ids}))
        if not self.wait:
            self._jobs.clear()
            raise Submitted(f"submitted: tasks {_listed(ids)}; `experiments resume {self._folder.parent}` collects")

    def _outcome(self, job: Any) -> Lost:
        """How an ended task ended; the reason in its own words where it says one."""
        if not job.paths.result_pickle.exists():  # killed, with all that it had to say
            return Lost(f"task {job.job_id} was ended ({job.state})")
        error = job.exception()
        if error is None:
            return ENDED
        last = one_line(str(error).strip().rpartition("\n")[2])
        if "UncompletedJobError" in last:
            return Lost(f"task {job.job_id}: {last}")
        raise Failure(f"task {job.job_id}: {last}; its logs are in {self._folder}")

    def cancel(self) -> None:
        for job, _ in self._jobs.values():
            with contextlib.suppress(Exception):  # one that can't be cancelled is waited for by `wait_for_tasks`
                job.cancel(check=False)
        until = time.monotonic() + 10
        while (
            self.cluster == "local" and time.monotonic() < until and any(not j.done() for j, _ in self._jobs.values())
        ):
            time.sleep(0.05)
        self._jobs.clear()

    def close(self) -> None:
        """Tasks end by themselves."""


class _Task:
    """What a task runs: its parcel, or what an earlier attempt has left of it."""

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel

    def __call__(self) -> None:
        parcel = self.parcel
        folder = parcel.root / FOLDER
        mark = folder / f"{parcel.number}.begun"
        told = sorted(folder.glob(f"{parcel.number}.*.report"))
        if mark.exists():  # it was cut off
            ended = {number for path in told for number, _ in pickle.loads(path.read_bytes()).results}
            packs = [(pack, [job for job in pack.jobs if job.number not in ended]) for pack in parcel.packs]
            left = [pack.of(pack.jobs if pack.halving else jobs) for pack, jobs in packs if jobs]
            parcel = replace(parcel, packs=left, begun={job.number for pack in left for job in pack.jobs})
        mark.touch()
        reports = len(told)

        def tell(report: Report) -> None:
            nonlocal reports
            path = folder / f"{parcel.number}.{reports}.report"
            path.with_suffix(".part").write_bytes(pickle.dumps(report, pickle.HIGHEST_PROTOCOL))
            path.with_suffix(".part").replace(path)
            reports += 1

        work(parcel, tell)
        mark.unlink(missing_ok=True)


class _Run:
    """How submitit calls a task, now and when it was cut off."""

    def __call__(self, task: _Task) -> None:
        task()

    def checkpoint(self, task: _Task) -> Any:
        """What is sent again when the task has to make room: submitit asks for it."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, task)


def wait_for_tasks(folder: Path) -> None:
    """Wait for what an earlier session of the sweep in `folder` has sent and left. Raises UserError."""
    ledger = folder / FOLDER / TASKS
    try:
        content = read_json(ledger, LARGEST)
        cluster, ids = content["cluster"], [str(number) for number in content["tasks"]]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{ledger}: cannot be read, {one_line(error)}; remove it if no task is under way") from None
    ids = [i for i in ids if i.replace("_", "").isdecimal() and not _ended(cluster, i, folder / FOLDER)]
    if ids:
        print(f"waiting for tasks of {cluster} that train jobs of this sweep: {_listed(ids)}; Ctrl-C leaves them to it")
    while ids:
        time.sleep(1.0)
        ids = [i for i in ids if not _ended(cluster, i, folder / FOLDER)]
    ledger.unlink(missing_ok=True)


def _ended(cluster: str, number: str, folder: Path) -> bool:
    """Whether a task of another session has ended."""
    if cluster == "local":  # the number is that of its process
        try:
            return b"submitit" not in Path(f"/proc/{number}/cmdline").read_bytes()
        except OSError:
            return True
    import submitit

    return submitit.SlurmJob(folder, number).done()


def _listed(ids: list[str]) -> str:
    return f"{', '.join(ids[:3])}{', ...' * (len(ids) > 3)} ({len(ids)})"
