"""Run folders that look like a sweep's jobs, without any training: for benchmarks and tests of what reads them."""

import copy
import math
from pathlib import Path
from typing import Any

import orjson

from experiments.config.validation import config_hash, plain_config, validate

CONFIG: dict[str, Any] = {
    "model": {"_target_": "torch.nn.Linear", "init": "uniform", "bias": True},
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 1e-5, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0,
                  "nesterov": False},
    "schedule": {"_target_": "experiments.learning.schedules.Constant"},
    "loss": {"_target_": "experiments.learning.losses.MSE"},
    "data": {"inputs": None, "targets": None, "validation": 0.0, "split_seed": 0, "standardize": False,
             "loader": "tensor", "block_rows": 65536, "_target_": "experiments.data.sources.crops.Crops"},
    "device": {"name": "auto", "dtype": "float32", "threads": None},
    "seed": 0,
    "training": {"epochs": 100, "batch_size": 5, "log_every": 1, "shuffle": True, "patience": None,
                 "checkpoint_every": None, "max_seconds": None, "fail_on_divergence": False},
    "sweep": {"fail_fast": False, "dry_run": False, "resume": None, "objective": None},
    "tracking": {"tensorboard": True, "figures": None, "weights": None},
}  # fmt: skip
OPTIMUM = 0.9094459849188824
RESULT: dict[str, Any] = {
    "status": "completed", "seed": 0, "epochs": 100, "best_epoch": 100,
    "steps": 300, "lr": 1e-5, "executed": "stacked",
    "metrics": {"train_loss": 1.0, "validation_loss": None, "optimum_loss": OPTIMUM, "gap": 0.1,
                "gap_relative": 0.1, "r2": [0.97, 0.98], "rmse": [6.0, 5.0]},
    "parameters": {"weight": [[-0.18, 0.85, 0.36], [-0.12, 0.70, 0.79]], "bias": [-0.12, 0.29]},
    "optimum": {"weight": [[-0.42, 0.84, 0.68], [-0.25, 0.79, 0.92]], "bias": [2.2, -5.0]},
    "conditioning": {"lambda_max": 17928.97, "condition_number": 2200917.9, "max_stable_lr": 1.1155e-4},
    "features": ["temp", "rainfall", "humidity"], "targets": ["apples", "oranges"],
    "rows": {"train": 15, "validation": 0},
    "timing": {"train_seconds": 0.19, "total_seconds": 0.25, "rows_per_second": 7679.0},
    "environment": {"versions": {"python": "3.11.7", "torch": "2.13.0"}, "git_commit": None, "git_dirty": None,
                    "command": ["experiments"], "platform": "Linux", "device": "cpu", "threads": 2,
                    "dtype": "float32", "data_hash": "e0f4464aaa5dc029"},
    "error": None,
}  # fmt: skip


def write_runs(root: Path, runs: int, epochs: int = 100) -> list[Path]:
    """`runs` jobs of one sweep below `root`, over 10 rates and as many seeds as it takes; their folders."""
    sweep = root / "sweeps" / "2026-01-01_00-00-00_0badcafe"
    folders = []
    for n in range(runs):
        lr, seed = 1e-5 * 1.3 ** (n % 10), n // 10
        folder = sweep / f"{n}_lr={lr:.3g}_seed={seed}"
        write_run(folder, lr, seed, epochs)
        folders.append(folder)
    return folders


def write_run(folder: Path, lr: float, seed: int, epochs: int = 100, **result: Any) -> Path:
    """One finished run whose gap falls exponentially with the rate; `result` replaces keys of its result.json."""
    folder.mkdir(parents=True)
    config, outcome = copy.deepcopy(CONFIG), copy.deepcopy(RESULT)
    config["optimizer"]["lr"], config["seed"], config["training"]["epochs"] = lr, seed, epochs
    start = 5000.0 + 137 * (seed % 50)
    gaps = [start * math.exp(-lr * 5000 * e) + 30 * math.exp(-lr * 100 * e) + seed % 7 for e in range(1, epochs + 1)]
    lines = [
        {"epoch": e, "step": 3 * e, "loss/train": OPTIMUM + gap, "loss/gap": gap, "optimizer/lr": lr}
        for e, gap in enumerate(gaps, 1)
    ]
    outcome["metrics"] |= {"train_loss": OPTIMUM + gaps[-1], "gap": gaps[-1], "gap_relative": gaps[-1] / OPTIMUM}
    config = plain_config(validate({k: v for k, v in config.items() if k != "config_hash"}))
    config["config_hash"] = config_hash(config)
    outcome |= {"lr": lr, "seed": seed, "epochs": epochs, "steps": 3 * epochs, "config_hash": config["config_hash"]}
    outcome |= result
    (folder / "config.json").write_bytes(orjson.dumps(config, option=orjson.OPT_INDENT_2))
    (folder / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    (folder / "result.json").write_bytes(orjson.dumps(outcome, option=orjson.OPT_INDENT_2))
    return folder
