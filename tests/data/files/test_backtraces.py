"""What damaged files make polars' threads print does not reach standard error; what others write there does."""

import os
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from experiments.data.files.backtraces import no_backtraces
from experiments.data.sources.stream import Stream, prepare_stream
from experiments.data.streaming.reader import Reader
from experiments.errors import DataChanged, UserError

PANIC = b"\nthread 'async-executor-1' (7) panicked at reader.rs:1:9:\nassertion failed\nstack backtrace:\n   0: begin\n"


def failing(written: bytes) -> None:
    """Reading that writes, then fails."""
    with no_backtraces():
        os.write(2, written)
        raise ValueError("bad")


def test_a_panic_is_thrown_away_and_the_rest_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with no_backtraces():
        os.write(2, b"one\n")
    with pytest.raises(ValueError, match="bad"):
        failing(b"two\n" + PANIC)
    os.write(2, b"three\n")
    assert capfd.readouterr().err == "one\ntwo\nthree\n"


def test_two_threads_share_it_and_standard_error_is_back_after_the_last(capfd: pytest.CaptureFixture[str]) -> None:
    begun, done = threading.Event(), threading.Event()

    def reading() -> None:
        with no_backtraces():
            begun.set()
            done.wait()

    thread = threading.Thread(target=reading)
    thread.start()
    begun.wait()
    with pytest.raises(ValueError, match="bad"):
        failing(b"meanwhile\n" + PANIC)
    done.set()
    thread.join()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "meanwhile\nafter\n"


def test_a_stream_over_a_damaged_parquet_file_says_its_line_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dice = np.random.default_rng(0)
    frame = pl.DataFrame({
        "x": dice.standard_normal(2000).astype(np.float32), "k": dice.integers(0, 9, 2000),
        "s": dice.integers(0, 9, 2000).astype(str), "y": dice.standard_normal(2000),
    })  # fmt: skip
    frame.write_parquet(tmp_path / "t.parquet", row_group_size=500)
    whole, said = (tmp_path / "t.parquet").read_bytes(), []
    for seed in range(40):
        spoil = random.Random(seed)
        content = bytearray(whole)
        for _ in range(spoil.randint(1, 8)):
            content[spoil.randrange(len(content))] = spoil.randrange(256)
        (tmp_path / "t.parquet").write_bytes(content)
        keys = ({}, {"one_hot": ["s"], "missing": "mean"}, {"missing": "drop"})[seed % 3]
        try:
            _prepared(str(tmp_path / "t.parquet"), **keys)
        except UserError as error:
            said.append(str(error))
    assert len(said) > 10 and not any("\n" in text for text in said)
    assert capfd.readouterr().err == ""


def test_a_file_that_is_cut_off_while_a_block_is_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at its stamp and the reading of its bytes, in the middle of the training."""
    path = tmp_path / "t.parquet"
    rows = np.random.default_rng(0).standard_normal((3000, 4))
    pl.DataFrame(rows, schema=["a", "b", "c", "y"]).write_parquet(path, row_group_size=1000)
    batches = _prepared(str(path)).batches(100, True)
    content, scan = path.read_bytes(), pl.scan_parquet
    for size in range(len(content) // 2, len(content), len(content) // 17):
        path.write_bytes(content)
        reader = Reader(path, 700)

        def cut(*words, size=size, **keys):
            found = scan(*words, **keys)
            os.truncate(path, size)
            return found

        with monkeypatch.context() as patched:
            patched.setattr(pl, "scan_parquet", cut)
            with pytest.raises(DataChanged, match="changed while it was read"):
                [reader.frame(block, ["a"]) for block in reader.blocks]
    path.write_bytes(content)
    with pytest.raises(DataChanged, match="changed while it was read"):
        list(batches.epoch(torch.Generator()))
    assert capfd.readouterr().err == ""


def _prepared(path, **keys):
    return prepare_stream(
        Stream(path=path, targets=["y"], block_rows=200, **keys), standardize=False, bias=True, loader="tensor",
        device=torch.device("cpu"), dtype=torch.float64,
    )  # fmt: skip


@pytest.mark.parametrize("closed", ["<&- 2>&-", "2>&-"])
def test_a_process_without_standard_error_reads_all_the_same(closed: str, tmp_path: Path) -> None:
    pl.DataFrame({"a": [1.0, 2, 4], "y": [3.0, 5, 9]}).write_parquet(tmp_path / "t.parquet")
    code = (
        "import os; from pathlib import Path; from experiments.data.streaming.reader import Reader; "
        "r = Reader(Path('t.parquet'), 2); print(r.read(r.blocks[1], ['y'])[0, 0])"
    )
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, code],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"9.0\n"


def test_a_reader_of_standard_error_who_has_gone_is_no_fault_of_the_table() -> None:
    ours, theirs = os.pipe(), os.dup(2)
    os.close(ours[0])
    os.dup2(ours[1], 2)
    try:
        with no_backtraces():
            os.write(2, b"one\n")
    finally:
        os.dup2(theirs, 2)
        os.close(theirs)
        os.close(ours[1])


def test_without_a_place_for_a_file_it_reads_all_the_same(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    before = len(os.listdir("/dev/fd"))
    with no_backtraces(), no_backtraces():
        os.write(2, b"one\n")
    assert capfd.readouterr().err == "one\n" and len(os.listdir("/dev/fd")) == before
