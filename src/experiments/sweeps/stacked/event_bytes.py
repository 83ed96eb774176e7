"""The scalars of a whole pack for its event files, laid out at once; checksums from a table.

Two evaluations of two runs are the same bytes but for the wall time, the step and the values. A CRC is linear over
exclusive or: the checksum of a record is that of one specimen, xor what each differing byte contributes at its
place. So the C library is asked once per place and byte value, and numpy adds up the rest for all runs.
"""

from collections.abc import Sequence
from functools import lru_cache

import google_crc32c
import numpy as np

from experiments.tracking.event_records import DOUBLE, FLOAT, LENGTH, VARINT, field, record, varint

Bytes = np.ndarray


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
