"""data=stream: the same answer as the same table in memory, block by block, whatever goes wrong on the way."""

import itertools
import os
import signal
import threading
import time
import types
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import Generator

from experiments import run
from experiments.__main__ import main
from experiments.data import order
from experiments.data.batches import Batches, batches, cut
from experiments.data.files.cache import converted
from experiments.data.order import block_order
from experiments.data.prefetch import prefetched
from experiments.data.prepared import Preparation, prepare
from experiments.data.sources.stream import Stream
from experiments.data.sources.table import Table
from experiments.data.splitting import held_by_hash
from experiments.data.streaming import reader, streamed_batches
from experiments.data.streaming.reader import Reader
from experiments.errors import DataChanged, UserError
from experiments.tracking.checkpoint import decode
from tests.support.killing import differences, ended, forked

NAMES = ["a", "b", "c", "y"]
SHORT = ("tracking.figures=false", "optimizer.lr=0.05", "training.batch_size=32", "training.epochs=3")


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """1,000 rows (a, b, c, y), float32, in every form that a stream reads."""
    random = np.random.default_rng(0)
    x = random.standard_normal((1000, 3)) * [1, 2, 0.5] + [3, 0, -1]
    y = x @ [1.0, -2, 3] + 0.5 + 0.1 * random.standard_normal(1000)
    table = np.column_stack([x, y]).astype(np.float32)
    frame = pl.DataFrame(table, schema=NAMES)
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    np.save(tmp_path / "t.npy", table)
    np.save(tmp_path / "columns.npy", np.asfortranarray(table))
    (tmp_path / "folder").mkdir()
    for i, (first, last) in enumerate(((0, 300), (300, 307), (307, 1000))):
        frame[first:last].write_parquet(tmp_path / "folder" / f"{i}.parquet")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return table


def streamed(path, standardize=False, bias=True, **keys):
    keys = {"targets": ["c4" if path.endswith(".npy") else "y"], "block_rows": 100, **keys}
    return Stream(path=path, **keys).prepared(Preparation(standardize=standardize, bias=bias))


def epoch(batches, seed=0, first=0):
    return [torch.cat(pair, 1).clone() for pair in batches.epoch(Generator().manual_seed(seed), first)]


@pytest.mark.parametrize("path", ["t.parquet", "t.npy", "columns.npy", "t.csv"])
def test_batches_are_those_of_the_table_in_memory(rows, path):
    found = epoch(streamed(path).batches(32, True))
    expected = epoch(Batches(torch.from_numpy(rows[:, :3]), torch.from_numpy(rows[:, 3:]), 32, "blocks", 100))
    assert len(found) == len(expected) == 32
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [7, 32, 150])
def test_rows_gathered_a_few_at_a_time_are_the_same_batches(rows, size, monkeypatch):
    """Each gather overwrites the one before, while a batch reaches over the end of a block."""
    expected = epoch(Batches(torch.from_numpy(rows[:, :3]), torch.from_numpy(rows[:, 3:]), size, "blocks", 100))
    monkeypatch.setattr(streamed_batches, "GATHERED", 100)
    found = epoch(streamed("t.parquet").batches(size, True))
    assert len(found) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("standardize", [False, True])
def test_what_is_read_ahead_does_not_overwrite_the_batch_in_hand(rows, standardize, monkeypatch):
    monkeypatch.setattr(streamed_batches, "GATHERED", 100)
    batches = streamed("t.npy", standardize=standardize).batches(20, True)
    for x, y in batches.epoch(Generator().manual_seed(0)):
        before = torch.cat([x, y], 1)
        time.sleep(0.005)
        assert torch.equal(torch.cat([x, y], 1), before)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("in_use", [1, 4])
def test_what_is_read_ahead_does_not_overwrite_the_blocks_in_hand(rows, standardize, in_use):
    blocks = streamed("t.npy", standardize=standardize, block_rows=50).batches(20, True).blocks
    for _ in range(2):  # the second epoch begins with the memory of the first
        read = blocks.ahead(list(range(20)), 0, 2, in_use)
        while held := [table for table, _ in itertools.islice(read, in_use)]:
            before = [table.clone() for table in held]
            time.sleep(0.005)  # for the reader to come as far ahead as it may
            assert all(map(torch.equal, held, before))


@pytest.mark.parametrize("block_rows", [65_536, 10])
def test_blocks_of_wide_rows_are_smaller_as_in_memory(tmp_path, block_rows, monkeypatch):
    monkeypatch.setattr(order, "BLOCK_NUMBERS", 100)
    table = np.random.default_rng(0).standard_normal((90, 4))
    np.save(tmp_path / "wide.npy", table)
    data = streamed(str(tmp_path / "wide.npy"), block_rows=block_rows)
    size = min(block_rows, 25)
    cut_table = np.split(table, range(size, 90, size))
    assert [block.rows for block in data.training.reader.blocks] == [len(part) for part in cut_table]
    x, y = torch.from_numpy(table[:, :3]).float(), torch.from_numpy(table[:, 3:]).float()
    expected = epoch(Batches(x, y, 8, "blocks", block_rows))
    assert all(torch.equal(one, other) for one, other in zip(epoch(data.batches(8, True)), expected, strict=True))


def test_levels_that_widen_the_rows_make_the_blocks_smaller_again(tmp_path, monkeypatch):
    monkeypatch.setattr(order, "BLOCK_NUMBERS", 100)
    letters = [f"l{i % 9}" for i in range(95)]
    frame = pl.DataFrame({"x": np.arange(95.0), "c": letters, "v": [i % 5 == 0 for i in range(95)], "y": np.ones(95)})
    frame.write_parquet(tmp_path / "t.parquet")
    data = streamed(str(tmp_path / "t.parquet"), one_hot=["c"], validation_column="v")
    assert data.training.features == 9 and {block.rows for block in data.training.reader.blocks} == {10, 5}
    assert (data.rows, data.validation_rows) == (76, 19)
    assert sorted(torch.cat(epoch(data.batches(8, True)))[:, 0].tolist()) == [i for i in range(95) if i % 5]


def test_rows_dropped_are_told_once_where_levels_make_the_blocks_smaller(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(order, "BLOCK_NUMBERS", 100)
    x = [None if i % 5 == 0 else float(i) for i in range(90)]
    pl.DataFrame({"x": x, "c": [f"l{i % 9}" for i in range(90)], "y": x}).write_parquet(tmp_path / "t.parquet")
    with caplog.at_level("INFO", "experiments"):
        data = streamed(str(tmp_path / "t.parquet"), one_hot=["c"], missing="drop")
    assert {block.rows for block in data.training.reader.blocks} == {10} and data.rows == 72
    assert [record.message for record in caplog.records] == ["18 of 90 rows dropped for missing cells"]


def test_a_folder_is_its_files_one_after_the_other(rows):
    found = torch.cat(epoch(streamed("folder").batches(32, False)))
    np.testing.assert_array_equal(found.numpy(), rows)
    assert [len(block) for block in epoch(streamed("folder").batches(150, False))] == [150] * 6 + [100]


def test_every_row_once_in_an_order_that_the_seed_decides(rows):
    batches = streamed("folder").batches(64, True)
    first, again, other = (torch.cat(epoch(batches, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert sorted(map(tuple, first.tolist())) == sorted(map(tuple, rows.tolist()))


@pytest.mark.parametrize("first", [1, 3, 7, 31, 32])
@pytest.mark.parametrize("validation", [0.0, 0.3])
def test_going_on_in_the_middle_of_an_epoch_meets_the_same_batches(rows, first, validation):
    batches = streamed("t.parquet", validation=validation).batches(32, True)
    expected = epoch(batches)[first:]
    found = epoch(batches, first=first)
    assert len(found) == len(expected) == max(0, batches.per_epoch - first)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("path", ["t.parquet", "t.npy"])
@pytest.mark.parametrize(("shuffle", "standardize"), [(True, False), (False, False), (False, True)])
def test_batches_lie_alike_against_the_cache_lines_wherever_the_epoch_begins(rows, path, shuffle, standardize):
    """Else the last bits of MKL's products differ, and a resumed run is another run."""
    batches = streamed(path, standardize=standardize).batches(7, shuffle)
    whole = [x.data_ptr() % 64 for x, _ in batches.epoch(Generator().manual_seed(0))]
    assert len(set(whole)) > 1
    for first in (1, 2, 14, 15, 40, 142):
        assert [x.data_ptr() % 64 for x, _ in batches.epoch(Generator().manual_seed(0), first)] == whole[first:]


def test_going_on_reads_no_block_that_is_done(rows, monkeypatch):
    batches = streamed("t.npy").batches(50, True)
    read = []
    monkeypatch.setattr(
        Reader,
        "array",
        lambda self, block, names, spare=None, f=Reader.array: read.append(block) or f(self, block, names, spare),
    )
    epoch(batches, first=17)  # 850 rows are done: of ten blocks of 100 rows, eight and a half
    assert len(read) == 2


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_one_pass_finds_what_the_table_in_memory_finds(rows, bias, standardize):
    table = prepare(Table(path="t.parquet", targets=["y"]).load(), Preparation(standardize=standardize, bias=bias))
    stream = streamed("t.parquet", standardize, bias)
    for name in ("x_shift", "x_scale", "y_shift", "y_scale"):
        torch.testing.assert_close(getattr(stream.scaling, name), getattr(table.scaling, name), rtol=1e-10, atol=1e-10)
    one, other = stream.optimum(bias), table.optimum(bias)
    np.testing.assert_allclose(one.weight, other.weight, rtol=1e-10)
    assert one.loss == pytest.approx(other.loss, rel=1e-10)
    np.testing.assert_allclose(stream.conditioning(bias).eigenvalues, table.conditioning(bias).eigenvalues, rtol=1e-5)
    # a bound may be larger than the one that sees all lengths, never smaller
    assert stream.stability(32, bias).lambda_max >= table.stability(32, bias).lambda_max * (1 - 1e-5)


@pytest.mark.parametrize("standardize", ["true", "false"])
@pytest.mark.parametrize("bias", ["true", "false"])
def test_diagnose_says_of_a_stream_what_it_says_of_the_table(rows, standardize, bias, capsys):
    words = ["data.targets=[y]", "data.path=t.parquet", f"data.standardize={standardize}", f"model.bias={bias}"]
    words += ["optimizer.lr=0.01", "device.dtype=float64"]
    said = []
    for data in ("stream", "table"):
        assert main(["diagnose", f"data={data}", *words]) == 0
        lines = capsys.readouterr().out.splitlines()
        said.append([line for line in lines if not line.startswith("batches of")])  # a bound, sharper in memory
    assert said[0] == said[1] and len(said[0]) >= 6


@pytest.mark.parametrize(
    "extra", [(), ("data.standardize=true", "model=analytic", "optimizer=manual_sgd", "optimizer.lr=0.05")]
)
def test_a_streamed_run_is_the_run_in_memory(rows, extra):
    common = ("data.targets=[y]", "data.block_rows=128", *SHORT, *extra)
    stream = run("data=stream", "data.path=folder/../t.parquet", *common)
    table = run("data=table", "data.path=t.parquet", "training.shuffle=blocks", *common)
    assert stream.steps == table.steps and stream.rows == table.rows
    assert stream.parameters is not None and table.parameters is not None
    np.testing.assert_allclose(stream.parameters["weight"], table.parameters["weight"], rtol=1e-5)
    for name in ("train_loss", "optimum_loss", "gap"):
        assert stream.metrics[name] == pytest.approx(table.metrics[name], rel=1e-4), name
    assert stream.metrics["r2"] == pytest.approx(table.metrics["r2"])


def test_validation_by_hash_does_not_depend_on_the_blocks_and_does_not_leak(rows):
    small, large = (streamed("t.parquet", validation=0.2, block_rows=n) for n in (7, 400))
    held = [torch.cat([torch.cat(pair, 1) for pair in data.blocks(held_out=True)]) for data in (small, large)]
    kept = torch.cat([torch.cat(pair, 1) for pair in small.blocks()])
    assert torch.equal(held[0], held[1])
    assert small.rows + small.validation_rows == 1000 and 150 < small.validation_rows < 250
    assert sorted(map(tuple, torch.cat([held[0], kept]).tolist())) == sorted(map(tuple, rows.tolist()))
    expected = kept[:, :3].double().mean(0)
    scaled = streamed("t.parquet", standardize=True, validation=0.2)
    torch.testing.assert_close(scaled.scaling.x_shift, expected, rtol=1e-10, atol=1e-12)
    assert held_by_hash(np.arange(100_000), 0.25, 0).mean() == pytest.approx(0.25, abs=0.01)
    assert not np.array_equal(held_by_hash(np.arange(1000), 0.25, 0), held_by_hash(np.arange(1000), 0.25, 1))


def test_validation_by_a_second_file(rows):
    data = streamed("folder", validation_path="t.parquet", inputs=["b"])
    assert (data.rows, data.validation_rows) == (1000, 1000)
    assert next(iter(data.blocks(held_out=True)))[0].shape == (100, 1)
    result = run("data=stream", "data.path=folder", "data.validation_path=t.parquet", "data.targets=[y]", *SHORT)
    assert result.metrics["validation_loss"] == pytest.approx(result.metrics["train_loss"], rel=1e-6)


def test_csv_is_converted_once_and_whole(rows, tmp_path, monkeypatch):
    copy = converted(tmp_path / "t.csv")
    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", None)
    assert converted(tmp_path / "t.csv") == copy
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    later = time.time() + 10
    os.utime(tmp_path / "t.csv", (later, later))

    def killed(frame, path, **keys):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", killed)
    with pytest.raises(KeyboardInterrupt):
        converted(tmp_path / "t.csv")
    assert [path for path in (tmp_path / "cache" / "experiments").iterdir() if path.suffix != ".lock"] == [copy]


@pytest.mark.parametrize(
    ("column", "keys"), [(0, {}), (3, {}), (3, {"validation": 0.99}), (3, {"validation_path": "big.npy"})]
)
def test_a_number_beyond_float32_is_refused_where_it_would_become_infinite(rows, column, keys):
    big = rows.astype(np.float64)
    big[234, column] = -1e100
    np.save("big.npy", big)
    path = "t.npy" if "validation_path" in keys else "big.npy"
    said = refusal(path, **keys)
    assert f"row 235, column c{column + 1} is -1e+100, beyond float32 (3.4e38); use device.dtype=float64" in said
    assert said.startswith("data.validation_path=big.npy" if path == "t.npy" else "data.path=big.npy")
    streamed(path, standardize=True, **keys)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_of_long_doubles_is_read(rows, order):
    np.save("long.npy", np.asarray(rows, np.longdouble, order=order))
    np.testing.assert_array_equal(torch.cat(epoch(streamed("long.npy").batches(32, False))).numpy(), rows)


def refusal(path, **keys):
    with pytest.raises(UserError) as caught:
        epoch(streamed(path, **keys).batches(32, True))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bad_streams_are_one_line(rows, tmp_path):
    bad = rows.copy()
    bad[234, 1] = np.nan
    np.save("bad.npy", bad)
    content = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[: len(content) // 2])
    (tmp_path / "cut.npy").write_bytes((tmp_path / "t.npy").read_bytes()[:9000])
    (tmp_path / "none").mkdir()
    pl.DataFrame({"a": ["1", "x"], "y": [1.0, 2]}).write_parquet("text.parquet")
    for path, keys, said in (
        ("bad.npy", {}, "row 235, column c2 is missing"),
        ("cut.parquet", {}, "may be cut off or damaged"),
        ("cut.npy", {}, "may be cut off or damaged"),
        ("none", {}, "holds no Parquet file"),
        ("t.parqet", {}, "did you mean t.parquet?"),
        ("t.parquet", {"targets": ["z"]}, "there is no column z"),
        ("t.parquet", {"targets": ["y"], "inputs": ["y"]}, "both name y"),
        ("text.parquet", {"inputs": ["a"]}, "row 2, column a is x, no number"),
        ("t.parquet", {"validation": 0.5, "validation_path": "t.npy"}, "in one way only"),
    ):
        assert said in refusal(path, **keys), path
    with pytest.raises(UserError, match="never in memory as a whole"):
        streamed("t.parquet").batches(None, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.loader=torch"], "a stream has no DataLoader; use data.loader=tensor"),
        (["training.batch_size=null", "data.block_rows=100"], "a stream is never in memory as a whole; give a number"),
    ],
)
def test_what_a_stream_has_not_is_refused_with_the_remedy(rows, words, said, capsys):
    assert main(["data=stream", "data.path=t.parquet", "data.targets=[y]", *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and said in err


def test_scaling_and_optimum_of_a_stream_see_no_validation_row(rows, tmp_path):
    """The held-out rows replaced by others a million times as large: nothing that is learned moves by a bit."""
    held = held_by_hash(np.arange(1000), 0.3, 0)
    spoilt = rows.copy()
    spoilt[held] *= 1e6
    np.save(tmp_path / "spoilt.npy", spoilt)
    for bias in (True, False):
        one, other = (streamed(path, True, bias, validation=0.3) for path in ("t.npy", "spoilt.npy"))
        for name in ("x_shift", "x_scale", "y_shift", "y_scale"):
            assert torch.equal(getattr(one.scaling, name), getattr(other.scaling, name))
        assert np.array_equal(one.optimum(bias).weight, other.optimum(bias).weight)
        assert one.conditioning(bias).lambda_max == other.conditioning(bias).lambda_max
        assert one.digest() == other.digest()


def test_a_file_that_changes_between_two_epochs(rows, tmp_path):
    batches = streamed("t.parquet").batches(32, True)
    epoch(batches)
    pl.DataFrame(rows[:500], schema=NAMES).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataChanged, match="changed while it was read"):
        epoch(batches)


def test_few_blocks_are_in_memory_at_a_time(rows, monkeypatch):
    batches, alive, most = streamed("t.npy", block_rows=20).batches(20, True), [], 0
    original = Reader.array

    def counted(self, block, names, spare=None):
        import weakref

        table = original(self, block, names, spare)
        alive.append(weakref.ref(table))
        return table

    monkeypatch.setattr(Reader, "array", counted)
    for _ in batches.epoch(Generator()):
        time.sleep(0.002)
        most = max(most, sum(ref() is not None for ref in alive))
    assert len(alive) == 50 and most <= 5


def test_leaving_early_ends_the_thread_and_errors_come_through():
    items = prefetched(itertools.count())
    assert isinstance(items, types.GeneratorType) and [next(items), next(items)] == [0, 1]
    items.close()
    assert not any(t.name == "reading ahead" for t in threading.enumerate())

    def failing():
        yield 1
        raise ValueError("in the thread")

    with pytest.raises(ValueError, match="in the thread"):
        list(prefetched(failing()))


@pytest.mark.parametrize("size", [1, 3, 4, 5, 11, 30])
@pytest.mark.parametrize("skip", [0, 3, 5, 16])
@pytest.mark.parametrize("arrays", [False, True])
def test_batches_are_cut_across_blocks(size, skip, arrays):
    x = torch.arange(23.0)[:, None]
    sizes = (5, 0, 1, 1, 9, 7)
    runs = cut(zip(x.split(sizes), x.split(sizes), strict=True), size, skip)
    found = list(batches(runs, size, arrays))
    assert [a.flatten().tolist() for a, _ in found] == [part.flatten().tolist() for part in x[skip:].split(size)]
    assert all(isinstance(a, np.ndarray if arrays else torch.Tensor) for a, _ in found)


def test_block_order_keeps_blocks_together_and_is_a_permutation():
    order = block_order(95, 10, Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(95))
    runs = [block for block, _ in itertools.groupby((order // 10).tolist())]
    assert len(runs) == 10 and runs != sorted(runs)
    assert order[:10].tolist() != sorted(order[:10].tolist())


def test_max_seconds_stops_a_stream_and_keeps_its_weights(rows, monkeypatch):
    original = reader.Reader.array
    monkeypatch.setattr(reader.Reader, "array", lambda *a: time.sleep(0.01) or original(*a))
    keys = ("data.path=t.npy", "data.targets=[c4]", "data.block_rows=20", "training.max_seconds=0.3")
    result = run("data=stream", *keys, *SHORT, "training.epochs=1000")
    assert result.status == "stopped_early" and result.epochs < 1000


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside torch's threads
def test_ended_and_killed_in_the_middle_of_an_epoch_it_goes_on_with_the_same_bits(rows, monkeypatch):
    torch.set_num_threads(1)
    command = [
        "data=stream", "data.path=t.npy", "data.targets=[c4]", "data.block_rows=20", "data.validation=0.1",
        "data.standardize=true", "optimizer=manual_adam", "model=analytic", "training.batch_size=7",
        "training.epochs=4", "training.checkpoint_every=1", "tracking.figures=false",
    ]  # fmt: skip
    assert main([*command, "hydra.run.dir=whole"]) == 0

    def cut_off(words, at, number):
        """The command in a process that gets a signal when it reads its `at`-th block; how it ended."""
        reads = itertools.count()

        def read(self, block, names, spare=None, read=Reader.array):
            if next(reads) == at:
                os.kill(os.getpid(), number)
            return read(self, block, names, spare)

        with monkeypatch.context() as patched:
            patched.setattr(Reader, "array", read)
            return ended(forked(lambda: main(words)))

    # 50 blocks in the first pass, then 150 an epoch: to train, to evaluate, to evaluate those held out
    cut_off([*command, "hydra.run.dir=cut"], 225, signal.SIGTERM)
    newest = max(Path("cut/checkpoint").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    facts = decode(newest.read_bytes()).facts
    assert facts["epoch"] == 1 and 0 < facts["batch"] < 1000 // 7
    assert cut_off(["resume", "cut"], 205, signal.SIGKILL) == -signal.SIGKILL
    assert not Path("cut/result.json").exists()
    assert ended(forked(lambda: main(["resume", "cut"]))) == 0
    assert differences(Path("cut"), Path("whole")) == []


@pytest.mark.parametrize("at", [70, 75, 85], ids=["before the first step", "in the epoch", "in its evaluation"])
def test_a_run_whose_file_changes_is_kept_and_goes_on_when_the_file_is_back(rows, tmp_path, monkeypatch, capsys, at):
    command = [
        "data=stream", "data.path=t.npy", "data.targets=[c4]", "data.block_rows=100", "tracking.figures=false",
        "optimizer.lr=0.01", "training.epochs=5",
    ]  # fmt: skip
    assert main([*command, "hydra.run.dir=whole"]) == 0
    reads, content, times = itertools.count(), Path("t.npy").read_bytes(), os.stat("t.npy")

    def read(self, block, names, spare=None, read=Reader.array):
        if next(reads) == at:  # 10 in the first pass, 20 an epoch: the fourth, from 70 on
            Path("t.npy").write_bytes(content[:9000])
        return read(self, block, names, spare)

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "array", read)
        assert main([*command, "hydra.run.dir=cut"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "t.npy: the file changed while it was read" in said
    assert f"go on with: experiments resume {tmp_path / 'cut'}" in said
    assert not Path("cut/result.json").exists()
    kept = [decode(path.read_bytes()).facts for path in Path("cut/checkpoint").glob("*.safetensors")]
    assert [(facts["epoch"], facts["batch"] > 0) for facts in kept] == [(3, at > 70)]
    assert main(["resume", "cut"]) == 2  # half a file is no file
    Path("t.npy").write_bytes(content)
    os.utime("t.npy", ns=(times.st_atime_ns, times.st_mtime_ns + 10**9))
    assert main(["resume", "cut"]) == 0
    assert differences(Path("cut"), Path("whole")) == []


def test_no_time_at_all_still_gives_an_epoch_and_a_result(rows):
    keys = ("data=stream", "data.path=t.parquet", "data.targets=[y]", "data.validation=0.2", *SHORT)
    result = run(*keys, "training.max_seconds=1e-9", "training.epochs=1000000")
    assert result.status == "stopped_early" and result.epochs == 1
    assert result.metrics["train_loss"] is not None and result.metrics["validation_loss"] is not None
