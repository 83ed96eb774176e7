"""How large a Parquet file's groups of rows are: to read a few rows of some columns, those of a whole group are read.

Polars does not tell. The end of the file does, in Thrift's compact protocol: of it the length of the list of groups is
read; what stands before, the columns' names and types, is passed over.
"""

import io
import os
from pathlib import Path

GROUPS = 4
"""The number of the field that lists the groups, see parquet.thrift."""
BINARY, LIST, SET, STRUCT = 8, 9, 10, 12
INTEGERS = (4, 5, 6)
SIZES = {1: 0, 2: 0, 3: 1, 7: 8}
"""Bytes of other values by their type: true and false, which the type itself tells, a byte, a double."""


def group_bytes(path: Path) -> int:
    """Bytes of a group of rows, on average; of the whole file where it does not tell."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - 8 - length))
        footer = io.BytesIO(file.read(length))
    try:
        return size // max(1, _groups(footer))
    except (IndexError, KeyError):  # a footer that is encrypted
        return size


def _groups(footer: io.BytesIO) -> int:
    """How many groups of rows the file has."""
    number = 0
    while head := footer.read(1)[0]:
        number = number + (head >> 4) if head >> 4 else _integer(footer)
        if number == GROUPS:
            return _list(footer)[0]
        _pass(footer, head & 15)
    return 0


def _integer(footer: io.BytesIO) -> int:
    """A number in sevens of bits, the lowest first."""
    value = shift = 0
    while (byte := footer.read(1)[0]) > 127:
        value, shift = value | (byte & 127) << shift, shift + 7
    return value | byte << shift


def _list(footer: io.BytesIO) -> tuple[int, int]:
    """How many elements follow, and their type."""
    head = footer.read(1)[0]
    return (_integer(footer) if head >> 4 == 15 else head >> 4), head & 15


def _pass(footer: io.BytesIO, kind: int) -> None:
    """Pass over a value of a type."""
    if kind in (LIST, SET):
        count, inner = _list(footer)
        for _ in range(count):
            _pass(footer, 3 if inner in (1, 2) else inner)
    elif kind == STRUCT:
        while head := footer.read(1)[0]:
            if not head >> 4:
                _integer(footer)
            _pass(footer, head & 15)
    elif kind in INTEGERS:
        _integer(footer)
    else:
        footer.seek(_integer(footer) if kind == BINARY else SIZES[kind], os.SEEK_CUR)
