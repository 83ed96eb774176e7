"""Where a study survives: study.journal in the sweep's folder, or any storage of Optuna's."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial

from experiments.errors import Failure, UserError, one_line

JOURNAL = "study.journal"
Direction = Literal["minimize", "maximize"]


class _Held(JournalFileOpenLock):
    """No lock of its own: the sweep's folder is locked already, and a killed process would leave one behind."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


class Generations(BaseJournalBackend):
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

    def flush(self) -> None:
        """Write what waits. Raises OSError."""
        if self._written < len(self._logs):
            self._file.append_logs(self._logs[self._written :])
            self._written = len(self._logs)


class Kept:
    """The study of a sweep's folder as its storage has it: trials that have ended, in the order of their numbers."""

    def __init__(self, folder: Path, url: str | None, directions: Sequence[Direction], resumed: bool) -> None:
        """Opens the study, or makes one. Raises UserError for a storage that does not answer or has it already."""
        self.url = url
        self._journal = Generations(folder / JOURNAL) if url is None else None
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
            self.study.add_trials(trials[max(0, len(self.trials) - trials[0].number) :])
            if self._journal is not None:
                self._journal.flush()
        except OSError:
            raise
        except Exception as error:
            raise Failure(self._silent(error)) from None

    def _silent(self, error: Exception) -> str:
        where = JOURNAL if self.url is None else f"search.storage={self.url}"
        if isinstance(error, ModuleNotFoundError):
            return f"{where}: needs {error.name}; pip install {error.name}"
        return f"{where}: does not answer as a storage of Optuna ({one_line(error)})"
