"""Runs in forked processes that are killed with SIGKILL, at a random moment or inside a chosen system call.

The hook is Python's own profiler, which sees every call of a C function: nothing in the code under test knows of
it. A fork costs milliseconds where a new interpreter would import torch for seconds.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c

from experiments.config.schema import GROUPS, Config, Device, Tracking, Training
from experiments.running import runner
from experiments.tracking.checkpoint import decode
from experiments.tracking.lock import clear

TOUCHING = {
    "write", "flush", "fsync", "rename", "replace", "unlink", "remove", "truncate", "mkdir", "rmdir", "open",
    "close", "flock", "ftruncate", "seek",
}  # fmt: skip
"""Names of the C functions through which a run touches its folder."""


def make_config(
    model: str = "linear", optimizer: str = "sgd", schedule: str = "constant", loss: str = "mse", data: str = "crops",
    training: dict[str, Any] | None = None, tracking: dict[str, Any] | None = None, **keys: Any,
) -> Config:  # fmt: skip
    """A config from the schema's defaults; `data__standardize=True` sets a key of a group."""
    chosen = {"model": model, "optimizer": optimizer, "schedule": schedule, "loss": loss, "data": data}
    nodes = {}
    for group, choice in chosen.items():
        own = {k.partition("__")[2]: v for k, v in keys.items() if k.startswith(f"{group}__")}
        nodes[group] = GROUPS[group][choice](**own)
    return Config(
        **nodes, device=Device(name="cpu", **{k: v for k, v in keys.items() if k == "dtype"}), seed=keys.get("seed", 0),
        training=Training(**(training or {})), tracking=Tracking(**{"figures": False, **(tracking or {})}),
    )  # fmt: skip


def session(config: Config, folder: Path) -> None:
    """Begin the run in `folder`, or go on with it, whichever its files ask for."""
    if (folder / "result.json").exists():
        clear(folder)
    else:
        runner.run(config, folder, resumed=(folder / "config.json").exists())


def forked(work: Callable[[], object]) -> int:
    """The process id of a child that does `work` and ends."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(status)
    return pid


def ended(pid: int) -> int:
    """Wait for a child: its exit status, negative for the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def counted(work: Callable[[], object]) -> int:
    """How many calls that touch the folder `work` makes."""
    calls = 0

    def watch(frame: Any, event: str, function: Any) -> None:
        nonlocal calls
        calls += event in ("c_call", "c_return") and function.__name__ in TOUCHING

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def die_at(number: int, torn: float) -> None:
    """Kill this process at the number-th call, before it or after it; of a file being written, `torn` of it is."""
    calls = 0

    def watch(frame: Any, event: str, function: Any) -> None:
        nonlocal calls
        if event not in ("c_call", "c_return") or function.__name__ not in TOUCHING:
            return
        calls += 1
        if calls < number:
            return
        content, file = frame.f_locals.get("content"), frame.f_locals.get("file")
        if event == "c_call" and function.__name__ == "write" and isinstance(content, bytes) and file is not None:
            os.write(file.fileno(), content[: int(torn * len(content))])
        os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def killed_at_call(config: Config, folder: Path, number: int, torn: float) -> bool:
    """One session that dies at the number-th call; whether it did (it may have fewer)."""

    def work() -> None:
        die_at(number, torn)
        session(config, folder)

    return ended(forked(work)) == -signal.SIGKILL


def killed_after(config: Config, folder: Path, seconds: float) -> bool:
    """One session that is killed after `seconds`; whether it was still running."""
    pid = forked(lambda: session(config, folder))
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    return ended(pid) == -signal.SIGKILL


def unreadable(folder: Path) -> list[str]:
    """Files of a cut off run that can't be read: JSON, checkpoints, weights. Temporary files are passed over."""
    found = []
    for path in [p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".tmp")]:
        try:
            if path.suffix == ".json":
                json.loads(path.read_bytes())
            if path.suffix == ".safetensors":
                content = path.read_bytes()
                if path.parent.name == "checkpoint":
                    decode(content)
                    assert f"{google_crc32c.value(content):08x}" in path.name
        except (ValueError, AssertionError) as error:
            found.append(f"{path.name}: {error}")
    return found


def differences(folder: Path, reference: Path) -> list[str]:
    """What a resumed run has different from the undisturbed one, bit for bit; the time and the machine aside."""
    found = []
    for name in ("model.safetensors", "metrics.jsonl", "config.json"):
        if (folder / name).read_bytes() != (reference / name).read_bytes():
            found.append(name)
    ours, theirs = (json.loads((f / "result.json").read_bytes()) for f in (folder, reference))
    for key in theirs:
        if key not in ("timing", "environment") and ours[key] != theirs[key]:
            found.append(f"result.json: {key} is {ours[key]}, not {theirs[key]}")
    if scalars(folder) != scalars(reference):
        found.append("the event file's scalars")
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if "tfevents" not in p.name}
    wanted = {p.relative_to(reference).as_posix() for p in reference.rglob("*") if "tfevents" not in p.name}
    if names != wanted:
        found.append(f"files {sorted(names ^ wanted)}")
    figures = [
        p for p in reference.glob("figures/*.png") if p.read_bytes() != (folder / "figures" / p.name).read_bytes()
    ]
    return found + [f"figures/{p.name}" for p in figures]


def scalars(folder: Path) -> list[tuple[int, str, str]]:
    """Every scalar of a run's one event file, in the order of the file."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto import event_pb2

    files = list(folder.glob("*tfevents*"))
    assert len(files) == 1, files
    read = []
    for record in RawEventFileLoader(str(files[0])).Load():
        event = event_pb2.Event.FromString(record)  # type: ignore[attr-defined]  # made at run time
        for value in event.summary.value:
            if value.HasField("simple_value"):
                read.append((event.step, value.tag, repr(value.simple_value)))
    return read


def trial(config: Config, folder: Path, reference: Path, calls: int, seconds: float, dice: random.Random) -> list[str]:
    """Kill the run one to three times, let it end, compare: problems, the first entry the number of kills."""
    kills, problems = 0, []
    for _ in range(dice.randint(1, 3)):
        if dice.random() < 0.6:
            kills += killed_at_call(config, folder, dice.randint(1, calls), dice.random())
        else:
            kills += killed_after(config, folder, dice.uniform(0, 1.2 * seconds))
        problems += unreadable(folder) if folder.exists() else []
    if (status := ended(forked(lambda: session(config, folder)))) != 0:
        problems.append(f"resuming ended with status {status}")
    else:
        problems += differences(folder, reference)
    return [str(kills), *problems]
