"""Sweeps that other processes train: a model that kills them, and what two sweeps must have alike."""

import os
from pathlib import Path

import pytest

SWEPT = ["seed=range(0,4)", "training.batch_size=5,3,2", "training.epochs=3"]
"""Three packs."""
DEADLY = """
import os, signal
from pathlib import Path
from torch import nn

class Deadly(nn.Linear):
    '''Its first process ends, unless that is the sweep's own.'''

    def __init__(self, in_features, out_features):
        super().__init__(in_features, out_features)
        if os.getpid() != int(Path("parent").read_text()) and Path("deadly").exists():
            Path("deadly").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
"""


def deadly_model(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The overrides for a model of the user's own that kills the next worker which builds it."""
    Path("deadly_model.py").write_text(DEADLY)
    Path("parent").write_text(str(os.getpid()))
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", "deadly_model")
    monkeypatch.syspath_prepend(os.getcwd())
    return ["model._target_=deadly_model.Deadly", "~model.bias", "~model.init"]


def bits(folder: str) -> dict[str, bytes]:
    """What a sweep left that depends on no clock, by path; of event files that they are there."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix().partition("events.out.tfevents")[0]
        if path.is_file():
            found[name] = (
                path.read_bytes() if path.name in ("model.safetensors", "metrics.jsonl", "config.json") else b""
            )
    return found
