"""A disk that is full, and one that is read-only, under a run and a sweep. Needs root, for a small tmpfs.

    python benchmarks/faults.py

Prints the line that each fault was answered with, how many jobs were whole, and how many after making room and resuming.
"""

# ruff: noqa: E501
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SWEEP = ["-m", "seed=range(0,60)", "training.batch_size=5,3", "training.epochs=40", "hydra.launcher.workers=2"]
RUN = ["training.epochs=3000", "training.checkpoint_every=50"]


def main() -> int:
    """Every fault under a run and a sweep; 1 where an answer is not one line with status 1, or a file is torn."""
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        disk = Path(place) / "disk"
        disk.mkdir()
        for what, arguments in (
            ("run", [*RUN, f"hydra.run.dir={disk}/r"]),
            ("sweep", [*SWEEP, f"hydra.sweep.dir={disk}/s"]),
        ):
            for fault in ("full", "read-only"):
                mount(
                    "-t",
                    "tmpfs",
                    "-o",
                    "size=200k" if fault == "full" and what == "run" else "size=2500k",
                    "tmpfs",
                    str(disk),
                )
                if fault == "read-only":
                    mount("-o", "remount,ro", str(disk))
                process = start(arguments, place)
                _, said = process.communicate(timeout=200)
                whole = count(disk)
                line = [x for x in said.splitlines() if not x.startswith(("warning: ", "note: "))]
                right = process.returncode == 1 and len(line) == 1 and line[0].startswith("error: ")
                mount("-o", "remount,rw,size=100m", str(disk), check=False)
                again = start(
                    ["resume", f"{disk}/{'r' if what == 'run' else 's'}"] if fault == "full" else arguments, place
                )
                _, after = again.communicate(timeout=300)
                right = right and again.returncode == 0
                bad += not right
                print(
                    f"{what}, {fault}: status {process.returncode}, {whole} whole; resumed: {again.returncode}, {count(disk)}"
                )
                print(
                    f"    {said.strip()[:300]}" + (f"\n    resumed: {after.strip()[:300]}" if again.returncode else ""),
                    flush=True,
                )
                subprocess.run(["umount", str(disk)], check=True)
    return 1 if bad else 0


def start(arguments: list[str], place: str) -> "subprocess.Popen[str]":
    """One command line as a process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "experiments", *arguments]
    return subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def mount(*arguments: str, check: bool = True) -> int:
    """mount(8)'s exit status."""
    return subprocess.run(["mount", *arguments], capture_output=True, check=check).returncode


def count(disk: Path) -> int:
    """The results there, each read; weights beside each."""
    found = list(disk.rglob("result.json"))
    for path in found:
        json.loads(path.read_bytes())
        assert (path.parent / "model.safetensors").stat().st_size > 0
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
