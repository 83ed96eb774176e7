"""Requests that nobody would mean, made by the thousand from a seed; and the rule that every answer must obey."""
# ruff: noqa: E501

import contextlib
import dataclasses
import io
import random
from pathlib import Path
from typing import Any

import orjson

from experiments.__main__ import main
from experiments.config.explain import known_keys
from experiments.config.schema import GROUPS, SECTIONS
from experiments.config.validation import config_hash

SECONDS = 20.0
"""A request of three epochs that takes longer hangs."""
WORDS = (
    "0", "1", "-1", "2", "0.5", "1e-3", "1e400", "-1e400", "nan", "inf", "-inf", "1e-320", "true", "false", "null",
    "auto", "None", "'1'", '""', "[]", "[1]", "[1,2]", "{}", "{a:1}", "[[1]]", "a,b", "1,2", "range(0,3)", "???",
    "${seed}", "${oc.env:HOME}", "${nope}", "${", "}", "$", "\\", "'", '"', "`id`", "$(id)", "a b", "é", "数", "\x1b[31m",
    "\u202e", "x" * 300, "9" * 50, "0x10", "1_000", "9223372036854775807", "9223372036854775808", "18446744073709551616",
    "../..", "/dev/null", "/", "~", "*", "%s", "{0}", "!!python/name:os.system", "torch.nn.Linear", "torch.optim.SGD",
    "torch.nn.Module", "torch.optim.Optimizer", "torch.optim.LBFGS", "torch.optim.SparseAdam", "torch.nn.MSELoss",
    "experiments.learning.models.Manual", "experiments.learning.optimizers.Rule", "experiments.learning.losses.MSE", "os.system", "blocks", "cpu",
    "cuda", "mps", "float64", "uniform", "zeros", "torch", "temp", "apples", "[temp]", "[apples]", "[temp,temp]", "[nope]",
)  # fmt: skip
FLAGS = (
    "--help", "-h", "--version", "--cfg", "job", "--cfg=job", "--resolve", "--info", "--info=defaults", "-m", "--multirun",
    "--nope", "-x", "--config-dir", "--config-dir=/nowhere", "--config-name=nope", "-p", "--package=a", "--run", "-c",
    "--experimental-rerun=x", "--hydra-help", "-", "--", "=", "+", "~", "++", "@", "+=", "~=", "a=", "=b", "a.b.c=d",
)  # fmt: skip
PLAIN: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 7, 0.5, -0.0, 1e-300, 1e300, 1e-3, 2**63 - 1, 2**63, 2**64, 10**400, float("nan"), float("inf"),
    True, False, None, "", "auto", "1", "nope", "${oc.env:HOME}", "\x1b[31m\n", "\ud800", "a" * 5000, [], [1], [0.9, 0.99],
    [0.9, 1.0], ["temp"], ["apples"], [None], [[1]], {}, {"a": 1}, {"_target_": "os.system"}, (1, 2), b"x", "blocks",
    "torch", "float64", "mps", "zeros", "torch.nn.Linear", "torch.nn.Identity", "torch.nn.Bilinear", "torch.optim.LBFGS",
    "torch.optim.SparseAdam", "torch.optim.NAdam", "torch.optim.Rprop", "torch.optim.Muon", "torch.nn.L1Loss",
    "torch.nn.CrossEntropyLoss", "torch.nn.LSTM", "torch.nn.ReLU", "experiments.learning.losses.L1", "os.system",
    "torch.nn.modules.linear.Linear", "experiments.learning.optimizers.Rule", "experiments.data.dataset.Dataset", "torch.nn.",
)  # fmt: skip
"""Values of a config: what JSON can hold, and some that it can't."""
BASE: dict[str, Any] = {
    "seed": 0, "training": {"epochs": 3}, "tracking": {"figures": False, "tensorboard": False}, "sweep": {},
    "device": {"name": "cpu"},
}  # fmt: skip


def command_line(dice: random.Random) -> list[str]:
    """One to five words: overrides of known and unknown keys, flags, commands, and nonsense."""
    words = []
    for _ in range(dice.randint(1, 5)):
        kind = dice.random()
        if kind < 0.7:
            key = dice.choice(known_keys())
            if dice.random() < 0.1:
                key = mangled(key, dice)
            value = dice.choice(list(GROUPS[key])) if key in GROUPS and dice.random() < 0.7 else dice.choice(WORDS)
            words.append(f"{dice.choice(('', '', '', '', '+', '++', '~'))}{key}={value}")
        elif kind < 0.85:
            words.append(dice.choice(FLAGS))
        elif kind < 0.9:
            words.append(dice.choice(("resume", "diagnose", "nope")))
        else:
            words.append(mangled(dice.choice(WORDS), dice))
    if "-m" in words or "--multirun" in words:  # sweeps have their own tests
        words = [w for w in words if w not in ("-m", "--multirun")] or ["seed=1"]
    return words


def mangled(word: str, dice: random.Random) -> str:
    """A word with one letter more, less or other."""
    at = dice.randrange(len(word) + 1)
    return (
        word[:at]
        + dice.choice(("", "x", ".", "=", "[", "{", "'", " ", "\t", "é", "@", "/", ":"))
        + word[at + dice.randint(0, 1) :]
    )


def plain_config(dice: random.Random) -> dict[str, Any]:
    """A config of random choices, with up to three keys spoilt."""
    config: dict[str, Any] = {k: dict(v) if isinstance(v, dict) else v for k, v in BASE.items()}
    for group in ("model", "optimizer", "schedule", "loss", "data"):
        schema = dice.choice(list(GROUPS[group].values()))
        config[group] = dataclasses.asdict(schema())
    config["data"]["standardize"] = dice.random() < 0.3
    for _ in range(dice.randint(0, 3)):
        spoil(config, dice)
    training = config.get("training")
    if isinstance(training, dict) and isinstance(training.get("epochs"), int) and training["epochs"] > 1000:
        training["epochs"] = 1000  # a request for a long run is a good one
    return config


def table_request(dice: random.Random) -> dict[str, Any]:
    """A config on a table of extreme shape or numbers."""
    config = plain_config(dice)
    data = dataclasses.asdict(GROUPS["data"]["synthetic"]())
    for key, values in {
        "n_rows": (1, 2, 3, 5, 300), "n_features": (1, 2, 40), "n_targets": (1, 3), "noise": (0.0, 1e-30, 1e30, 1e300),
        "condition": (1.0, 1e8, 1e300), "validation": (0.0, 0.1, 0.5, 0.99), "standardize": (True, False),
        "loader": ("tensor", "torch"), "block_rows": (1, 2, 10**9),
    }.items():  # fmt: skip
        data[key] = dice.choice(values)
    config["data"] = data
    config["training"] = {
        "epochs": 3,
        "batch_size": dice.choice((None, 1, 2, 10**12)),
        "patience": dice.choice((None, 1)),
    }
    return config


def spoil(config: dict[str, Any], dice: random.Random) -> None:
    """Set, add or remove one key at any level."""
    section = dice.choice([*GROUPS, *SECTIONS, ""])
    node: Any = config if section == "" else config.get(section)
    if not isinstance(node, dict):
        return
    name: Any = dice.choice([*node, "nope", "_target_", 3]) if node else "nope"
    if dice.random() < 0.15:
        node.pop(name, None)
    else:
        node[name] = dice.choice(PLAIN)


def run_command(words: list[str], folder: Path) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command line, with tiny epochs in a folder of its own."""
    if not words[0] or words[0][0] in "-+~" or "=" in words[0]:
        words = [*words, f"hydra.run.dir={folder}"]
        if not any("training.epochs" in w for w in words):
            words += ["training.epochs=3"]
        elif not any("training.max_seconds" in w for w in words):
            words += ["training.max_seconds=5"]  # a request for a long run is a good one
        if not any("tracking.figures" in w for w in words):
            words += ["tracking.figures=false"]
    return answered(words)


def from_config(config: dict[str, Any], folder: Path) -> tuple[int, str, str]:
    """The same of `resume` in a folder that holds nothing but this config."""
    folder.mkdir()
    try:
        content = orjson.dumps(config, option=orjson.OPT_NON_STR_KEYS, default=str)
        config = orjson.loads(content)
        content = orjson.dumps({**config, "config_hash": config_hash(_complete(config))})
    except (TypeError, ValueError):  # no JSON has it
        content = repr(config).encode(errors="replace")
    (folder / "config.json").write_bytes(content)
    return answered(["resume", str(folder)])


def _complete(config: dict[str, Any]) -> dict[str, Any]:
    from experiments.config.validation import plain_config, validate
    from experiments.errors import UserError

    try:
        return plain_config(validate(config))
    except UserError:
        return config


def answered(words: list[str]) -> tuple[int, str, str]:
    """`main` with its output caught; a traceback instead of an answer is status -1."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else -2
        except BaseException as error:
            import traceback

            status = -1
            err.write("".join(traceback.format_exception(error)[-4:]))
    return status, out.getvalue(), err.getvalue()


def broken(status: int, out: str, err: str, seconds: float) -> str:
    """What an answer breaks of the rule; nothing if it obeys."""
    if seconds > SECONDS:
        return f"took {seconds:.0f} s"
    if status not in (0, 1, 2):
        return f"status {status}"
    said = [line for line in err.splitlines(keepends=True) if not line.startswith(("warning: ", "note: "))]
    if status == 0 and said:
        return "done, but with words on standard error"
    if status and not (len(said) == 1 and said[0].startswith("error: ") and said[0].endswith("\n")):
        return f"status {status} without exactly one error line"
    if status == 1 and "Error: " in err:
        return "an exception's own words"
    if any(c in out + err for c in "\x1b\x07\u202e"):
        return "an escape sequence on the terminal"
    return ""
