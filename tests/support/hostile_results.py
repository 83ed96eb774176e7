"""Folders of finished runs made by somebody who means harm: what tests/hostile.py has not, since a run that is still
going on lacks the files: result.json, model.safetensors, encoding.json."""

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.hostile import ESCAPES, LEVELS, Builder, Canary, header, with_fifo, with_file, with_link, with_sparse

WEIGHTS = "model.safetensors"


def result(**changes: Any) -> Builder:
    """A result.json with other values; `a__b` is a key below another."""

    def change(content: bytes) -> bytes:
        stored = json.loads(content)
        for path, value in changes.items():
            *sections, name = path.split("__")
            node = stored
            for section in sections:
                node = node[section]
            node[name] = value
        return json.dumps(stored).encode()

    return with_file("result.json", change)


def weights(**changes: Any) -> Builder:
    """A model.safetensors whose header says something else about the weight."""
    return with_file(WEIGHTS, lambda b: header(b, lambda fields: fields["weight"].update(changes)))


def config(**changes: Any) -> Builder:
    """A config.json with keys added at its top."""
    return with_file("config.json", lambda b: json.dumps({**json.loads(b), **changes}).encode())


def encoding(content: Any) -> Builder:
    return with_file("encoding.json", lambda b: json.dumps(content).encode())


def unfinished(change: Callable[[bytes], bytes]) -> Builder:
    """A run without a result, whose last logged values are shown."""

    def build(folder: Path, canary: Canary) -> None:
        (folder / "result.json").unlink()
        with_file("metrics.jsonl", change)(folder, canary)

    return build


class Bomb:
    """A pickle that would give itself away."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> Any:
        return exec, (self.code,)


def with_pickle(folder: Path, canary: Canary) -> None:
    (folder / WEIGHTS).write_bytes(pickle.dumps(Bomb(canary.code())))


BUILDERS: dict[str, Builder] = {
    "result: escapes in names": result(features=[ESCAPES, "b", "c"], targets=[ESCAPES + "2", "\u202e"]),
    "result: escapes everywhere": result(
        environment__data_hash=ESCAPES, environment__git_commit=ESCAPES, environment__versions={ESCAPES: ESCAPES},
        units={"apples": ESCAPES}, executed=ESCAPES, config_hash=ESCAPES, error={"type": ESCAPES, "message": ESCAPES},
        metrics__rmse=[1.0, 2.0], rows={ESCAPES: ESCAPES}, timing={ESCAPES: 1.0},
    ),
    "result: a thousand names": result(features=[f"{n}{ESCAPES}" for n in range(1000)]),
    "result: a name twice": result(features=["a", "a", "b"]),
    "result: numbers without bounds": result(
        metrics__gap=10**300, metrics__train_loss=-(10**25), epochs=2**70, seed=10**30, timing__total_seconds=1e308,
    ),
    "result: ranges of anything": result(ranges={"temp": [1e308, -1e308], "rainfall": [True, False], "x": ESCAPES}),
    "result: units no mapping": result(units=[ESCAPES], ranges=ESCAPES),
    "result: deep below": result(environment__versions={"a": json.loads("[" * 500 + "]" * 500)}),
    "result: shorter names": result(features=["temp"], targets=["apples"]),
    "result: a target twice over": result(metrics__r2=[1.0] * 10_000, metrics__rmse=["x"]),
    "result: NaN as Python writes it": with_file("result.json", lambda b: b.replace(b"null", b"NaN", 1)),
    "config: keys called as the metrics are": config(
        run="x", status=ESCAPES, gap={"a": 1}, folder=1, seconds=None, train_loss="x", config_hash=[1],
    ),
    "config: keys that look alike": config(**{f"a{c}b": n for n, c in enumerate("\x00\x01\x1b \n")}),
    "config: sections of other types": config(model=[["x"]], optimizer=3, data=None),
    "config: a model without bounds": config(
        model={"_target_": "torch.nn.Linear", "device": "cuda", "dtype": ESCAPES, "init": "uniform", "bias": [1]},
    ),
    "config: an embedding of terabytes": config(
        model={"_target_": "torch.nn.Embedding", "num_embeddings": 10**12, "embedding_dim": 64},
    ),
    "config: an embedding of gigabytes": config(
        model={"_target_": "torch.nn.Embedding", "num_embeddings": 4 * 10**7, "embedding_dim": 64},
    ),
    "config: a module of other inputs": config(
        model={"_target_": "torch.nn.Bilinear", "in1_features": 3, "in2_features": 3, "out_features": 2},
    ),
    "config: a module without weights": config(model={"_target_": "torch.nn.Identity"}),
    "weights: link": with_link(WEIGHTS, "kept"),
    "weights: FIFO": with_fifo(WEIGHTS),
    "weights: 10 GB": with_sparse(WEIGHTS),
    "weights: cut": with_file(WEIGHTS, lambda b: b[:-5]),
    "weights: empty": with_file(WEIGHTS, lambda b: b""),
    "weights: header of 2^63 bytes": with_file(WEIGHTS, lambda b: struct.pack("<Q", 2**63) + b[8:]),
    "weights: header no JSON": with_file(WEIGHTS, lambda b: b[:8] + b"\0" * (len(b) - 8)),
    "weights: header deep": with_file(WEIGHTS, lambda b: struct.pack("<Q", 2 * LEVELS) + b"[" * LEVELS + b"]" * LEVELS),
    "weights: offsets beyond the end": weights(data_offsets=[0, 2**40]),
    "weights: shape that lies": weights(shape=[2**31, 2**31]),
    "weights: other shape": weights(shape=[3, 2]),
    "weights: other type": weights(dtype="I32"),
    "weights: type that numpy lacks": weights(dtype="F8_E4M3", shape=[2, 12]),
    "weights: bfloat16": weights(dtype="BF16", shape=[2, 6]),
    "weights: unknown type": weights(dtype=ESCAPES),
    "weights: no weight": with_file(WEIGHTS, lambda b: header(b, lambda f: f.update({ESCAPES: f.pop("weight")}))),
    "weights: pickle": with_pickle,
    "encoding: link": with_link("encoding.json", "kept"),
    "encoding: FIFO": with_fifo("encoding.json"),
    "encoding: deep": with_file("encoding.json", lambda b: b"[" * LEVELS),
    "encoding: other names": encoding({"inputs": [ESCAPES], "levels": {}, "means": {}}),
    "encoding: other types": encoding({"inputs": ["a"], "levels": {"a": [1, None]}, "means": {}}),
    "encoding: levels of escapes": encoding(
        {"inputs": ["temp", "rainfall", "humidity"], "levels": {"x": [ESCAPES]}, "means": {ESCAPES: 1}}
    ),
    "metrics: tags of escapes": unfinished(
        lambda b: b'{"epoch": 1, "step": 1, ' + json.dumps(ESCAPES).encode() + b': 1.0, "loss/train": "x"}\n'
    ),
    "metrics: values of other types": unfinished(
        lambda b: b'{"epoch": 1, "loss/train": [[]], "loss/gap": {"a": 1}, "optimizer/lr": true}\n'
    ),
    "metrics: numbers without bounds": unfinished(
        lambda b: b'{"epoch": 999999999999999999999999, "step": -1, "loss/train": 1e400}\n'
    ),
    "metrics: columns of several types": with_file(
        "metrics.jsonl", lambda b: b'{"epoch": 1, "a": 1}\n{"epoch": 2, "a": "x"}\n{"epoch": 3, "a": [1]}\n'
    ),
    "metrics: no end of columns": with_file(
        "metrics.jsonl", lambda b: b"".join(b'{"epoch": 1, "%d": 1}\n' % n for n in range(2_000))
    ),
}  # fmt: skip
