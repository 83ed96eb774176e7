"""`engine=ray`: a Ray cluster, one that is there or one that is started on this machine for the sweep."""

import os
import pickle
import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from experiments.errors import Failure, UserError, one_line
from experiments.sweeps.engines.driving import ENDED, Lost, drive
from experiments.sweeps.engines.parcel import Parcel, Report, work_on

if TYPE_CHECKING:
    from experiments.sweeps.job_folders import Folders
    from experiments.sweeps.stacked.packs import Done, Pack
    from experiments.sweeps.workers import Crashed

ANSWERS_WITHIN = 10.0
"""Seconds in which an address has to answer."""
AHEAD = 2
"""Parcels for each processor of the cluster: the next one is there when one is done."""


class Ray:
    """Tasks of one processor. Ray tries none again: what a lost one was at is the sweep's to say."""

    parts, seconds, processes = 4, 60.0, 1

    def __init__(self, workers: int | None, address: str, shared: bool, gpus: int | None) -> None:
        """`workers`: by default one for each processor of the cluster. Raises UserError, ModuleNotFoundError."""
        import ray  # pyright: ignore[reportMissingImports]  # rarely installed

        self._ray: Any = ray
        self.shared, self.address, self._given, self._gpus = shared, address, workers, gpus
        self.workers = workers or os.cpu_count() or 1
        self.slots = AHEAD * self.workers
        self._refs: dict[Any, int] = {}
        self._ours = False
        """Whether the connection is, and not that of a program that had it before."""

    def run(self, packs: Iterator["Pack"], folders: "Folders", done: "Done", crashed: "Crashed", jobs: int) -> None:
        if not self._ray.is_initialized():
            self._connect()
            self._ours = True
        self.workers = self._given or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        self.slots = AHEAD * self.workers
        options = {"max_retries": 0, "num_cpus": 1, "num_gpus": self._gpus or 0}
        self._task = self._ray.remote(**options)(work_on)
        drive(self, packs, folders, done, crashed, jobs)

    def _connect(self) -> None:
        """Raises UserError."""
        if place := re.fullmatch(r"(?:ray://)?([\w.-]+):(\d+)", self.address):
            try:
                socket.create_connection((place[1], int(place[2])), timeout=ANSWERS_WITHIN).close()
            except OSError as error:
                raise self._refused(f"does not answer, {one_line(error)}") from None
        elif self.address not in ("auto", "local"):
            raise self._refused("must be auto, local, HOST:PORT or ray://HOST:PORT")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as later versions of Ray have it
        own = {"num_cpus": self.workers, "include_dashboard": False} if self.address == "local" else {}
        try:
            self._ray.init(self.address, log_to_driver=False, logging_level="ERROR", **own)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise self._refused(f"{one_line(error)}; start one with `ray start --head`, or address=local") from None

    def _refused(self, reason: str) -> UserError:
        return UserError(f"hydra.launcher.address={self.address}: {reason}")

    def send(self, parcel: Parcel) -> None:
        self._refs[self._task.remote(pickle.dumps(parcel, pickle.HIGHEST_PROTOCOL))] = parcel.number

    def receive(self) -> Iterator[tuple[int, Report | Lost]]:
        errors = self._ray.exceptions
        ended, _ = self._ray.wait(list(self._refs), timeout=1.0)
        for ref in ended:
            number = self._refs.pop(ref)
            try:
                yield number, pickle.loads(self._ray.get(ref))
                yield number, ENDED
            except (errors.RayTaskError, errors.RaySystemError, errors.RuntimeEnvSetupError) as error:
                last = one_line(str(error).strip().rpartition("\n")[2])
                raise Failure(f"worker: {last}; is `experiments` installed there, too?") from None
            except errors.RayError as error:  # of what is there, only the end of a process or of its machine is left
                yield number, Lost(one_line(f"{type(error).__name__}: {error}"))

    def cancel(self) -> None:
        for ref in self._refs:
            self._ray.cancel(ref, force=True)
        self._refs.clear()

    def close(self) -> None:
        if self._ours:
            self._ray.shutdown()
            self._ours = False
