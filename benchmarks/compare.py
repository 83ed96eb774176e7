"""How long `experiments compare` takes: python -m benchmarks.compare [RUNS] (default 1000).

Each line is a whole process; the first is what starting Python and importing the libraries costs.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.stored_runs import write_runs


def seconds(*command: str) -> float:
    """The least of three runs of a Python command."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as place:
        write_runs(Path(place), runs)
        page = Path(place) / "page.html"
        start = seconds("-c", "import polars, experiments.comparison.runs_table, experiments.cli.commands.compare")
        table = seconds("-m", "experiments", "compare", place)
        html = seconds("-m", "experiments", "compare", place, "--html", str(page))
        print(f"start-up {start:.2f} s; table of {runs} runs {table:.2f} s; page {html:.2f} s")
        print(f"page {page.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
