"""The Parquet copies of CSV files: one for each file, made once by however many, removed when nobody reads them."""

import errno
import gc
import os
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from experiments.data.files import cache
from experiments.data.files.cache import converted
from experiments.data.streaming.reader import Reader
from experiments.errors import Failure
from tests.support.requests import answered


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "experiments"


def write(value: float, at: int = 0) -> Path:
    path = Path("t.csv")
    pl.DataFrame({"a": [value] * 5, "y": [2.0] * 5}).write_csv(path)
    os.utime(path, ns=(0, 10**18 + 10**9 * at))
    return path


def kept(root: Path) -> set[Path]:
    """What is in the cache, but for the locks: those stay."""
    return {path for path in root.iterdir() if path.suffix != ".lock"}


def values(reader: Reader) -> list[float]:
    return reader.frame(reader.blocks[0], ["a"])["a"].to_list()


def test_copies_of_earlier_states_are_removed_unless_somebody_reads_them(root: Path) -> None:
    other = Path("other.csv")
    pl.DataFrame({"a": [9.0], "y": [2.0]}).write_csv(other)
    of_another = converted(other)
    first = Reader(write(1, at=1), 10)
    second = Reader(write(2, at=2), 10)
    assert values(first) == [1] * 5 and values(second) == [2] * 5  # the first one's copy is still there
    old = first.files[0].path
    del first
    gc.collect()
    third = Reader(write(3, at=3), 10)
    assert not old.exists() and kept(root) == {of_another, second.files[0].path, third.files[0].path}


def test_what_a_killed_process_left_is_removed(root: Path) -> None:
    stale = root / f".{converted(write(1, at=1)).stem}.0123abcd.tmp"
    stale.write_bytes(b"half")
    stranger = root / ".other-0000000000000000-000000000000.0123abcd.tmp"
    stranger.write_bytes(b"half")
    copy = converted(write(2, at=2))
    assert kept(root) == {copy, stranger}


def test_many_at_once_make_one_copy_and_all_read_it(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """flock holds between open files, so threads meet it as processes do."""
    made, real = [], pl.LazyFrame.sink_parquet

    def slow(frame, path, **keys):
        made.append(path)
        time.sleep(0.2)
        return real(frame, path, **keys)

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", slow)
    path, found = write(1), []

    def work() -> None:
        reader = Reader(path, 10)
        time.sleep(0.1)
        found.append(values(reader))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and found == [[1] * 5] * 6
    assert len(kept(root)) == 1


def test_without_locks_it_works_all_the_same(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.setattr(cache, "fcntl", None)
    assert values(Reader(write(1, at=1), 10)) == [1] * 5
    assert values(Reader(write(2, at=2), 10)) == [2] * 5
    assert len(kept(root)) == 2  # nothing is removed that somebody may read


def test_a_file_system_that_refuses_locks_has_copies_all_the_same(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    assert values(Reader(write(1, at=1), 10)) == [1] * 5


def test_a_full_disk_is_told_as_such_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    def full(frame, path, **keys):
        Path(path).write_bytes(b"half")
        raise pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)")

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    with pytest.raises(Failure, match=r"t\.csv: its copy .* can't be written to .*experiments \(No space left"):
        converted(write(1))
    assert not kept(root)


def test_a_cache_that_cannot_be_made_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path("file").resolve()))
    status, _, err = answered(["diagnose", "data=stream", f"data.path={write(1)}", "data.targets=[y]"])
    assert status == 1 and err.count("\n") == 1
    assert err.startswith("error: data.path=") and "XDG_CACHE_HOME" in err


def test_who_has_no_home_is_told_to_name_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(Failure, match=r"t\.csv: its copy .*\(there is no home folder\).*XDG_CACHE_HOME"):
        converted(write(1))
