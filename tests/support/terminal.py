"""A command's output as a terminal of some width gets it."""

import os
import re
import sys
import threading
from collections.abc import Sequence

import pytest

from experiments.__main__ import main

COLOURS = re.compile(r"\x1b\[[\d;]*m")


def on_terminal(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, width: int = 80) -> tuple[int, str]:
    """Exit status and output of a command line whose standard output is a terminal; colours are taken out of it."""
    reader, writer = os.openpty()
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(reader, 65_536):
                parts.append(part)
        except OSError:  # the other end has been closed
            pass

    reading = threading.Thread(target=read)
    reading.start()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")  # a dumb one is always 80 wide
    try:
        with os.fdopen(writer, "w") as file, monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", file)
            status = main(arguments)
    finally:
        reading.join()
        os.close(reader)
    return status, COLOURS.sub("", b"".join(parts).decode().replace("\r\n", "\n"))
