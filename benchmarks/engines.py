"""What joblib, Ray and submitit's local executor add to the local engine, on a minute of packs for two workers.

    python benchmarks/engines.py [SECONDS] [ENGINE ...]

Whole processes of one sweep without folders; of each engine's time that of a sweep of two small packs is taken off,
which is its start-up: told apart. The work is what SECONDS (60) of two local workers do, at most 5 per cent may come on
top. Ray starts a cluster for each sweep. Engines that are not installed are left out.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time

ENGINES = {
    "local": [], "joblib": ["hydra.launcher.engine=joblib"],
    "ray": ["hydra.launcher.engine=ray", "hydra.launcher.address=local"],
    "submitit": ["hydra.launcher.engine=submitit", "hydra.launcher.cluster=local"],
}  # fmt: skip
PACK = 512
"""Jobs of a pack."""


def swept(engine: str, packs: int, folder: str) -> float:
    """Seconds of the whole process."""
    words = [
        f"seed=range(0,{packs * PACK})", "training.epochs=1000", "training.batch_size=4", "sweep.keep=none",
        "sweep.curves=none", "hydra.launcher.workers=2", f"hydra.sweep.dir={folder}/{engine}-{packs}",
    ]  # fmt: skip
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "experiments", "-m", *words, *ENGINES[engine]],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def main(seconds: float, engines: list[str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        few, more = swept("local", 2, folder), swept("local", 6, folder)
        each = (more - few) / 4
        packs = max(8, round(seconds / each / 2) * 2)
        print(f"a pack of {PACK} jobs takes {2 * each:.1f} s of a worker; {packs} packs; load {os.getloadavg()[0]:.1f}")
        alone = 0.0
        for engine in engines:
            start = few if engine == "local" else swept(engine, 2, folder)
            took = swept(engine, packs, folder) - start
            alone = alone or took
            print(f"{engine:9}{took:7.1f} s, {took / alone - 1:+.1%} (aim: at most +5%); started in {start:.1f} s")


if __name__ == "__main__":
    asked = [word for word in sys.argv[1:] if word in ENGINES]
    numbers = [float(word) for word in sys.argv[1:] if word not in ENGINES]
    there = [e for e in ENGINES if e == "local" or e in asked or (not asked and importlib.util.find_spec(e))]
    main(numbers[0] if numbers else 60.0, there)
