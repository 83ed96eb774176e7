"""Writes docs/reference.md from the code: `python docs/write_reference.py`. A test holds that the two agree."""

import dataclasses
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from experiments.cli import COMMANDS
from experiments.cli.commands.arguments import Parser
from experiments.cli.help import in_words
from experiments.config.schema import GROUPS, OF_CLASSES, SECTIONS, Config, all_keys, keys
from experiments.tracking.result import STORED

PAGE = Path(__file__).with_name("reference.md")
FIELDS = {
    "status": "`completed`, `diverged`, `stopped_early`, `failed`, or `pruned` by a search",
    "config_hash": "of the resolved config without `tracking`, `sweep`, `search` and places",
    "seed": "the run's seed",
    "epochs": "passes over the rows that were made",
    "best_epoch": "the epoch with the best monitored loss",
    "steps": "updates of the weights",
    "lr": "the learning rate that was used, also where `auto` was asked for",
    "executed": "`serial`, or `stacked` in a pack of a sweep",
    "metrics": "see below",
    "parameters": "`weight` (targets x features), `bias` (targets) in the table's units; null if large or of a network",
    "optimum": "the same of the exact optimum; null where there is none",
    "conditioning": "`lambda_max`, `condition_number`, `max_stable_lr`, of the loss as trained",
    "features": "names of the inputs, in the weights' order",
    "targets": "names of the targets",
    "rows": "`train`, `validation`, and what else became of the table's rows (`dropped`, and `test` with `data.test`)",
    "timing": "`train_seconds`, `total_seconds`, `rows_per_second`",
    "environment": "versions, git commit, device, threads, dtype, hash of the data",
    "error": "null, or `type` and `message` of what made the run fail",
    "ranges": "least and largest value of each input in the training rows",
    "task": "`regression` or `classification`",
    "classes": "the labels in order",
    "image": "height and width of the picture that a row is",
    "units": "unit of each column, where the table gives one",
    "rung": "at which a search stopped the run, the first is 0",
}
METRICS = {
    "train_loss": "over all training rows, of the saved weights; with its penalty where there is one",
    "validation_loss": "over all rows held out; null without",
    "data_loss": "the training loss without its penalty, where there is one",
    "optimum_loss": "the smallest training loss that a linear model can have; null where there is none",
    "gap": "`train_loss` less `optimum_loss`",
    "gap_relative": "the gap in parts of `optimum_loss`",
    "linear_loss": "beside a network: `optimum_loss` of the best linear model",
    "r2": "a list, one a target: the share of the variance that is explained",
    "rmse": "a list, one a target: the root of the mean squared error, in its unit",
    "validation_r2": "the same over the rows held out",
    "validation_rmse": "the same over the rows held out",
    "accuracy": "the share of the labels that are met",
    "balanced_accuracy": "the mean over the classes of the share that is met",
    "macro_f1": "the mean over the classes of F1",
    "log_loss": "the mean of -log of the probability of the right label",
    "roc_auc": "of two classes: how often a row of the second has the larger logit",
}
TAGS = {
    "loss/train": "over all training rows, after the epoch",
    "loss/validation": "over all rows held out",
    "loss/gap": "the training loss less the exact optimum's",
    "optimizer/lr": "the rate of the epoch",
    "accuracy/train": "of classes",
    "accuracy/validation": "of classes, over the rows held out",
    "weights/<target>/<feature>": "single runs of at most 64 weights",
    "loss": "figure: the losses over the epochs",
    "plane/<target>": "figure: the plane that was learned, with the rows",
    "prediction": "figure: predicted against true values",
    "loss_surface": "figure: the way of the weights over the loss",
    "confusion": "figure, of classes: predicted against true labels",
    "most_wrong": "figure, of classes: the rows with the largest loss",
    "weights": "figure, of rows that are pictures: the weights as pictures",
    "config": "text: the config as YAML",
    "best/value": "the run `study` of a search: the best value so far",
}

LINE = """\
`experiments [OVERRIDES]` is one run, `experiments -m [OVERRIDES]` a sweep, `python -m experiments` the same program.
An override is `key=value` or `group=choice`; `+key=value` for a key that only a class of your own has. Every command
takes `--help`.

- A RUN or FOLDER is a path; `last`, the newest run or sweep; `best`, the best finished run of the newest sweep;
  `SWEEP/123`, a sweep's job by its number; or a name below `outputs/`: its beginning, or the eight letters in it.
- Exit status: 0 done, also when the training diverged (1 with `training.fail_on_divergence=true`); 1 something failed;
  2 the request was wrong; 130 Ctrl-C.
- A mistake is one line: the key, the value, why, the nearest name. `HYDRA_FULL_ERROR=1 experiments ...` shows the
  traceback.
- `EXPERIMENTS_TRUSTED_MODULES=a,b` names modules of your own whose classes a config may use. Stored configs can't
  widen it.
- TAB completes commands, runs, groups and keys after `eval "$(experiments -sc install=bash)"`, in zsh after
  `autoload -Uz compinit bashcompinit && compinit && bashcompinit` and the same, in fish after
  `experiments -sc install=fish | source`.
- `experiments --config-dir DIR` adds groups and presets of your own; `experiments --cfg job` shows the composed config.
"""
"""What holds for the whole command line."""


class _Made(Exception):
    """Carries a command's parser out of its `main`."""


def parser_of(command: str) -> Parser:
    """The parser that a command reads its arguments with."""

    def caught(parser: Parser, arguments: Any) -> None:
        raise _Made(parser)

    with patch.object(Parser, "read", caught):
        try:
            import_module(f"experiments.cli.commands.{command}").main(["--help"])
        except _Made as made:
            return made.args[0]
    raise AssertionError(f"{command} reads no arguments")


def commands() -> Iterator[str]:
    """The arguments of each command."""
    for command in COMMANDS:
        parser = parser_of(command)
        yield f"### experiments {command}\n\n{parser.description}\n"
        for action in parser._actions[1:]:
            value = action.metavar if action.nargs != 0 and action.metavar else ""
            words = ", ".join(action.option_strings)
            name = f"{words} {value}".strip()
            choices = f" [{', '.join(map(str, action.choices))}]" if action.choices else ""
            yield f"- `{name or action.dest}` {action.help or ''}{choices}".rstrip()
        yield ""


def default_words(value: Any) -> str:
    """A default as it is typed on the command line."""
    if value is dataclasses.MISSING:
        return "(must be given)"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "[" + ",".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def default_of(key: dataclasses.Field) -> Any:
    return key.default if key.default_factory is dataclasses.MISSING else key.default_factory()


def config_keys() -> Iterator[str]:
    """The keys of each group and section."""
    yield f"- `seed` = 0: {in_words(keys(Config)['seed'].metadata)}\n"
    for place in (*GROUPS, *SECTIONS):
        choices = GROUPS.get(place, {})
        yield f"### {place}\n" + (f"\nChoices: {', '.join(f'`{name}`' for name in choices)}.\n" if choices else "")
        for name, key in all_keys(place).items():
            if name == "_target_":
                continue
            having = {c: keys(s)[name] for c, s in choices.items() if name in keys(s)} or {"": key}
            defaults: dict[str, list[str]] = {}
            for choice, own in having.items():
                defaults.setdefault(default_words(default_of(own)), []).append(choice)
            first = next(iter(defaults))
            others = "".join(f"; `{value}` of {', '.join(of)}" for value, of in list(defaults.items())[1:])
            only = "" if len(having) == max(1, len(choices)) else f" ({', '.join(having)})"
            yield f"- `{place}.{name}` = `{first}`{others}: {in_words(key.metadata)}{only}"
        yield ""


def page() -> str:
    """The whole page."""
    validated = ", ".join(f"`validation_{name}`" for name in OF_CLASSES)
    parts = [
        "# Reference\n",
        "Written from the code by `python docs/write_reference.py`.\n",
        "## Commands\n",
        LINE,
        *commands(),
        "## Keys of the config\n",
        *config_keys(),
        "## result.json\n",
        *(f"- `{name}`: {FIELDS[name]}" for name in STORED),
        "\n`metrics`, null where undefined:\n",
        *(f"- `{name}`: {what}" for name, what in METRICS.items()),
        f"- {validated}: the same over the rows held out",
        "\n## TensorBoard's tags\n",
        "The x-axis is the epoch. In sweeps figures and weights are off unless `tracking.*` says so.\n",
        *(f"- `{tag}`: {what}" for tag, what in TAGS.items()),
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
