"""The IDX format of MNIST, written here as its description says, packed or not, in a folder or by name."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.data.prepared import Preparation, prepare
from experiments.data.sources.idx import Idx
from experiments.errors import UserError
from tests.support.requests import answered

DICE = np.random.default_rng(0)
IMAGES, LABELS = DICE.integers(0, 256, (20, 4, 3), np.uint8), np.arange(20, dtype=np.uint8) % 4
OTHERS, THEIRS = DICE.integers(0, 256, (6, 4, 3), np.uint8), np.arange(6, dtype=np.uint8) % 4
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def written(path: str, values: np.ndarray, packed: bool = False) -> str:
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[values.dtype.str[1:]]
    content = struct.pack(f">HBB{values.ndim}I", 0, code, values.ndim, *values.shape)
    content += values.astype(values.dtype.newbyteorder(">")).tobytes()
    Path(path).write_bytes(gzip.compress(content) if packed else content)
    return path


def folder(packed: bool = False) -> None:
    Path("mnist").mkdir(exist_ok=True)
    for name, values in zip(NAMES, (IMAGES, LABELS, OTHERS, THEIRS), strict=True):
        written(f"mnist/{name}{'.gz' if packed else ''}", values, packed)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_holds_pictures_to_train_on_and_for_validation(packed: bool) -> None:
    folder(packed)
    found = Idx(path="mnist").load()
    assert found.x.dtype == torch.float32 and found.image == (4, 3)
    np.testing.assert_array_equal(found.x.numpy().reshape(20, 4, 3), IMAGES.astype(np.float32) / 255)
    assert found.y[:, 0].tolist() == LABELS.tolist() and found.targets == ("label",)
    assert found.features[:4] == ("pixel_0_0", "pixel_0_1", "pixel_0_2", "pixel_1_0")
    assert found.held_out is not None and found.held_out.y[:, 0].tolist() == THEIRS.tolist()
    data = prepare(found, Preparation(labels=True))
    assert (
        data.table.classes == (0, 1, 2, 3) and data.table.outputs == 4 and (data.rows, data.validation_rows) == (20, 6)
    )


def test_packed_beside_unpacked_is_the_same_file_and_two_sets_are_not() -> None:
    folder(packed=True)
    folder()
    assert len(Idx(path="mnist").load().x) == 20
    written("mnist/emnist-train-images", IMAGES)
    with pytest.raises(UserError, match=r"emnist-train-images or train-images-idx3-ubyte\? name one, as data\.images"):
        Idx(path="mnist").load()


def test_a_share_held_out_is_of_the_training_pictures() -> None:
    folder()
    data = prepare(Idx(path="mnist", validation=0.2).load(), Preparation(validation=0.2, labels=True))
    assert (data.rows, data.validation_rows) == (16, 4)


@pytest.mark.parametrize("kind", [">f4", ">f8", ">i2", ">i4", "i1"])
def test_four_files_by_name_of_any_type_of_numbers(kind: str) -> None:
    values = DICE.integers(-9, 9, (20, 2, 4, 3)).astype(kind)
    paths = [written("a", values), written("b", LABELS, True), written("c", values[:5], True), written("d", LABELS[:5])]
    found = Idx(images=paths[0], labels=paths[1], validation_images=paths[2], validation_labels=paths[3]).load()
    np.testing.assert_array_equal(found.x.numpy().reshape(values.shape), values.astype(np.float32))
    assert found.image == (2, 4, 3) and found.held_out is not None and len(found.held_out.x) == 5


def refused(**keys: Any) -> str:
    with pytest.raises(UserError) as caught:
        Idx(**keys).load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_wrong_is_one_line() -> None:
    images, labels = written("images", IMAGES), written("labels", LABELS)
    whole = Path(images).read_bytes()
    Path("cut").write_bytes(whole[:-1])
    Path("head").write_bytes(whole[:6])
    Path("cut.gz").write_bytes(gzip.compress(whole)[:-20])
    Path("text").write_text("label,pixel\n1,2\n")
    Path("none").mkdir()
    folder()
    Path("mnist/train-labels-idx1-ubyte").unlink()
    assert "data.path: data=idx needs a folder" in refused()
    assert "data.images: is not given, and no file in data.path has train and images" in refused(path="none")
    assert "data.path=nowhere: there is no such folder" in refused(path="nowhere")
    assert "data.labels: is not given, and no file in data.path has train and labels" in refused(path="mnist")
    assert "data.labels: is not given" in refused(images=images)
    assert "data.images=nowhere: cannot be read: No such file" in refused(images="nowhere", labels=labels)
    assert "data.images=cut: is cut off or damaged" in refused(images="cut", labels=labels)
    assert "data.images=head: is cut off or damaged" in refused(images="head", labels=labels)
    assert "data.images=cut.gz: cannot be read" in refused(images="cut.gz", labels=labels)
    assert "data.images=text: is no IDX file" in refused(images="text", labels=labels)
    assert "must be (n, h, w) and (n,)" in refused(images=labels, labels=images)
    short = written("short", LABELS[:9])
    assert "data.images holds 20 pictures, but data.labels 9 labels" in refused(images=images, labels=short)
    wide = written("wide", OTHERS.reshape(6, 3, 4))
    second = written("second", THEIRS)
    said = refused(images=images, labels=labels, validation_images=wide, validation_labels=second)
    assert "data.validation_images: (3, 4) pixels, those to train on have (4, 3)" in said


def test_the_command_reads_a_folder() -> None:
    folder()
    words = ["data=idx", "data.path=mnist", "training.epochs=1", "optimizer.lr=0.01", "tracking.figures=false"]
    status, _, err = answered(words)  # a plain regression on the labels' numbers
    assert status == 0, err
