"""TensorBoard's records, byte by byte: what stands in an event file, for runs alone and for whole packs.

The messages are those of tensorboard/compat/proto/{event,summary,tensor}.proto and plugins/hparams/plugin_data.proto;
the tests read every byte back with TensorBoard's own reader. Its writers are left aside, since importing them costs
more than writing a whole run, and a checksum in pure Python takes milliseconds for an image.
"""

import struct
from collections.abc import Mapping
from ctypes import c_float
from functools import lru_cache

import google_crc32c

VARINT, DOUBLE, LENGTH, FLOAT = 0, 1, 2, 5
"""Protobuf's kinds of fields."""
SUCCESS, FAILURE = 1, 2
"""How a session on the HParams page ended."""


def varint(value: int) -> bytes:
    """A protobuf varint of a number from 0 on."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field: a text, bytes, or a message."""
    return varint(number << 3 | LENGTH) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    """A protobuf field of a whole number from 0 on."""
    return varint(number << 3 | VARINT) + varint(value)


def double(number: int, value: float) -> bytes:
    """A protobuf field of a float64."""
    return varint(number << 3 | DOUBLE) + struct.pack("<d", value)


_OF_TENSORS = integer(4, 2)
"""The data_class TENSOR of a value's metadata, without which the HParams page does not find a session."""
_NULL_TENSOR = integer(1, 1) + field(2, field(2, b""))
"""An empty DT_FLOAT tensor of shape (0,): a session has its content in the metadata."""


def record(content: bytes) -> bytes:
    """A TFRecord: length, its masked checksum, content, its masked checksum."""
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", masked(length)) + content + struct.pack("<I", masked(content))


def masked(content: bytes) -> int:
    """The CRC-32C of TFRecords, rotated and shifted as their format says."""
    crc = google_crc32c.value(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def header(wall_time: float) -> bytes:
    """The first record of every event file."""
    return record(double(1, wall_time) + field(3, b"brain.Event:2"))


def _event(step: int, wall_time: float, *values: bytes) -> bytes:
    return record(double(1, wall_time) + integer(2, step) + field(5, b"".join(field(1, value) for value in values)))


def scalars(step: int, wall_time: float, values: Mapping[str, float]) -> bytes:
    """A record of one value per tag at `step`, as float32; what is too large for that is infinite."""
    numbers = {tag: struct.pack("<f", c_float(value).value) for tag, value in values.items()}
    return _event(step, wall_time, *(field(1, t.encode()) + varint(2 << 3 | FLOAT) + n for t, n in numbers.items()))


def text(tag: str, markdown: str, step: int, wall_time: float) -> bytes:
    """A record of a text, which TensorBoard's Text page renders as markdown."""
    tensor = integer(1, 7) + field(2, field(2, integer(1, 1))) + field(8, markdown.encode())  # DT_STRING, shape (1,)
    metadata = field(1, field(1, b"text")) + _OF_TENSORS
    return _event(step, wall_time, field(1, tag.encode()) + field(8, tensor) + field(9, metadata))


def image(tag: str, png: bytes, step: int, wall_time: float) -> bytes:
    """A record of a PNG picture; its width and height are read from the PNG's own header.

    It is the older image message, not a tensor: readers that use EventAccumulator.Images find only this one.
    """
    assert png.startswith(b"\x89PNG\r\n\x1a\n"), f"image {tag!r} is not a PNG"
    width, height = struct.unpack(">II", png[16:24])
    picture = integer(1, height) + integer(2, width) + integer(3, 4) + field(4, png)
    return _event(step, wall_time, field(1, tag.encode()) + field(4, picture))


@lru_cache(maxsize=100_000)
def hparam(name: str, value: bool | float | str, kind: type) -> bytes:
    """One entry of a session's hparams (SessionStartInfo.hparams); `kind` keeps True and 1.0 apart in the cache."""
    if kind is bool:
        content = integer(4, int(value))
    elif kind is str:
        content = field(3, str(value).encode())
    else:
        content = double(2, float(value))
    return field(1, field(1, name.encode()) + field(2, content))


def session_start(entries: bytes, wall_time: float) -> bytes:
    """The record that opens a run's session on the HParams page; `entries` are its joined `hparam`s.

    The group is left unnamed: TensorBoard then takes the run's path, where a name would merge equally named folders
    of two sweeps.
    """
    return _session("start", 3, entries + double(5, wall_time), wall_time)


def session_end(wall_time: float, status: int = SUCCESS) -> bytes:
    """The record that closes it."""
    return _session("end", 4, integer(1, status) + double(2, wall_time), wall_time)


def _session(word: str, number: int, info: bytes, wall_time: float) -> bytes:
    before, after = _frame(word, number, len(info))
    return record(double(1, wall_time) + before + info + after)


@lru_cache(maxsize=10_000)
def _frame(word: str, number: int, length: int) -> tuple[bytes, bytes]:
    """What stands before and after a session's info of this length."""
    info = bytes(length)
    metadata = field(1, field(1, b"hparams") + field(2, field(number, info))) + _OF_TENSORS
    value = field(1, f"_hparams_/session_{word}_info".encode()) + field(8, _NULL_TENSOR) + field(9, metadata)
    whole = field(5, field(1, value))
    end = len(whole) - len(_OF_TENSORS)
    return whole[: end - length], whole[end:]
