"""How large a Parquet file's groups of rows are: to read a few rows of some columns, those of a whole group are read.

Polars does not tell. The end of the file does: Thrift's compact protocol, of which the list of groups' length is read
and what stands before it, the columns' names and types, is passed over.
"""

import os
from pathlib import Path

GROUPS = 4
"""The number of the field that lists the groups, see parquet.thrift."""
LIST, SET, STRUCT = 9, 10, 12
SIZES = {1: 0, 2: 0, 3: 1, 7: 8}
"""Bytes of a value by its type: true and false, which the type itself tells, a byte, a double."""


def group_bytes(path: Path) -> int:
    """Bytes of a group of rows, on average; of the whole file where it does not tell."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - 8 - length))
        try:
            return size // max(1, Description(file.read(length)).groups())
        except (IndexError, KeyError):  # a description that is encrypted
            return size


class Description:
    """The bytes at a file's end, read from the front."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def groups(self) -> int:
        """How many groups of rows the file has."""
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._number()
            if number == GROUPS:
                return self._list()[0]
            self._pass(head & 15)
        return 0

    def _byte(self) -> int:
        self.at += 1
        return self.content[self.at - 1]

    def _number(self) -> int:
        """A number in sevens of bits, the lowest first."""
        value = shift = 0
        while (byte := self._byte()) > 127:
            value, shift = value | (byte & 127) << shift, shift + 7
        return value | byte << shift

    def _list(self) -> tuple[int, int]:
        """How many elements follow, and their type."""
        head = self._byte()
        return (self._number() if head >> 4 == 15 else head >> 4), head & 15

    def _pass(self, kind: int) -> None:
        """Pass over a value of a type."""
        if kind in (LIST, SET):
            count, inner = self._list()
            for _ in range(count):
                self._pass(3 if inner in (1, 2) else inner)
        elif kind == STRUCT:
            while head := self._byte():
                if not head >> 4:
                    self._number()
                self._pass(head & 15)
        elif kind == 8:
            length = self._number()
            self.at += length
        elif kind in (4, 5, 6):
            self._number()
        else:
            self.at += SIZES[kind]
