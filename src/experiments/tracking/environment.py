"""What a result depends on besides its config: versions, the commit, the device, the command."""

import hashlib
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("experiments", "torch", "numpy", "hydra-core", "omegaconf", "tensorboard")


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result can depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # run from a checkout that was not installed
            continue
    return found


@cache
def commit() -> dict[str, Any]:
    """`git_commit`, and `git_dirty`: digits of the uncommitted difference; both null outside a checkout."""
    folder = Path(__file__).resolve().parents[3]
    if not (folder / ".git").exists():
        folder = Path.cwd()
    head = _git(folder, "rev-parse", "HEAD")
    difference = _git(folder, "diff", "HEAD") if head else None
    dirty = hashlib.sha256(difference.encode()).hexdigest()[:16] if difference else None
    return {"git_commit": head or None, "git_dirty": dirty}


def describe(device: str, threads: int, dtype: str, data_hash: str) -> dict[str, Any]:
    """The `environment` of result.json."""
    return {
        "versions": versions(),
        **commit(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "platform": platform.platform(),
        "device": device,
        "threads": threads,
        "dtype": dtype,
        "data_hash": data_hash,
    }


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, errors="replace", timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
