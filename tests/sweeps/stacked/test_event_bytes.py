"""Hand-laid event bytes against TensorBoard's own reader, and against the writer of single runs."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2

from experiments.sweeps.stacked import event_bytes
from experiments.tracking.events import EventFile


def read(path: Path) -> list[Any]:
    """Every record of a file, as an Event; the reader checks both checksums of each."""
    return [event_pb2.Event.FromString(raw) for raw in RawEventFileLoader(str(path)).Load()]  # type: ignore[attr-defined]  # made at run time


@given(st.integers(0, 2**40))
def test_varint_is_protobufs(value: int) -> None:
    assert event_pb2.Event.FromString(b"\x10" + event_bytes.varint(value)).step == value  # type: ignore[attr-defined]  # made at run time


def test_scalars_are_read_back_with_every_checksum_right(tmp_path: Path) -> None:
    epochs = np.array([1, 2, 127, 128, 129, 16_384])  # steps of one, two and three bytes
    times = np.linspace(1e9, 1e9 + 1, len(epochs))
    generator = np.random.default_rng(0)
    values = generator.normal(size=(3, len(epochs), 2)).astype(np.float32) * 1e6
    values[1, 2] = [np.nan, np.inf]
    records = event_bytes.scalars(("loss/train", "optimizer/lr"), epochs, times, values)
    for run in range(3):
        path = tmp_path / f"events.out.tfevents.{run}"
        path.write_bytes(event_bytes.header(1e9) + records[run].tobytes())
        first, *rest = read(path)
        assert first.file_version == "brain.Event:2"
        assert [e.step for e in rest] == epochs.tolist()
        assert [e.wall_time for e in rest] == times.tolist()
        found = np.array([[v.simple_value for v in e.summary.value] for e in rest], dtype=np.float32)
        np.testing.assert_array_equal(found, values[run])
        assert [v.tag for v in rest[0].summary.value] == ["loss/train", "optimizer/lr"]


def test_the_session_is_the_one_that_single_runs_write(tmp_path: Path) -> None:
    columns = {"optimizer": "sgd", "optimizer.lr": 1e-5, "model.bias": True, "seed": 3.0, "data.noise": 0.0}
    with EventFile(tmp_path) as events:
        events.hparams(columns)
        events.end("success")
    theirs = [e.summary for e in read(events.path)[1:]]
    entries = b"".join(event_bytes.hparam(name, value, type(value)) for name, value in columns.items())
    path = tmp_path / "events.out.tfevents.ours"
    path.write_bytes(event_bytes.header(1.0) + event_bytes.session_start(entries, 1.0) + event_bytes.session_end(2.0))
    ours = [e.summary for e in read(path)[1:]]
    from tensorboard.plugins.hparams import plugin_data_pb2

    for own, single in zip(ours, theirs, strict=True):
        mine, other = own.value[0], single.value[0]
        assert (mine.tag, mine.tensor, mine.metadata.data_class) == (other.tag, other.tensor, other.metadata.data_class)
        read_as = plugin_data_pb2.HParamsPluginData.FromString  # type: ignore[attr-defined]  # made at run time
        left, right = (read_as(v.metadata.plugin_data.content) for v in (mine, other))
        assert left.session_start_info.hparams == right.session_start_info.hparams
        assert left.session_end_info.status == right.session_end_info.status
