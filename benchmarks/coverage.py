"""How often intervals that say 95 % hold the truth: python -m benchmarks.coverage [COMPARISONS] (default 10000).

Ours beside scipy's bootstrap (BCa, 999 resamples), over simulated settings of n seeds whose metric is normal, skewed
(exponential) or has heavy tails (Student's t of 3 degrees). `pairs`: two settings with shared seeds. `others`: without;
`spread 3`: and the first spreads three times as much. `one`: the interval around one setting (`--band interval`).
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from experiments.comparison.deciding import compared
from experiments.comparison.groups.bands import LEVEL, TRIM, around

Draw = Callable[[tuple[int, int]], np.ndarray]
rng = np.random.default_rng(3)
LAWS: dict[str, tuple[Draw, Any]] = {
    "normal": (rng.standard_normal, stats.norm),
    "skewed": (rng.standard_exponential, stats.expon),
    "heavy tails": (lambda shape: rng.standard_t(3, shape), stats.t(3)),
}
CENTRES: dict[str, Callable[..., np.ndarray]] = {
    "mean": np.mean,
    "iqm": lambda values, axis: stats.trim_mean(values, TRIM, axis=axis),
    "median": np.median,
}
KINDS = {"pairs": 1.0, "others": 1.0, "others, spread 3": 3.0, "one": 1.0}


def truth(law: Any, statistic: str) -> float:
    """The mean, interquartile mean or median of a law."""
    if statistic == "median":
        return float(law.median())
    ends = {"lb": law.ppf(TRIM), "ub": law.ppf(1 - TRIM)} if statistic == "iqm" else {}
    return float(law.expect(**ends)) / (1 - 2 * TRIM if ends else 1)


def bootstrapped(samples: list[np.ndarray], statistic: str) -> tuple[np.ndarray, np.ndarray]:
    """Low and high (comparisons,) of the centre of samples (n, comparisons), or of the difference of two of them."""
    of = CENTRES[statistic]

    def found(*parts: np.ndarray, axis: int) -> np.ndarray:
        return of(parts[0], axis=axis) - (of(parts[1], axis=axis) if len(parts) > 1 else 0)

    lows, highs = [], []
    for start in range(0, samples[0].shape[1], 200):
        few = [part[:, start : start + 200] for part in samples]
        with np.errstate(all="ignore"):  # resamples that are all alike
            result = stats.bootstrap(few, found, vectorized=True, n_resamples=999, batch=100, axis=0, rng=rng)
        lows.append(result.confidence_interval.low)
        highs.append(result.confidence_interval.high)
    return np.concatenate(lows), np.concatenate(highs)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print("| | n | " + " | ".join(f"{law}: ours | BCa" for law in LAWS) + " |\n|---|---|" + "---|---|" * len(LAWS))
    for kind, spread in KINDS.items():
        for statistic in CENTRES:
            if kind.startswith("others") and statistic == "median":
                continue  # refused
            for n in (5, 10, 30):
                line = []
                for draw, law in LAWS.values():
                    ours, theirs = spread * draw((n, count)), draw((n, count))
                    true, samples = (spread - 1) * truth(law, statistic), [ours, theirs]
                    if kind == "one":
                        true, samples = truth(law, statistic), [ours]
                        low, high = around(ours, statistic, "interval")[1:]
                    else:
                        low, high = compared(ours, theirs, kind == "pairs", statistic)[1:3]
                    if kind == "pairs":
                        samples = [ours - theirs]
                    for ends in ((low, high), bootstrapped(samples, statistic)):
                        line.append(f"{100 * ((ends[0] <= true) & (true <= ends[1])).mean():.1f}")
                print(f"| {statistic}, {kind} | {n} | {' | '.join(line)} |", flush=True)
    print(f"of {count} each; aim {100 * LEVEL:.0f}")


if __name__ == "__main__":
    main()
