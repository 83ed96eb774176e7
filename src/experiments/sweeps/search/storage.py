"""Where a study survives: study.journal in the sweep's folder, or any storage of Optuna's."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import distribution_to_json
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial

from experiments.errors import Failure, UserError, one_line

JOURNAL = "study.journal"
DRIVERS = {"psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""Packages that pip knows by another name than Python."""
Direction = Literal["minimize", "maximize"]


class _Held(JournalFileOpenLock):
    """No lock of its own: the sweep's folder is locked already, and a killed process would leave one behind."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


class Journal(BaseJournalBackend):
    """A journal of whole generations: what is appended waits in memory for `flush`, which costs one write.

    The sweep's lock makes it ours alone, so that it is read once.
    """

    def __init__(self, path: Path) -> None:
        """Opens a journal, or makes one. A line that a killed process did not finish is cut off."""
        if path.exists():
            content = path.read_bytes()
            if not content.endswith(b"\n"):
                os.truncate(path, content.rfind(b"\n") + 1)
        self._file = JournalFileBackend(str(path), _Held(str(path)))
        self._logs = list(self._file.read_logs(0))
        self._written = len(self._logs)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        return iter(self._logs[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._logs += logs

    def append_trials(self, trials: Sequence[FrozenTrial]) -> None:
        """Append trials that have ended, written as Optuna's storage wrote the last one.

        The storage itself would apply each one and read its distributions anew, which takes longer than training it.
        """
        last = next(log for log in reversed(self._logs) if "distributions" in log)
        kinds = {id(its): its for trial in trials for its in trial.distributions.values()}
        texts = {at: distribution_to_json(its) for at, its in kinds.items()}
        for trial in trials:
            single = trial.values is None or len(trial.values) == 1
            times = {
                name: moment.astimezone(UTC).isoformat(timespec="microseconds")
                for name in ("datetime_start", "datetime_complete") if (moment := getattr(trial, name)) is not None
            }  # fmt: skip
            self._logs.append({
                **last, **times, "state": trial.state,
                "value": trial.value if single else None, "values": None if single else trial.values,
                "distributions": {key: texts[id(its)] for key, its in trial.distributions.items()},
                "params": {key: its.to_internal_repr(trial.params[key]) for key, its in trial.distributions.items()},
                "user_attrs": trial.user_attrs, "system_attrs": trial.system_attrs,
                "intermediate_values": trial.intermediate_values,
            })  # fmt: skip

    def flush(self) -> None:
        """Write what waits. Raises OSError."""
        if self._written < len(self._logs):
            self._file.append_logs(self._logs[self._written :])
            self._written = len(self._logs)


class StoredStudy:
    """The study of a sweep's folder as its storage has it: trials that have ended, in the order of their numbers."""

    def __init__(self, folder: Path, url: str | None, directions: Sequence[Direction], resumed: bool) -> None:
        """Opens the study, or makes one. Raises UserError for a storage that does not answer or has it already."""
        self.url = url
        self._journal = Journal(folder / JOURNAL) if url is None else None
        try:
            storage: BaseStorage = JournalStorage(self._journal) if self._journal else optuna.storages.get_storage(url)
            there = optuna.get_all_study_names(storage)
            if self._journal is None and folder.name in there and not resumed:
                raise UserError(
                    f"search.storage={url}: there is a study {folder.name} in it already; take another hydra.sweep.dir"
                )
            name = there[0] if self._journal and there else folder.name
            if name in there:
                self.study = optuna.load_study(study_name=name, storage=storage)
            else:
                self.study = optuna.create_study(storage=storage, study_name=name, directions=list(directions))
            self.trials = self.study.get_trials(deepcopy=False)
        except UserError:
            raise
        except Exception as error:
            raise UserError(self._silent(error)) from None

    def add(self, trials: Sequence[FrozenTrial]) -> None:
        """Store a generation, of which the first may be there already. Raises Failure for a storage that is silent."""
        try:
            trials = trials[max(0, len(self.trials) - trials[0].number) :]
            as_first = 1 if trials and trials[0].number == 0 else 0
            self.study.add_trials(trials[: None if self._journal is None else as_first])
            if self._journal is not None and trials:
                self._journal.append_trials(trials[as_first:])
                self._journal.flush()
        except OSError:
            raise
        except Exception as error:
            raise Failure(self._silent(error)) from None

    def _silent(self, error: Exception) -> str:
        where = JOURNAL if self.url is None else f"search.storage={self.url}"
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ModuleNotFoundError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            return f"{where}: needs {cause.name}; pip install {DRIVERS.get(str(cause.name), cause.name)}"
        return f"{where}: does not answer as a storage of Optuna ({one_line(error)})"
