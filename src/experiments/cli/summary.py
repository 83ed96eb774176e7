"""The lines at the end of a run: losses beside the optimum, the fit, why, equations, an example, where to look."""

import math
from typing import TYPE_CHECKING, Any

from experiments.cli.reasons import why
from experiments.config.schema import Config
from experiments.stored.equations import MOST_NAMED, outputs, spelled
from experiments.stored.folders import pointers

if TYPE_CHECKING:  # imports torch, which a refused request should not wait for
    from experiments.tracking.result import Result


def summary(config: Config, result: "Result") -> list[str]:
    """The lines of a run's summary."""
    metrics, held_out = result.metrics, result.metrics["validation_loss"]
    status = result.status.replace("_", " ")
    lines = [
        f"{status} after {result.epochs} epochs, {result.steps} steps, lr {_number(result.lr)}",
        f"loss over all {result.rows['train']} rows: {_number(metrics['train_loss'])}",
    ]
    if metrics["train_loss"] is not None and metrics.get("data_loss") is not None:
        scaled = ", which is on the weights of standardised columns" * bool(getattr(config.data, "standardize", False))
        lines[-1] += f" ({_number(metrics['data_loss'])} without the penalty{scaled})"
    if held_out is not None:
        lines.append(f"loss over {result.rows['validation']} held-out rows: {_number(held_out)}")
    lines += beside_the_optimum(result)
    keeps = config.training.patience is not None or config.training.keep == "best"
    if keeps and result.best_epoch not in (None, result.epochs):
        what = "early stopping restored" if result.status == "stopped_early" else "the weights are"
        lines.append(f"{what} the best (epoch {result.best_epoch})")
    if result.message is not None:
        lines.append(result.message)
    lines += why(config, result)
    if result.status != "diverged":
        lines += fit(result) + equations(result) + example(result)
    if result.folder is not None:
        lines += pointers(result.folder, result.folder.parent)
    return lines


def beside_the_optimum(result: "Result") -> list[str]:
    """The smallest possible loss and the gap; beside a model that is not linear, the best linear one's loss."""
    if "linear_loss" in result.metrics:
        return _beside_a_network(result)
    optimum, gap, relative = (result.metrics[k] for k in ("optimum_loss", "gap", "gap_relative"))
    if optimum is None:
        return []
    line = f"smallest possible loss: {_number(optimum)}"
    if relative is None or relative < 1e-6:
        return [f"{line} (gap {_number(gap)})"]
    return [f"{line}; the loss is {_beside(relative)} (gap {_number(gap)})"]


def _beside_a_network(result: "Result") -> list[str]:
    best, loss = result.metrics["linear_loss"], result.metrics["train_loss"]
    if best is None or loss is None:
        return []
    if result.classes and not best:
        return ["a linear classifier can separate the classes: its loss falls towards 0, nothing is below that"]
    line = f"loss of the best linear {'classifier' if result.classes else 'fit'}: {_number(best)}"
    if "data_loss" in result.metrics:
        line += " with its penalty"
    if explained := _explained(result):
        ours, plane = explained
        more = f"{100 * abs(ours - plane):.3g} % {'more' if ours > plane else 'less'}"
        return [f"{line}; the network explains {more} than the best plane (R² {ours:.4f} against {plane:.4f})"]
    return [f"{line}; the network's is {_beside(loss / best - 1)}"] if best else [line]


def _beside(relative: float) -> str:
    if relative >= 1:
        return f"{relative + 1:.6g} times that"
    return f"{100 * abs(relative):.3g} % {'above' if relative > 0 else 'below'} it"


def _explained(result: "Result") -> tuple[float, float] | None:
    """The share of all targets' spread that a network explains, and the best plane; None but for squares."""
    metrics = result.metrics
    parts = [
        (rmse**2, 1 - r2) for rmse, r2 in zip(metrics["rmse"] or [], metrics["r2"] or [], strict=True) if rmse and r2
    ]
    squares = sum(square for square, _ in parts) / max(1, len(parts))
    if len(parts) < len(result.targets) or not math.isclose(squares, metrics["train_loss"], rel_tol=1e-6):
        return None
    spread = sum(square / left for square, left in parts) / len(parts)
    return 1 - squares / spread, 1 - metrics["linear_loss"] / spread


def fit(result: "Result") -> list[str]:
    """RMSE and R2 of each target over the training rows and the held-out ones, accuracy of classes; none for many."""
    metrics, lines = result.metrics, []
    if result.classes is not None:
        return [_of_classes(metrics)]
    if len(result.targets) > MOST_NAMED or None in metrics["rmse"]:
        return []
    for i, target in enumerate(result.targets):
        unit = (result.units or {}).get(target, "")
        said = _fit(metrics["rmse"][i], metrics["r2"][i], unit)
        if held_out := metrics.get("validation_rmse"):
            said += f"; held out: {_fit(held_out[i], metrics['validation_r2'][i], unit)}"
        lines.append(f"{target + ':':{max(map(len, result.targets)) + 1}} {said}")
    return lines


def _of_classes(metrics: dict[str, Any]) -> str:
    line = f"accuracy {_number(metrics['accuracy'])}, balanced {_number(metrics['balanced_accuracy'])}"
    if (held_out := metrics["validation_accuracy"]) is not None:
        line += f"; held out: {_number(held_out)}, balanced {_number(metrics['validation_balanced_accuracy'])}"
    return line


def _fit(rmse: float | None, r2: float | None, unit: str) -> str:
    said = f"RMSE {_number(rmse)} {unit}".rstrip()
    return said if r2 is None else f"{said}, R² {r2:.4f}" if r2 > -100 else f"{said}, R² {r2:.3g}"


def equations(result: "Result") -> list[str]:
    """`yield_apple = 0.3000 * temp + ...`, a line a target; none for wide tables. See `stored.equations`."""
    if result.parameters is None or max(len(result.features), len(result.parameters["bias"])) > MOST_NAMED:
        return []
    names = outputs(result.targets if result.table is None else result.table.quantities, result.classes)
    return spelled(names, result.features, result.parameters["weight"], result.parameters["bias"])


def example(result: "Result") -> list[str]:
    """The prediction for the data set's example row."""
    table = result.table
    if table is None or table.example is None or result.parameters is None or result.classes:
        return []
    row = ", ".join(f"{v:g}" for v in table.example)
    parts = [
        f"{name} {_number(value)} {unit or ''}".rstrip()
        for name, value, unit in zip(table.targets, result.of([table.example])[0], table.target_units, strict=True)
    ]
    return [f"prediction for [{row}]: " + ", ".join(parts)]


def _number(value: float | None) -> str:
    return "not finite" if value is None or not math.isfinite(value) else f"{value:.6g}"
