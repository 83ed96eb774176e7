"""Event files of a whole pack, laid out at once: TensorBoard's records byte by byte, checksums from a table.

Two evaluations of two runs are the same bytes but for the wall time, the step and the values. A CRC is linear over
exclusive or: the checksum of a record is that of one specimen, xor what each differing byte contributes at its
place. So the C library is asked once per place and byte value, and numpy adds up the rest for all runs.
The messages are those of tensorboard/compat/proto/{event,summary}.proto and plugins/hparams/plugin_data.proto;
the tests read every byte back with TensorBoard's own reader.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

import google_crc32c
import numpy as np

Bytes = np.ndarray
VARINT, DOUBLE, LENGTH, FLOAT = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """A protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field: a text, bytes, or a message."""
    return varint(number << 3 | LENGTH) + varint(len(content)) + content


def _double(number: int, value: float) -> bytes:
    return varint(number << 3 | DOUBLE) + struct.pack("<d", value)


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
    return record(_double(1, wall_time) + field(3, b"brain.Event:2"))


@lru_cache(maxsize=100_000)
def hparam(name: str, value: bool | float | str, kind: type) -> bytes:
    """One entry of a session's hparams (SessionStartInfo.hparams); `kind` keeps True and 1.0 apart in the cache."""
    if kind is bool:
        content = varint(4 << 3 | VARINT) + varint(int(value))
    elif kind is str:
        content = field(3, str(value).encode())
    else:
        content = _double(2, float(value))
    return field(1, field(1, name.encode()) + field(2, content))


def session_start(entries: bytes, wall_time: float) -> bytes:
    """The record that opens a run's session on the HParams page; `entries` are its joined `hparam`s."""
    return _session("start", 3, entries + _double(5, wall_time), wall_time)


def session_end(wall_time: float) -> bytes:
    """The record that closes it, successfully."""
    return _session("end", 4, varint(1 << 3 | VARINT) + varint(1) + _double(2, wall_time), wall_time)


def _session(word: str, number: int, info: bytes, wall_time: float) -> bytes:
    before, after = _frame(word, number, len(info))
    return record(_double(1, wall_time) + before + info + after)


@lru_cache(maxsize=10_000)
def _frame(word: str, number: int, length: int) -> tuple[bytes, bytes]:
    """What stands before and after a session's info of this length."""
    info = bytes(length)
    plugin = field(1, field(1, b"hparams") + field(2, field(number, info)))
    metadata = plugin + varint(4 << 3 | VARINT) + varint(2)  # data_class TENSOR: else the session isn't found
    value = field(1, f"_hparams_/session_{word}_info".encode()) + field(8, _NULL_TENSOR) + field(9, metadata)
    whole = field(5, field(1, value))
    end = len(whole) - 2  # the data_class is the last two bytes
    return whole[: end - length], whole[end:]


_NULL_TENSOR = varint(1 << 3 | VARINT) + varint(1) + field(2, field(2, b""))
"""An empty DT_FLOAT tensor of shape (0,), as TensorBoard's own summaries of sessions have."""


def scalars(tags: Sequence[str], epochs: Bytes, wall_times: Bytes, values: Bytes) -> Bytes:
    """Records of R runs at L evaluations: uint8 (R, bytes), evaluations one after the other.

    epochs (L,), wall_times (L,), values (R, L, tags) float32.
    """
    runs, pieces, first = len(values), [], 0
    while first < len(epochs):  # evaluations whose steps take equally many bytes share one layout
        size = len(varint(int(epochs[first])))
        last = first
        while last < len(epochs) and len(varint(int(epochs[last]))) == size:
            last += 1
        part = slice(first, last)
        pieces.append(_scalars(tuple(tags), size, epochs[part], wall_times[part], values[:, part]).reshape(runs, -1))
        first = last
    return np.concatenate(pieces, axis=1) if pieces else np.zeros((runs, 0), dtype=np.uint8)


def _scalars(tags: tuple[str, ...], size: int, epochs: Bytes, times: Bytes, values: Bytes) -> Bytes:
    specimen, places, contribution, crc = _layout(tags, size)
    runs, evaluations = values.shape[:2]
    varying = np.empty((runs, evaluations, len(places)), dtype=np.uint8)
    varying[:, :, :8] = np.ascontiguousarray(times, dtype="<f8").view(np.uint8).reshape(evaluations, 8)
    steps = np.frombuffer(b"".join(varint(int(e)) for e in epochs), dtype=np.uint8).reshape(evaluations, size)
    varying[:, :, 8 : 8 + size] = steps
    varying[:, :, 8 + size :] = np.ascontiguousarray(values, dtype="<f4").view(np.uint8).reshape(runs, evaluations, -1)
    checksums = np.full((runs, evaluations), crc, dtype=np.uint32)
    for place in range(len(places)):
        checksums ^= contribution[place][varying[:, :, place]]
    rotated = (checksums >> np.uint32(15)) | (checksums << np.uint32(17))
    out = np.empty((runs, evaluations, len(specimen)), dtype=np.uint8)
    out[:] = specimen
    out[:, :, places] = varying
    out[:, :, -4:] = (rotated + np.uint32(0xA282EAD8)).astype("<u4")[..., None].view(np.uint8)
    return out


@lru_cache(maxsize=64)
def _layout(tags: tuple[str, ...], size: int) -> tuple[Bytes, Bytes, Bytes, int]:
    """A record, zero where evaluations differ, those places, and what a byte there adds to the checksum (P, 256)."""
    content, places = bytearray(varint(1 << 3 | DOUBLE)), []

    def hole(count: int) -> None:
        places.extend(range(len(content), len(content) + count))
        content.extend(bytes(count))

    hole(8)
    content += varint(2 << 3 | VARINT)
    hole(size)
    entries = [field(1, tag.encode()) + varint(2 << 3 | FLOAT) for tag in tags]
    content += varint(5 << 3 | LENGTH)
    content += varint(sum(len(field(1, entry + bytes(4))) for entry in entries))
    for entry in entries:
        content += varint(1 << 3 | LENGTH) + varint(len(entry) + 4) + entry
        hole(4)
    crc = google_crc32c.value(bytes(content))
    contribution = np.zeros((len(places), 256), dtype=np.uint32)
    for row, place in enumerate(places):
        for byte in range(256):
            content[place] = byte
            contribution[row, byte] = google_crc32c.value(bytes(content)) ^ crc
        content[place] = 0
    whole = np.frombuffer(record(bytes(content)), dtype=np.uint8).copy()
    return whole, np.array(places) + 12, contribution, crc
