"""Run folders made by somebody who means harm: each builder changes a copy of a good, unfinished run's folder.

What a command may do with one: use it as far as it is harmless, or refuse it in one line. What it may not do is
checked with `Canary`: import, execute or unpickle what the folder names, leave the folder, hang, or print escapes.
"""

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import orjson

from experiments.config.validation import config_hash

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31m<script>alert(1)</script>"
LEVELS = 20_000


class Canary:
    """A file outside the folder that must keep its content, and one that must never appear."""

    def __init__(self, place: Path) -> None:
        self.kept, self.never = place / "kept.txt", place / "never.txt"
        self.kept.write_text("kept")
        self.elsewhere = place / "elsewhere"
        self.elsewhere.mkdir()

    def harm(self) -> list[str]:
        """What went wrong."""
        found = [] if self.kept.read_text() == "kept" else ["a file outside the folder was changed"]
        found += ["code of the folder was run"] if self.never.exists() else []
        return found + [f"{p.name} was written outside the folder" for p in self.elsewhere.iterdir()]

    def code(self) -> str:
        """Python that gives itself away."""
        return f"open({str(self.never)!r}, 'w').write('run')\n"


Builder = Callable[[Path, Canary], object]
CONFIGS: dict[str, dict[str, Any]] = {
    "target os.system": {"model._target_": "os.system", "model.command": "touch never.txt"},
    "target through torch": {"optimizer._target_": "torch.nn.parallel.distributed.os.system"},
    "target builtins.eval": {"loss._target_": "builtins.eval"},
    "target a module of the folder": {"data._target_": "payload.Payload"},
    "target subprocess.Popen": {"data._target_": "subprocess.Popen", "data.args": ["touch", "never.txt"]},
    "target pickle.Unpickler": {"data._target_": "pickle.Unpickler"},
    "target an allowed package's function": {"schedule._target_": "torch.nn.functional.os.system"},
    "target a class of another kind": {"model._target_": "torch.optim.SGD"},
    "target no text": {"model._target_": ["os.system"]},
    "target with dots": {"model._target_": "..payload.Payload"},
    "target torch.hub": {"model._target_": "torch.hub.load"},
    "interpolated target": {"model._target_": "${oc.env:HOME}"},
    "interpolated option": {"model._target_": "torch.nn.Bilinear", "model.in1_features": "${oc.env:HOME}"},
    "interpolation in a name": {"data.inputs": ["${oc.env:HOME}"]},
    "custom resolver": {"optimizer.lr": "${oc.decode:'1'}"},
    "hydra's own words": {"model._partial_": True, "model._args_": ["x"]},
    "escapes in a key": {f"training.{ESCAPES}": 1},
    "escapes in a value": {"loss._target_": ESCAPES},
    "escapes in a column": {"data.inputs": [ESCAPES]},
    "trusts itself": {"trusted_modules": ["payload"], "model._target_": "payload.Payload"},
    "huge numbers": {"training.epochs": 2**64 - 1, "seed": -1},
    "enormous table": {"data._target_": "experiments.data.sources.synthetic.Synthetic", "data.n_rows": 10**15},
    "a text of a megabyte": {"model._target_": "x" * 900_000},
    "nothing": {"model": None, "optimizer": None},
    "other types": {"training": [1, 2], "seed": {"a": 1}, "device": "cpu"},
    "validation without an end": {"data.validation": 1e-320},
}  # fmt: skip


def changed(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A config with dotted keys set and its hash made right again."""
    for key, value in changes.items():
        section, dot, name = key.partition(".")
        if dot and isinstance(content.get(section), dict):
            content[section][name] = value
        else:
            content[key] = value
    return {**content, "config_hash": config_hash(content)}


def with_config(changes: dict[str, Any]) -> Builder:
    def build(folder: Path, canary: Canary) -> None:
        path = folder / "config.json"
        content = changed(json.loads(path.read_bytes()), changes)
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS))
        (folder / "payload.py").write_text(canary.code())

    return build


def with_file(name: str, content: Callable[[bytes], bytes]) -> Builder:
    """A file with other bytes; `*` in the name stands for the newest checkpoint, whose checksum is made right."""

    def build(folder: Path, canary: Canary) -> None:
        path = max(folder.glob(name)) if "*" in name else folder / name
        new = content(path.read_bytes() if path.exists() else b"")
        if "*" in name:
            path.unlink()
            path = path.with_name(f"{path.name.partition('-')[0]}-{google_crc32c.value(new):08x}.safetensors")
        path.write_bytes(new)

    return build


def with_link(name: str, target: str) -> Builder:
    """A link out of the folder: to the file that must be kept, or to the folder that must stay empty."""

    def build(folder: Path, canary: Canary) -> None:
        path = folder / name
        if path.is_dir():
            for inner in path.iterdir():
                inner.unlink()
            path.rmdir()
        path.unlink(missing_ok=True)
        path.symlink_to(getattr(canary, target))

    return build


def with_fifo(name: str) -> Builder:
    def build(folder: Path, canary: Canary) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return build


def with_sparse(name: str) -> Builder:
    """A file of 10 GB that takes no room."""

    def build(folder: Path, canary: Canary) -> None:
        path = max(folder.glob(name)) if "*" in name else folder / name
        with path.open("ab") as file:
            file.truncate(10 * 2**30)

    return build


def with_modules(folder: Path, canary: Canary) -> None:
    """Modules that shadow what a command imports, for when the folder is the current one."""
    for name in ("torch", "safetensors", "orjson", "yaml", "numpy", "hydra", "filelock", "sitecustomize", "polars"):
        (folder / f"{name}.py").write_text(canary.code())


def with_pickles(folder: Path, canary: Canary) -> None:
    """Pickles under every name that somebody may load."""

    class Bomb:
        def __reduce__(self) -> Any:
            return exec, (canary.code(),)

    bomb = pickle.dumps(Bomb())
    newest = max(folder.glob("checkpoint/*.safetensors"))
    for path in (folder / "model.pt", folder / "checkpoint/last.ckpt", newest, folder / ".hydra/config.pickle"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bomb)


def header(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A safetensors file with another header."""
    length = struct.unpack("<Q", content[:8])[0]
    fields = json.loads(content[8 : 8 + length])
    change(fields)
    new = json.dumps(fields).encode()
    return struct.pack("<Q", len(new)) + new + content[8 + length :]


def facts(**changes: Any) -> Callable[[bytes], bytes]:
    """A checkpoint with other facts."""

    def change(fields: dict[str, Any]) -> None:
        stored = json.loads(fields["__metadata__"]["facts"])
        fields["__metadata__"]["facts"] = json.dumps({**stored, **changes})

    return lambda content: header(content, change)


def tensor(name: str, **changes: Any) -> Callable[[bytes], bytes]:
    """A checkpoint whose header says something else about a tensor."""
    return lambda content: header(content, lambda fields: fields[name].update(changes))


NEWEST = "checkpoint/*.safetensors"
BUILDERS: dict[str, Builder] = {
    **{f"config: {name}": with_config(changes) for name, changes in CONFIGS.items()},
    "config: deep": with_file("config.json", lambda b: b'{"model":' + b"[" * LEVELS + b"]" * LEVELS + b"}"),
    "config: deep for orjson too": with_file("config.json", lambda b: b'{"a":' * 900 + b"1" + b"}" * 900),
    "config: not JSON": with_file("config.json", lambda b: b"!!python/object/apply:os.system ['touch never.txt']"),
    "config: a list": with_file("config.json", lambda b: b"[1, 2]"),
    "config: cut": with_file("config.json", lambda b: b[: len(b) // 2]),
    "config: empty": with_file("config.json", lambda b: b""),
    "config: no UTF-8": with_file("config.json", lambda b: b'{"model": "\xff\xfe"}'),
    "config: changed by hand": with_file("config.json", lambda b: b.replace(b'"seed": 0', b'"seed": 1')),
    "config: 10 GB": with_sparse("config.json"),
    "config: link": with_link("config.json", "kept"),
    "config: FIFO": with_fifo("config.json"),
    "result and checkpoint: links": lambda folder, canary: [
        with_link(*link)(folder, canary) for link in (("result.json", "kept"), ("checkpoint", "elsewhere"))
    ],
    "result: 10 GB": with_sparse("result.json"),
    "result: link": with_link("result.json", "kept"),
    "result: escapes": with_file("result.json", lambda b: json.dumps({"status": ESCAPES}).encode()),
    "result: deep": with_file("result.json", lambda b: b"[" * LEVELS),
    "metrics: link": with_link("metrics.jsonl", "kept"),
    "metrics: FIFO": with_fifo("metrics.jsonl"),
    "metrics: 10 GB": with_sparse("metrics.jsonl"),
    "metrics: other lines": with_file("metrics.jsonl", lambda b: b"[1]\n" * (len(b) // 4 + 1)),
    "metrics: no numbers": with_file("metrics.jsonl", lambda b: b.replace(b'"epoch":1', b'"epoch":"x"', 1)),
    "metrics: shorter": with_file("metrics.jsonl", lambda b: b[:9]),
    "log: link": with_link("run.log", "kept"),
    "checkpoint: link": with_link("checkpoint", "elsewhere"),
    "figures: link": with_link("figures", "elsewhere"),
    "checkpoint: 10 GB": with_sparse(NEWEST),
    "checkpoint: cut": with_file(NEWEST, lambda b: b[:-9]),
    "checkpoint: header of 2^63 bytes": with_file(NEWEST, lambda b: struct.pack("<Q", 2**63) + b[8:]),
    "checkpoint: no JSON": with_file(NEWEST, lambda b: b[:8] + b"\0" * (len(b) - 8)),
    "checkpoint: offsets beyond the end": with_file(NEWEST, tensor("generator", data_offsets=[0, 2**40])),
    "checkpoint: shape that lies": with_file(NEWEST, tensor("model.weight", shape=[2**31, 2**31])),
    "checkpoint: other type": with_file(NEWEST, tensor("model.weight", dtype="I32")),
    "checkpoint: other shape": with_file(NEWEST, tensor("model.weight", shape=[3, 2])),
    "checkpoint: generator full of ones": with_file(NEWEST, lambda b: b[:-5056] + b"\xff" * 5056),
    "checkpoint: facts no mapping": with_file(
        NEWEST, lambda b: header(b, lambda fields: fields.update(__metadata__={"facts": "1"}))
    ),
    "checkpoint: no metadata": with_file(NEWEST, lambda b: header(b, lambda f: f.pop("__metadata__"))),
    "checkpoint: epoch of a text": with_file(NEWEST, facts(epoch="1")),
    "checkpoint: epoch beyond": with_file(NEWEST, facts(epoch=10**9)),
    "checkpoint: metrics beyond": with_file(NEWEST, facts(metrics=10**15)),
    "checkpoint: metrics negative": with_file(NEWEST, facts(metrics=-5)),
    "checkpoint: metrics inside a line": with_file(NEWEST, facts(metrics=7)),
    "checkpoint: time without end": with_file(NEWEST, facts(train_seconds=1e308 * 10)),
    "checkpoint: optimizer of another": with_file(NEWEST, facts(optimizer={"99.exp_avg": 1.0, "x": None})),
    "checkpoint: facts missing": with_file(NEWEST, facts(step=None, status=None)),
    "checkpoint: escapes": with_file(NEWEST, facts(config_hash=ESCAPES)),
    "holder: escapes": with_file("checkpoint/holder.json", lambda b: json.dumps({"pid": 1, "host": ESCAPES}).encode()),
    "modules that shadow": with_modules,
    "pickles": with_pickles,
    "hydra's YAML": with_file(
        ".hydra/config.yaml", lambda b: b"a: &a [x,x]\nb: &b [*a,*a]\nc: !!python/object/apply:os.system [id]\n"
    ),
}  # fmt: skip
