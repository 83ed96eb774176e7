"""A model card: what a run's model predicts, from which table, how well, and what it is not good for. Markdown."""

from collections.abc import Iterable, Mapping
from typing import Any

from experiments.errors import harmless, one_line
from experiments.stored.cells import cell
from experiments.stored.equations import MOST_NAMED, outputs, spelled
from experiments.stored.exports.weight_errors import at_a_glance
from experiments.stored.stored_config import plain
from experiments.stored.stored_run import Run
from experiments.tracking.hparams import flat

MOST_LISTED = 50
"""Inputs that are listed with their ranges."""
TRAINED = ("model", "loss", "optimizer", "schedule", "training.batch_size", "data.standardize", "loss.l2", "loss.l1")

ABOUT_ERRORS = (
    "Standard errors and intervals are those of the optimum of least squares on the training rows, which the trained "
    "weights approach. The robust ones allow for residuals that spread differently from row to row."
)


def card(run: Run) -> str:
    """The card of a run that has ended with a model. Raises UserError."""
    model, result, config = run.model, run.result or {}, flat(plain(run.config))
    kind = "classes" if model.classes is not None else "numbers"
    lines = [
        f"# {_text(run.folder.name)}", "",
        f"Predicts {kind}: {_listed(model.targets)}, from {len(model.features)} inputs; status `{run.status}`.", "",
    ]  # fmt: skip
    if model.classes is not None:
        lines += [f"The classes, in order: {_listed(model.classes)}.", ""]
    if model.weight is not None and model.bias is not None and max(model.weight.shape) <= MOST_NAMED:
        names = outputs(model.targets, model.classes)
        lines += ["```", *map(_code, spelled(names, model.features, model.weight, model.bias)), "```", ""]
    lines += _weights(run)
    lines += ["## Table", "", *_table(run, config), "", "## Training", "", *_training(run, config), ""]
    lines += [
        "## Metrics",
        "",
        *_as_table(("metric", "training rows", "held-out rows"), metric_rows(run)),
        "",
        "## Limits",
        "",
        *(f"- {line}" for line in _limits(run, config)),
    ]
    versions = (result["environment"].get("versions") or {}).items()
    lines += ["", f"Made with {', '.join(f'{_text(k)} {_text(v)}' for k, v in versions)}."]
    return "\n".join(lines) + "\n"


def _weights(run: Run) -> list[str]:
    """Each weight beside the optimum's, with the optimum's standard errors and intervals, or why there are none."""
    found = at_a_glance(run)
    if found is None:
        return []
    if isinstance(found, str):
        return ["## Weights", "", f"{_text(found[0].upper() + found[1:])}.", ""]
    rows = [
        (r["target"], r["feature"], r["trained"], r["optimum"], r["se"], _interval(r, ""), _interval(r, "robust_"))
        for r in found.head(MOST_LISTED).iter_rows(named=True)
    ]
    headings = ("target", "input", "trained", "optimum", "standard error", "95 % interval", "robust (HC3)")
    lines = ["## Weights", "", *_as_table(headings, rows), ""]
    if left := found.height - len(rows):
        lines += [f"And {left} weights more.", ""]
    return [*lines, ABOUT_ERRORS, ""]


def _interval(row: Mapping[str, Any], kind: str) -> str:
    low, high = row[f"{kind}low"], row[f"{kind}high"]
    return "" if low is None else f"{low:.6g} to {high:.6g}"


def _table(run: Run, config: Mapping[str, Any]) -> list[str]:
    """Where the rows come from, how many, and each input with its unit and its range."""
    model, result = run.model, run.result or {}
    rows, units, ranges = result["rows"], result.get("units") or {}, result.get("ranges") or {}
    path = "".join(f", `{_code(config[k])}`" for k in ("data.path", "data.uri", "data.query") if config.get(k))
    lines = [
        f"`data={_code(config['data'])}`{path}, content `{one_line(run.data_hash)}`: {rows.get('train')} rows "
        f"trained on, {rows.get('validation')} held out, {rows.get('dropped', 0)} dropped for missing cells.", "",
    ]  # fmt: skip
    about = [(name, units.get(name), *(ranges.get(name) or (None, None))) for name in model.features[:MOST_LISTED]]
    lines += _as_table(("input", "unit", "least", "largest"), about)
    if left := len(model.features) - len(about):
        lines += ["", f"And {left} inputs more."]
    for name, levels in model.encoding.categories.items():
        lines += ["", f"{_text(name)} is one of {_listed(levels)}."]
    named = [(name, units[name]) for name in model.targets if units.get(name)]
    return lines + [line for name, unit in named for line in ("", f"{_text(name)} is in {_text(unit)}.")]


def _training(run: Run, config: Mapping[str, Any]) -> list[str]:
    result = run.result or {}
    settings = [(name, config.get(name)) for name in TRAINED if config.get(name) not in (None, 0, False)]
    settings += [(name, result.get(name)) for name in ("lr", "epochs", "steps", "seed", "config_hash")]
    return _as_table(("setting", "value"), settings)


def metric_rows(run: Run) -> list[tuple[str, float, float | None]]:
    """Every metric that has a value: its name, its value on the training rows, and that on those held out."""
    outcome, rows = run.outcome, []
    for name, value in outcome.items():
        if name in (run.result or {})["metrics"] or "." in name:
            held = outcome.get("validation_loss" if name == "train_loss" else f"validation_{name}")
            if value is not None and not name.startswith("validation_"):
                rows.append((name.removeprefix("train_"), value, held))
    return rows


def _limits(run: Run, config: Mapping[str, Any]) -> list[str]:
    result, held_out = run.result or {}, (run.result or {})["rows"].get("validation")
    said = ["Outside the ranges above nothing was learned; a prediction there is a guess."]
    said.append(
        f"The {held_out} held-out rows are of the same source: they say nothing of rows from elsewhere."
        if held_out else "No rows were held out: the metrics are of the rows trained on, and flatter the model."
    )  # fmt: skip
    if run.status == "diverged":
        said.append("The training diverged: the predictions mean nothing.")
    if (relative := result["metrics"].get("gap_relative")) is not None:
        said.append(f"The training loss ended {100 * relative:.3g} % above the smallest that a linear model can have.")
    if run.model.is_linear:
        said.append("Linear: an input counts the same whatever the others are. Weights do not tell causes.")
    if run.model.encoding.means:
        said.append("A missing cell is filled with the mean of the training rows.")
    return [*said, f"One run of seed {cell(result.get('seed'))}; other seeds end elsewhere, see `experiments compare`."]


def _as_table(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> list[str]:
    headings = list(headings)
    body = [[_text(cell(value)) for value in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (headings, ["---"] * len(headings), *body)]


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(map(_text, names))


def _code(line: str) -> str:
    return harmless(line).replace("`", "'")


def _text(value: Any) -> str:
    """A name as Markdown shows it as it is: on one line, without markup of its own."""
    return "".join(f"\\{c}" if c in r"\`*[]<>|#" else c for c in one_line(value))
