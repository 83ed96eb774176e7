"""Whole processes beside a plain @hydra.main script, and what answers without torch beside `import torch`.

    python benchmarks/startup.py [ROUNDS]

Bytecode is written, as on any ordinary machine, whatever PYTHONDONTWRITEBYTECODE says here.
The commands take turns, so that a busy moment of the machine meets them all; a ratio is that of the medians.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
PYTHON, EXPERIMENTS = sys.executable, [sys.executable, "-m", "experiments"]
QUIET = "tracking.figures=false"
PLAIN, TORCH = "plain script", "import torch"
COMMANDS = {
    PLAIN: [PYTHON, str(HERE / "plain_script.py")],
    "tutorial run": [*EXPERIMENTS, QUIET],
    "the same, loader=torch": [*EXPERIMENTS, QUIET, "data.loader=torch"],
    "manual, manual_sgd": [*EXPERIMENTS, QUIET, "model=manual", "optimizer=manual_sgd"],
    TORCH: [PYTHON, "-c", "import torch"],
    "--help": [*EXPERIMENTS, "--help"],
    "--cfg job": [*EXPERIMENTS, "--cfg", "job"],
    "config error": [*EXPERIMENTS, "optimizer.lr=-1"],
    "unknown key": [*EXPERIMENTS, "optimizer.lrr=1"],
}
BESIDE = {
    "tutorial run": (PLAIN, 1.10),
    "the same, loader=torch": (PLAIN, None),
    "manual, manual_sgd": (PLAIN, 0.65),
    "--help": (TORCH, 0.5),
    "--cfg job": (TORCH, 0.5),
    "config error": (TORCH, 0.5),
    "unknown key": (TORCH, 0.5),
}
REFUSED = ("config error", "unknown key")


def main(rounds: int) -> None:
    """Print the medians and the ratios."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, command in COMMANDS.items():
                began = time.perf_counter()
                subprocess.run(
                    command,
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    check=name not in ("config error", "unknown key"),
                )
                seconds[name].append(time.perf_counter() - began)
    for name, times in seconds.items():
        line = f"{name:24} {median(times):6.2f} s"
        if name in BESIDE:
            peer, aim = BESIDE[name]
            ratio = median(times) / median(seconds[peer])
            line += f"  {ratio:5.2f} of {peer}" + (f" (aim: at most {aim:.2f})" if aim else "")
        print(line)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
