"""One run's TensorBoard event file: scalars, text, images and hparams, all in the run's own folder.

The messages are TensorBoard's own protobuf classes. Two of its parts are left aside, since importing them
costs more than writing a whole run: its RecordWriter (0.3 s of imports, and a checksum in pure Python that
needs milliseconds for an image) and its hparams summaries, which import tensorflow. Nothing here imports
torch.
"""

# protobuf makes its message classes at import, where pyright cannot see them
# pyright: reportAttributeAccessIssue=false

import itertools
import os
import secrets
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import google_crc32c
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

SECONDS_BETWEEN_FLUSHES = 1.0  # what a killed process can lose
_STATUS = {"success": api_pb2.STATUS_SUCCESS, "failure": api_pb2.STATUS_FAILURE}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_file_number = itertools.count()


class EventFile:
    """The one event file of a run, `events.out.tfevents.<unix time>.<host>.<process>.<n>` in `folder`.

    Records are gathered in memory and reach the file whole, at most once a second and on `flush` and
    `close`: a killed run's file can be read up to its last second. Use it as a context manager: an
    exception inside, Ctrl-C included, marks the hparams session as failed and closes the file. Writing
    after `close` is an error.
    """

    path: Path

    def __init__(self, folder: Path, hidden: bool = False) -> None:
        """Create the file in `folder`, which must exist; OSError when it cannot be written.

        A hidden one has a name that TensorBoard does not read, until `show`.
        """
        self._opened = time.time()
        name = f"{int(self._opened):010d}.{socket.gethostname()}.{os.getpid()}.{next(_file_number)}"
        self._shown = Path(folder) / f"events.out.tfevents.{name}"
        self.path = Path(folder) / f".events.{secrets.token_hex(4)}.tmp" if hidden else self._shown
        self._file = self.path.open("xb", buffering=0)
        self._pending = bytearray()
        self._flushed = time.monotonic()
        self._session_open = False
        self._write(event_pb2.Event(wall_time=self._opened, file_version="brain.Event:2"))
        self.flush()

    def show(self) -> None:
        """Give a hidden file its name, after everything written so far has reached the disk."""
        self.flush()
        os.fsync(self._file.fileno())
        self.path.replace(self._shown)
        self.path = self._shown

    def scalars(self, step: int, values: Mapping[str, float], wall_time: float | None = None) -> None:
        """Write one value per tag at `step`, in one record. They are kept as float32; NaN stays NaN."""
        event = event_pb2.Event(step=step, wall_time=time.time() if wall_time is None else wall_time)
        add = event.summary.value.add
        for tag, value in values.items():
            add(tag=tag, simple_value=value)
        self._write(event)

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Write a text that TensorBoard's Text page renders as markdown."""
        tensor = tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING,
            tensor_shape=_shape(1),
            string_val=[markdown.encode()],
        )
        self._write_value(summary_pb2.Summary.Value(tag=tag, metadata=_metadata("text"), tensor=tensor), step)

    def image(self, tag: str, png: bytes, step: int = 0) -> None:
        """Write a PNG picture; its width and height are read from the PNG's own header."""
        assert png.startswith(_PNG_SIGNATURE), f"image {tag!r} is not a PNG"
        width, height = struct.unpack(">II", png[16:24])
        # The older image message, not a tensor: readers that use EventAccumulator.Images find only this one.
        image = summary_pb2.Summary.Image(width=width, height=height, colorspace=4, encoded_image_string=png)
        self._write_value(summary_pb2.Summary.Value(tag=tag, image=image), step)

    def hparams(self, values: Mapping[str, bool | float | str]) -> None:
        """Open the run's session on TensorBoard's HParams page, with these columns.

        A key must have one type in all runs, else TensorBoard makes its column text. The group is left
        unnamed: TensorBoard then takes the run's path, where a name would merge equally named folders of
        two sweeps.
        """
        start = plugin_data_pb2.SessionStartInfo(start_time_secs=self._opened)
        for key, value in values.items():
            if isinstance(value, bool):
                start.hparams[key].bool_value = value
            elif isinstance(value, str):
                start.hparams[key].string_value = value
            else:
                start.hparams[key].number_value = value
        self._write_session("start", plugin_data_pb2.HParamsPluginData(session_start_info=start))
        self._session_open = True
        self.flush()

    def end(self, status: Literal["success", "failure"]) -> None:
        """Close the session that `hparams` opened, with the status that TensorBoard shows for the run."""
        info = plugin_data_pb2.SessionEndInfo(status=_STATUS[status], end_time_secs=time.time())
        self._write_session("end", plugin_data_pb2.HParamsPluginData(session_end_info=info))
        self._session_open = False

    def flush(self) -> None:
        """Hand all records to the operating system; they then outlive this process."""
        self._flushed = time.monotonic()
        while self._pending:  # an unbuffered file may take a part only
            del self._pending[: self._file.write(self._pending)]

    def close(self) -> None:
        """Flush and close; closing twice is fine."""
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._session_open and not self._file.closed:
            self.end("failure")
        self.close()

    def _write_session(self, which: str, data: plugin_data_pb2.HParamsPluginData) -> None:
        # Only the metadata carries data; the tensor is empty.
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape=_shape(0))
        metadata = _metadata("hparams", data.SerializeToString())
        tag = f"_hparams_/session_{which}_info"
        self._write_value(summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor), step=0)

    def _write_value(self, value: summary_pb2.Summary.Value, step: int) -> None:
        summary = summary_pb2.Summary(value=[value])
        self._write(event_pb2.Event(step=step, wall_time=time.time(), summary=summary))

    def _write(self, event: event_pb2.Event) -> None:
        assert not self._file.closed, f"{self.path} is closed"
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        self._pending += b"".join((length, _checksum(length), data, _checksum(data)))
        if time.monotonic() - self._flushed >= SECONDS_BETWEEN_FLUSHES:
            self.flush()


def _checksum(data: bytes) -> bytes:
    """CRC-32C, rotated and shifted as the TFRecord format wants it."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _shape(size: int) -> tensor_shape_pb2.TensorShapeProto:
    return tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=size)])


def _metadata(plugin: str, content: bytes = b"") -> summary_pb2.SummaryMetadata:
    # data_class TENSOR: without it the HParams page does not find the session.
    plugin_data = summary_pb2.SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    return summary_pb2.SummaryMetadata(plugin_data=plugin_data, data_class=summary_pb2.DATA_CLASS_TENSOR)
