"""Correct digits of the exact optimum on NIST's certified data sets: ours in memory, ours streamed, and the peers.

    python benchmarks/digits.py            # a table; --rows 60000 for the second one

The second table repeats the rows of each set until they are too many to be kept and refined: the certified
coefficients stay what they are, and what is measured is the one streamed pass that a table larger than memory gets.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LinearRegression

from experiments.data.prepared import Preparation
from experiments.data.sources.stream import Stream
from experiments.exact.optimum import Optimum, solve

NIST = Path(__file__).parents[1] / "tests" / "exact" / "nist"
BLOCK_ROWS = 4096
COLUMNS = ("memory", "stream", "numpy", "gelsy", "gelsd", "gels", "sklearn")


def certified(name: str) -> tuple[np.ndarray, np.ndarray, bool, np.ndarray]:
    """x (n, features), y (n, 1), whether there is an intercept, and NIST's coefficients, the intercept first."""
    path = NIST / f"{name}.txt"
    words = path.read_text().splitlines()[2].removeprefix("# certified:").split()
    table, bias, values = np.loadtxt(path), not name.startswith("noint"), np.array([float(word) for word in words])
    power = np.arange(1, len(values) + 1 - bias)
    x = table[:, 1:] if table.shape[1] == len(power) + 1 else table[:, 1:2] ** power
    return x, table[:, :1], bias, values


def digits(found: np.ndarray, values: np.ndarray) -> float:
    """Correct significant digits of the worst coefficient, at most 16."""
    error = float(np.max(np.abs(found - values) / np.abs(values)))
    return 16.0 if error == 0 else min(16.0, -np.log10(error))


def listed(found: Optimum, bias: bool) -> np.ndarray:
    return np.r_[found.bias, found.weight[0]] if bias else found.weight[0]


def streamed(x: np.ndarray, y: np.ndarray, bias: bool) -> Optimum:
    """What data=stream finds in its one pass over a file of these rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.npy"
        np.save(path, np.hstack([x, y]))
        source = Stream(path=str(path), targets=[f"c{x.shape[1] + 1}"], block_rows=BLOCK_ROWS)
        return source.prepared(Preparation(bias=bias, dtype=torch.float64)).optimum(bias)


def measured(name: str, rows: int) -> dict[str, float]:
    """Digits by solver, with the set's rows repeated to at least `rows`."""
    x, y, bias, values = certified(name)
    times = -(-rows // len(x)) if rows else 1
    x, y = np.tile(x, (times, 1)), np.tile(y, (times, 1))
    a = np.hstack([np.ones((len(x), 1)), x]) if bias else x
    found: dict[str, Any] = {
        "memory": listed(solve(x, y, bias), bias), "stream": listed(streamed(x, y, bias), bias),
        "numpy": np.linalg.lstsq(a, y, rcond=None)[0][:, 0],
    }  # fmt: skip
    for driver in ("gelsy", "gelsd", "gels"):
        found[driver] = torch.linalg.lstsq(torch.from_numpy(a), torch.from_numpy(y), driver=driver).solution[:, 0]
    model = LinearRegression(fit_intercept=bias, tol=0).fit(x, y[:, 0])
    found["sklearn"] = np.r_[model.intercept_, model.coef_] if bias else model.coef_
    return {solver: digits(np.asarray(coefficients), values) for solver, coefficients in found.items()}


def table(rows: int) -> bool:
    """Print the table; whether memory and stream are everywhere within a digit of the best peer."""
    held = True
    print(f"{'':9}" + "".join(f"{name:>9}" for name in COLUMNS) + "  best peer less one")
    for path in sorted(NIST.glob("*.txt")):
        found = measured(path.stem, rows)
        least = max(found[name] for name in COLUMNS[2:]) - 1
        good = min(found["memory"], found["stream"]) >= least
        held &= good
        word = "holds" if good else "FALLS SHORT"
        print(f"{path.stem:9}" + "".join(f"{found[name]:9.1f}" for name in COLUMNS) + f"  {least:.1f} {word}")
    return held


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=300_000, help="rows of the second table, at least")
    asked = parser.parse_args()
    print("as NIST has them")
    whole = table(0)
    print(f"\nrepeated to {asked.rows:,} rows, in blocks of {BLOCK_ROWS}")
    return 0 if table(asked.rows) and whole else 1


if __name__ == "__main__":
    sys.exit(main())
