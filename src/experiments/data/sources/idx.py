"""Pictures and their labels in the IDX format of MNIST (Y. LeCun et al.), as its followers have it, packed or not."""

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from experiments.data.dataset import Dataset
from experiments.errors import UserError, one_line

KINDS = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""The types of numbers, by the third byte of a file."""
NAMES = {
    "images": ("train", "images"), "labels": ("train", "labels"),
    "validation_images": ("t10k", "images"), "validation_labels": ("t10k", "labels"),
}  # fmt: skip
"""What the names of the files in a folder hold, by the key that names such a file itself."""


@dataclass(frozen=True)
class Idx:
    """The keys of data=idx: a folder, or its files. The second pair is for validation, unless a share is held out."""

    path: str | None = None
    images: str | None = None
    labels: str | None = None
    validation_images: str | None = None
    validation_labels: str | None = None
    validation: float = 0.0

    def load(self) -> Dataset:
        """Bytes as shares of 255, other numbers as they are: x (n, pixels), float32. Raises UserError."""
        if not (self.path or self.images or self.labels):
            raise UserError("data.path: data=idx needs a folder; add data.path=FOLDER, or data.images and data.labels")
        found, others = self._pair("images", "labels"), ("validation_images", "validation_labels")
        if self.validation or not any(map(self._file, others)):
            return found
        held_out = self._pair(*others)
        if held_out.image != found.image:
            raise UserError(f"data.validation_images: {held_out.image} pixels, those to train on have {found.image}")
        return found.holding_out(held_out)

    def _pair(self, images: str, labels: str) -> Dataset:
        """The pictures of two files. Raises UserError where one of them is not there."""
        files = self._file(images), self._file(labels)
        for key, path in zip((images, labels), files, strict=True):
            if path is None:
                raise UserError(f"data.{key}: is not given, and no file in data.path has {' and '.join(NAMES[key])}")
        x, y = (array(key, path) for key, path in zip((images, labels), files, strict=True) if path)
        if y.ndim != 1 or x.ndim not in (3, 4):
            raise UserError(f"data.{images} of shape {x.shape}, data.{labels} of {y.shape}: must be (n, h, w) and (n,)")
        if len(x) != len(y):
            raise UserError(f"data.{images} holds {len(x)} pictures, but data.{labels} {len(y)} labels")
        pixels = np.stack(np.unravel_index(np.arange(x[0].size), x.shape[1:]), 1)
        scale = 255 if x.dtype == np.uint8 else 1
        return Dataset(
            x=torch.from_numpy(x.reshape(len(x), -1).astype(np.float32) / np.float32(scale)),
            y=torch.from_numpy(y.astype(np.float32)).unsqueeze(1),
            features=tuple("_".join(["pixel", *map(str, at)]) for at in pixels.tolist()),
            targets=("label",),
            image=x.shape[1:],
        )

    def _file(self, key: str) -> Path | None:
        """The file that a key names, or the one in the folder that is called so. Raises UserError."""
        if named := getattr(self, key):
            return Path(named)
        if self.path is None:
            return None
        folder = Path(self.path)
        if not folder.is_dir():
            raise UserError(f"data.path={folder}: there is no such folder; data=idx reads one, or its four files")
        found = sorted(p for p in folder.iterdir() if all(word in p.name for word in NAMES[key]))
        found = [p for p in found if p.suffix != ".gz" or p.with_suffix("") not in found]  # packed beside unpacked
        if len(found) > 1:
            raise UserError(f"data.path={folder}: {found[0].name} or {found[1].name}? name one, as data.{key}=FILE")
        return found[0] if found else None


def array(key: str, path: Path) -> np.ndarray:
    """The numbers of an IDX file, in its shape. Raises UserError for what is no such file, or is cut off."""
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or one_line(error)
        raise UserError(f"data.{key}={path}: cannot be read: {why}") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in KINDS:
        raise UserError(f"data.{key}={path}: is no IDX file, packed (gzip) or not")
    begin = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, begin, 4))
    kind = np.dtype(KINDS[content[2]])
    if len(content) != begin + kind.itemsize * math.prod(shape):
        raise UserError(f"data.{key}={path}: is cut off or damaged: {len(content)} bytes are no numbers of {shape}")
    return np.frombuffer(content, kind, offset=begin).reshape(shape)
