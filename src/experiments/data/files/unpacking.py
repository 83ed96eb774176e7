"""CSV files as people have them: packed by gzip or zstd, or in UTF-16. Read by way of a copy that is plain UTF-8."""

import codecs
import errno
import gzip
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from experiments.errors import Failure, UserError

PACKED = (".gz", ".zst")
CSV = tuple(kind + packed for kind in (".csv", ".tsv") for packed in ("", *PACKED))
"""The endings of files of text, in lower case."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
AT_ONCE = 2**20
FULL = (errno.ENOSPC, errno.EDQUOT)


def ending(path: Path) -> str:
    """The ending that tells the format, in lower case; of a packed file both, as `.csv.gz`."""
    return "".join(path.suffixes[-2:] if path.suffix.lower() in PACKED else path.suffixes[-1:]).lower()


@contextmanager
def plain_text(path: Path) -> Iterator[Path]:
    """The file itself where it is plain, else a copy, unpacked and in UTF-8, that is gone afterwards.

    What is said of the copy is said of the file. Raises Failure where there is no room, and what the libraries raise
    for a damaged file.
    """
    packed = path.suffix.lower() in PACKED
    with path.open("rb") as file:
        plain = not packed and file.read(2) not in UTF_16
    if plain:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="experiments-") as folder:
        copy = Path(folder, path.stem if packed else path.name)
        try:
            _unpack(path, copy)
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise Failure(
                f"data.path={path}: no room to unpack it in {tempfile.gettempdir()}; make room there, or set the "
                "environment variable TMPDIR to another folder"
            ) from error
        try:
            yield copy
        except UserError as error:
            raise UserError(str(error).replace(str(copy), str(path))) from error


def _unpack(path: Path, copy: Path) -> None:
    chunks = _chunks(path)
    first = next(chunks, b"")
    chunks = chain([first], chunks)
    if first[:2] in UTF_16:
        chunks = (text.encode() for text in codecs.iterdecode(chunks, "utf-16"))
    with copy.open("wb") as target:
        target.writelines(chunks)


def _chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes, unpacked, some at a time."""
    kind = path.suffix.lower()
    with gzip.open(path, "rb") if kind == ".gz" else path.open("rb") as file:
        parts = iter(lambda: file.read(AT_ONCE), b"")
        yield from _frames(parts) if kind == ".zst" else parts


def _frames(parts: Iterator[bytes]) -> Iterator[bytes]:
    """What zstd has packed, in one frame or several; its own reader says nothing of a frame that is cut off."""
    import zstandard

    frame = None
    try:
        for part in parts:
            while part:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                if found := frame.decompress(part):
                    yield found
                part, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    if frame is not None:
        raise EOFError("it ends within a frame")
