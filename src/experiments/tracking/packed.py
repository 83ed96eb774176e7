"""The jobs in a sweep's packs, each as the files that its folder would hold."""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from experiments.errors import one_line
from experiments.tracking.files import json_bytes, read_json
from experiments.tracking.pack_files import ABOUT, CURVES, PACKS, RESULTS, WEIGHTS

if TYPE_CHECKING:  # whoever looks for folders imports this, TAB too, and waits for neither
    import numpy as np
    import polars as pl

LARGEST = 64 * 2**20
"""Bytes of an about.json at most."""


class StoredPack:
    """One pack's files, read as they are asked for. Raises ValueError (one line) for what is no pack."""

    def __init__(self, folder: Path) -> None:
        import polars as pl

        self.folder = folder
        try:
            self.about: dict[str, Any] = read_json(folder / ABOUT, LARGEST)
            self.rows = pl.read_parquet(folder / RESULTS)
            self._row_of = {number: row for row, number in enumerate(self.rows["number"])}
            self._layouts = self.rows["layout"].to_numpy()
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise ValueError(f"{PACKS}/{folder.name} can't be read: {one_line(error)}") from None

    def jobs(self) -> Iterator["PackedJob"]:
        """All of its jobs."""
        return (PackedJob(self, row) for row in range(self.rows.height))

    def job(self, number: int) -> "PackedJob":
        """The job of this number. Raises KeyError."""
        return PackedJob(self, self._row_of[number])

    @cached_property
    def curves(self) -> "pl.DataFrame | None":
        """A row a job and logged epoch; None where they were not kept."""
        import polars as pl

        path = self.folder / CURVES
        return pl.read_parquet(path) if path.exists() else None

    def tensors(self, row: int) -> "dict[str, np.ndarray]":
        """A job's tensors by name."""
        layout = self._layouts[row]
        at = int((self._layouts[:row] == layout).sum())
        prefix = f"{layout}:"
        return {name.removeprefix(prefix): t[at] for name, t in self._weights.items() if name.startswith(prefix)}

    @cached_property
    def _weights(self) -> "dict[str, np.ndarray]":
        from safetensors.numpy import load_file

        return load_file(self.folder / WEIGHTS)


class PackedJob:
    """One job of a pack."""

    def __init__(self, pack: StoredPack, row: int) -> None:
        self.pack = pack
        self.row = row
        self.about: dict[str, Any] = pack.rows.row(row, named=True)
        self.number: int = self.about["number"]
        self.name: str = self.about["folder"]
        self.overrides: list[str] = self.about["overrides"]
        self.values: list[Any] = orjson.loads(self.about["values"])
        """The job's own settings as the schema takes them, and below as they were written; see `compose.jobs.Job`."""
        self.written: list[Any] = orjson.loads(self.about["written"])
        self.template: dict[str, Any] = pack.about["templates"][self.about["template"]]

    def file(self, name: str) -> bytes:
        """The bytes of one of a run's files. Raises FileNotFoundError for one that the run has not."""
        if name == "config.json":
            return self.config().encode()
        if name == "result.json":
            return json_bytes(self.result())
        if name == "metrics.jsonl":
            return b"".join(orjson.dumps(record) + b"\n" for record in self.records())
        if name == "model.safetensors":
            return self.weights()
        if name == "encoding.json" and (encoding := self.pack.about["encodings"][self.about["case"]]) is not None:
            return json_bytes(encoding)
        raise FileNotFoundError(2, os.strerror(2), name)

    def config(self) -> str:
        """The text of config.json."""
        texts = [orjson.dumps(v).decode() for v in self.values] + [f'"{self.about["config_hash"]}"']
        return filled(self.template["config_json"], texts)

    def result(self) -> dict[str, Any]:
        """The content of result.json."""
        content = orjson.loads(orjson.dumps(self.pack.about["common"]))
        for place, column, packed in self.pack.about["varying"]:
            value = self.about[column]
            *above, last = place
            node = content
            for name in above:
                node = node[name]
            node[last] = orjson.loads(value) if packed else _plain(value)
        return content

    def evaluations(self) -> "pl.DataFrame | None":
        """Its rows of the curves."""
        import polars as pl

        curves = self.pack.curves
        return None if curves is None else curves.filter(pl.col("number") == self.number).drop("number")

    def records(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        found, steps = self.evaluations(), self.pack.about["steps"]
        rows = [] if found is None else found.iter_rows(named=True)
        return [{"epoch": row["epoch"], "step": row["epoch"] * steps} | row for row in rows]

    def weights(self) -> bytes:
        """The content of model.safetensors."""
        import numpy as np
        from safetensors.numpy import save

        return save({name: np.ascontiguousarray(t) for name, t in self.pack.tensors(self.row).items()})


def _plain(value: Any) -> Any:
    """A value of a column as JSON has it: what is no finite number is null."""
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def filled(pieces: Sequence[str], values: Sequence[str]) -> str:
    """A text cut at its marks, with value number n at every mark n: pieces[1], [3], ... are their numbers."""
    whole = list(pieces)
    whole[1::2] = [values[int(n)] for n in pieces[1::2]]
    return "".join(whole)


def packs(sweep: str | Path) -> list[Path]:
    """The folders of a sweep's packs, in the order of their numbers."""
    try:
        with os.scandir(Path(sweep, PACKS)) as entries:
            names = [entry.name for entry in entries if entry.name.isdecimal() and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [Path(sweep, PACKS, name) for name in sorted(names, key=int)]


def folders(sweep: str | Path) -> list[str]:
    """The folders that the jobs of a sweep's packs would have and have not, in the order of their numbers."""
    import polars as pl

    names: list[tuple[int, str]] = []
    for folder in packs(sweep):
        try:
            names += pl.read_parquet(folder / RESULTS, columns=["number", "folder"]).rows()
        except (OSError, pl.exceptions.PolarsError):  # said where its jobs are asked for
            continue
    if not names:
        return []
    with os.scandir(sweep) as entries:
        there = {entry.name for entry in entries}
    return [os.path.join(sweep, name) for _, name in sorted(names) if name not in there]


def count(sweep: str | Path) -> int:
    """How many jobs a sweep's packs have."""
    return 0 if (index := _index_of(sweep)) is None else len(index[1])


def opened(folder: Path) -> StoredPack:
    """A pack, kept for the next who asks. Raises ValueError."""
    try:
        changed = os.stat(folder).st_mtime_ns
    except OSError as error:
        raise ValueError(f"{PACKS}/{folder.name} can't be read: {one_line(error)}") from None
    return _opened(folder.absolute(), changed)


@lru_cache(maxsize=16)
def _opened(folder: Path, _changed: int) -> StoredPack:
    return StoredPack(folder)


def job(sweep: str | Path, number: int) -> PackedJob | None:
    """The job of this number in a sweep's packs, None where there is none. Raises ValueError."""
    folder = pack_of(sweep, number)
    return None if folder is None else opened(folder).job(number)


def pack_of(sweep: str | Path, number: int) -> Path | None:
    """The folder of the pack that has a job, None where none has."""
    if (index := _index_of(sweep)) is None:
        return None
    folders, numbers, of = index
    at = int(numbers.searchsorted(number))
    return Path(sweep, PACKS, folders[of[at]]) if at < len(numbers) and numbers[at] == number else None


def has(sweep: str | Path, folder: str) -> bool:
    """Whether the job that a folder belongs to, by the number in its name, is in a sweep's packs."""
    number = os.path.basename(folder).partition("_")[0]
    return number.isdecimal() and pack_of(sweep, int(number)) is not None


def _index_of(sweep: str | Path) -> "tuple[list[str], np.ndarray, np.ndarray] | None":
    """See `_index`; None for a sweep without packs."""
    place = Path(sweep, PACKS)
    try:
        return _index(place.absolute(), os.stat(place).st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=4)
def _index(place: Path, _changed: int) -> "tuple[list[str], np.ndarray, np.ndarray]":
    """The packs of a sweep; the numbers of its jobs, sorted; and which of the packs each is in."""
    import numpy as np
    import polars as pl

    folders = [folder.name for folder in packs(place.parent)]
    numbers, of = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for at, folder in enumerate(folders):
        try:
            found = pl.read_parquet(place / folder / RESULTS, columns=["number"])["number"].to_numpy()
        except (OSError, pl.exceptions.PolarsError):  # said where it is read
            continue
        numbers.append(found)
        of.append(np.full(len(found), at))
    whole, owners = np.concatenate(numbers), np.concatenate(of)
    order = np.argsort(whole, kind="stable")
    return folders, whole[order], owners[order]


def of_folder(folder: str | Path) -> PackedJob | None:
    """The packed job whose folder this would be; None where the folder is there, or where no pack has it."""
    sweep, name = os.path.split(os.path.abspath(folder))
    number = name.partition("_")[0]
    if not number.isdecimal() or os.path.lexists(folder):
        return None
    found = job(sweep, int(number))
    return found if found is not None and found.name == name else None
