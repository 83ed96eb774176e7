"""Tables that are broken, strange or enormous in their numbers, and requests to train on them."""
# ruff: noqa: E501

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

CELLS = (
    "1", "2.5", "-3", "0", "1e308", "2e308", "-2e308", "1e-320", "nan", "inf", "-inf", "", " ", "NA", "null", "x", "1,5",
    "1.000,5", "0x10", "true", "2020-01-01", "12:30", '"1"', "'1'", '"a""b"', '"', "数", "é", "\x1b[31m", "\x00", "\u202e",
    "9" * 400, "1e", "+1", "--1", "1 2", "½", "=1+1", "999999999999999999999", "\t", "%d",
)  # fmt: skip
NAMES = (
    "y", "a", "b", "temp", "", " ", "y", "a,b", '"q"', "a/b", "../x", "数", "\x1b[31m", "x" * 300, "loss/train", "bias",
    "a.b", "a b", "=", "$", "${seed}", "None", "1", "\u202e",
)  # fmt: skip
KEYS = {
    "data.targets": ("[y]", "[nope]", "[]", "y", "[y,y]", "[a]", "null", "['']"),
    "data.inputs": ("[a]", "[a,b]", "[y]", "[]", "[nope]", "null"),
    "data.validation": ("0.2", "0.99", "1", "-0.1"),
    "data.standardize": ("true",),
    "data.missing": ("drop", "mean", "nope"),
    "data.one_hot": ("[b]", "[a]", "[y]", "[nope]", "[]"),
    "data.units": ("{a: mm}", "{nope: mm}", "{}", "[a]"),
    "data.validation_column": ("b", "nope", "y"),
    "data.validation_path": ("nope.csv", "t.csv", "."),
    "data.block_rows": ("1", "3"),
    "training.batch_size": ("null", "1", "1000"),
    "model": ("manual", "analytic"),
    "optimizer": ("adam", "manual_sgd"),
    "optimizer.lr": ("auto", "1e-3"),
    "device.dtype": ("float64",),
}


def odd_table(dice: random.Random) -> tuple[str, bytes, list[str]]:
    """A file's name and bytes, and the words that ask to train on it."""
    kind = dice.choice(("csv", "csv", "csv", "tsv", "parquet", "arrow", "feather", "npy", "npz", "xlsx", ""))
    content = {"csv": _text, "tsv": _text, "npy": _npy, "npz": _npz, "xlsx": _text, "": _text}.get(kind, _frame)(
        dice, kind
    )
    if dice.random() < 0.15 and content:
        content = _spoilt(content, dice)
    words = [f"data={dice.choice(('table', 'table', 'stream'))}", f"data.path=t.{kind}" if kind else "data.path=t"]
    words.append(f"data.targets={dice.choice(KEYS['data.targets'])}" if dice.random() < 0.2 else "data.targets=[y]")
    for key in dice.sample([k for k in KEYS if k != "data.targets"], dice.choice((0, 0, 1, 2))):
        words.append(f"{key}={dice.choice(KEYS[key])}")
    return f"t.{kind}" if kind else "t", content, words


def write(table: tuple[str, bytes, list[str]], folder: Path) -> list[str]:
    """Put the file into `folder`; the words."""
    name, content, words = table
    (folder / name).write_bytes(content)
    return words


def _names(dice: random.Random) -> list[str]:
    if dice.random() < 0.85:
        return ["a", "b", "y"]
    return [dice.choice(NAMES) for _ in range(dice.randint(1, 5))]


def _text(dice: random.Random, kind: str) -> bytes:
    comma = "\t" if kind == "tsv" else dice.choice((",", ",", ",", ",", ",", ";", "|"))
    names = _names(dice)
    lines = [comma.join(names)]
    spoil = dice.choice((0, 0, 0, 0.02, 0.3))
    for _ in range(dice.choice((0, 1, 2, 20, 20, 200))):
        cells = [dice.choice(CELLS) if dice.random() < spoil else f"{dice.gauss(0, 1):.3f}" for _ in names]
        if dice.random() < spoil / 5:
            cells = cells[: dice.randint(0, len(cells))] + ["7"] * dice.randint(0, 2)
        lines.append(comma.join(cells))
    text = dice.choice(("\n", "\n", "\n", "\r\n", "\r")).join(lines) + dice.choice(("", "\n", "\n\n", "\x00"))
    encoded = text.encode(dice.choice(("utf-8", "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")), errors="replace")
    return encoded if dice.random() < 0.9 else encoded.replace("é".encode(), b"\xe9\xff")


def _frame(dice: random.Random, kind: str) -> bytes:
    rows, columns = dice.choice((0, 1, 2, 30, 100)), {}
    for name in dict.fromkeys(_names(dice)):
        columns[name] = dice.choice((
            [dice.gauss(0, 1) for _ in range(rows)], [dice.gauss(0, 1) for _ in range(rows)], [None] * rows, [True] * rows,
            list(range(rows)), ["x"] * rows, [1e308 * (-1) ** k for k in range(rows)], [float("nan")] * rows,
            [[1.0]] * rows, [b"x"] * rows, [{"a": 1}] * rows, [2.0] * rows, [2**62 + k for k in range(rows)],
        ))  # fmt: skip
    out = io.BytesIO()
    frame = pl.DataFrame(columns)
    frame.write_parquet(out) if kind == "parquet" else frame.write_ipc(out)
    return out.getvalue()


def _array(dice: random.Random) -> Any:
    shape = dice.choice(((20, 3), (20, 3), (20, 3), (0, 3), (3,), (), (1, 1), (2, 2, 2), (5, 0)))
    kind = dice.choice(("f8", "f8", "f4", "i8", "?", "c16", "U3", "O", "f2", "M8[s]"))
    numbers = np.atleast_1d(np.random.default_rng(dice.randrange(2**32)).normal(size=shape)) * dice.choice((1, 1e300))
    return numbers.astype("i8").astype(kind) if kind == "M8[s]" else numbers.astype(kind)


def _npy(dice: random.Random, kind: str) -> bytes:
    out = io.BytesIO()
    with np.errstate(all="ignore"):
        np.save(out, _array(dice), allow_pickle=True)
    return out.getvalue()


def _npz(dice: random.Random, kind: str) -> bytes:
    out = io.BytesIO()
    with np.errstate(all="ignore"):
        np.savez(out, **{name: _array(dice) for name in dice.choice((("x", "y"), ("a",), ("x", "y", "names"), ()))})
    return out.getvalue()


def _spoilt(content: bytes, dice: random.Random) -> bytes:
    """Truncated, or with some bytes changed."""
    if dice.random() < 0.4:
        return content[: dice.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(dice.choice((1, 3, 30))):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)
