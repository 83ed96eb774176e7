"""Hand-laid event bytes against TensorBoard's own reader and messages."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

from experiments.sweeps.stacked import event_bytes
from experiments.tracking import event_records
from experiments.tracking.events import EventFile


def read(path: Path) -> list[Any]:
    """Every record of a file, as an Event; the reader checks both checksums of each."""
    return [event_pb2.Event.FromString(raw) for raw in RawEventFileLoader(str(path)).Load()]  # type: ignore[attr-defined]  # made at run time


@given(st.integers(0, 2**40))
def test_varint_is_protobufs(value: int) -> None:
    assert event_pb2.Event.FromString(b"\x10" + event_records.varint(value)).step == value  # type: ignore[attr-defined]  # made at run time


def test_scalars_are_read_back_with_every_checksum_right(tmp_path: Path) -> None:
    epochs = np.array([1, 2, 127, 128, 129, 16_384])  # steps of one, two and three bytes
    times = np.linspace(1e9, 1e9 + 1, len(epochs))
    generator = np.random.default_rng(0)
    values = generator.normal(size=(3, len(epochs), 2)).astype(np.float32) * 1e6
    values[1, 2] = [np.nan, np.inf]
    records = event_bytes.scalars(("loss/train", "optimizer/lr"), epochs, times, values)
    for run in range(3):
        path = tmp_path / f"events.out.tfevents.{run}"
        path.write_bytes(event_records.header(1e9) + records[run].tobytes())
        first, *rest = read(path)
        assert first.file_version == "brain.Event:2"
        assert [e.step for e in rest] == epochs.tolist()
        assert [e.wall_time for e in rest] == times.tolist()
        found = np.array([[v.simple_value for v in e.summary.value] for e in rest], dtype=np.float32)
        np.testing.assert_array_equal(found, values[run])
        assert [v.tag for v in rest[0].summary.value] == ["loss/train", "optimizer/lr"]


@pytest.mark.parametrize("failed", [False, True])
def test_the_session_is_what_tensorboards_own_messages_hold(tmp_path: Path, failed: bool) -> None:
    columns = {"optimizer": "sgd", "optimizer.lr": 1e-5, "model.bias": True, "seed": 3.0, "data.noise": 0.0}
    with EventFile(tmp_path) as events:
        events.hparams(columns)
        events.end(failed=failed)
    _, begun, ended = read(events.path)
    sessions = []
    for event, word in ((begun, "start"), (ended, "end")):
        (value,) = event.summary.value
        assert value.tag == f"_hparams_/session_{word}_info" and value.metadata.data_class == 2  # TENSOR
        assert value.metadata.plugin_data.plugin_name == "hparams" and list(value.tensor.tensor_shape.dim[0:1])
        sessions.append(plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content))  # type: ignore[attr-defined]  # made at run time
    start = sessions[0].session_start_info
    found = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    assert found == columns and isinstance(found["model.bias"], bool) and start.start_time_secs == begun.wall_time
    assert sessions[1].session_end_info.status == 1 + failed  # STATUS_SUCCESS, STATUS_FAILURE
    assert sessions[1].session_end_info.end_time_secs == ended.wall_time


def test_a_number_beyond_float32_is_infinite_and_step_0_is_read_back(tmp_path: Path) -> None:
    with EventFile(tmp_path) as events:
        events.scalars(0, {"large": 1e300, "small": -1e300, "none": float("nan")}, wall_time=5.0)
        events.text("words", "größe", step=3)
    _, numbers, words = read(events.path)
    assert [value.simple_value for value in numbers.summary.value][:2] == [np.inf, -np.inf] and numbers.step == 0
    assert np.isnan(numbers.summary.value[2].simple_value) and numbers.wall_time == 5.0
    assert words.step == 3 and words.summary.value[0].tensor.string_val == ["größe".encode()]
    assert (
        words.summary.value[0].tensor.dtype == 7 and words.summary.value[0].metadata.plugin_data.plugin_name == "text"
    )
