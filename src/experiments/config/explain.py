"""Hydra's and OmegaConf's exceptions as one line of ours: the value, why it is wrong, the nearest right name."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from experiments.config.schema import GROUPS, keys
from experiments.config.validation import known_keys, nearest_key
from experiments.errors import UserError, nearest, one_line


@contextmanager
def explained() -> Iterator[None]:
    """Raise what Hydra and OmegaConf refuse inside as UserError."""
    try:
        yield
    except Exception as error:
        if (mistake := explain(error)) is None or mistake is error:
            raise
        raise mistake from error


ALSO_CALLED = {
    "mae": "l1", "absolute": "l1", "smooth_l1": "huber", "squares": "mse", "l2": "mse", "gd": "sgd", "csv": "table",
    "parquet": "table", "file": "table", "gpu": "cuda", "torch": "linear", "decay": "inverse_time",
}  # fmt: skip
"""Words for choices of ours that others use."""
PLUGINS = {
    "joblib": "'experiments[joblib]'", "submitit_local": "hydra-submitit-launcher", "ray": "hydra-ray-launcher",
    "submitit_slurm": "hydra-submitit-launcher", "rq": "hydra-rq-launcher", "optuna": "hydra-optuna-sweeper",
    "nevergrad": "hydra-nevergrad-sweeper", "ax": "hydra-ax-sweeper",
}  # fmt: skip
"""Hydra's launchers and sweepers that have to be installed, and what pip calls them."""


def explain(error: BaseException) -> UserError | None:
    """The user's mistake behind an exception of Hydra or OmegaConf; None for what is no mistake of the user's."""
    if isinstance(error, UserError):
        return error
    text = str(error)
    if isinstance(error, ValueError | TypeError) and _raised_in(error) == "hydra._internal.defaults_list":
        return UserError("a group was set to null, or to what is no name: name one of its choices, or leave it out")
    if isinstance(error, ValueError) and _raised_in(error) == "hydra._internal.hydra":  # of --shell-completion
        return UserError(one_line(text))
    if not isinstance(error, HydraException | OmegaConfBaseException):
        return None
    if isinstance(error, OverrideParseException):
        return UserError(f"{error.override}: cannot be read as key=value; {_in_quotes(str(error.override))}")
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return UserError(_no_choice(group, choice, error.options))
    if found := re.search(r"Could not (?:override|append to config|delete)[^']*'([^']+)'", text):
        cause = str(error.__cause__ or "")
        key = found.group(1).partition("@")[0]
        if "not in struct" in cause or "No match in the defaults list" in text or "append" in text:
            if "already" in text:
                return UserError(f"+{key}: it is there already; leave out the +")
            if key in known_keys():
                return UserError(f"{key}: {_where(key)}")
            return UserError(f"{key}: no such key{nearest_key(key)}")
    if found := re.search(r"Could not delete from config. '([^']+)' does not exist", text):
        return UserError(f"~{found.group(1)}: no such key{nearest_key(found.group(1))}")
    if text.startswith("Ambiguous value for argument"):
        argument = text.partition("'")[2].partition("'")[0]
        name, _, value = argument.partition("=")
        return UserError(f"{argument}: several values; add -m to sweep over them, or write {name}=[{value}] for a list")
    return UserError(one_line(f"{text} {error.__cause__ or ''}"))


def _no_choice(group: str, choice: str, there: Sequence[str]) -> str:
    if group in ("hydra/launcher", "hydra/sweeper") and choice in PLUGINS:
        return f"{group}={choice}: is not installed; pip install {PLUGINS[choice]}"
    meant = ALSO_CALLED.get(choice.lower())
    hint = f"; did you mean {meant}?" if meant in there else nearest(choice, there)
    return f"{group}={choice}: no such choice{hint + ' There' if hint else '; there'} are {', '.join(there)}"


def _raised_in(error: BaseException) -> str:
    """The module whose code raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))


def _in_quotes(override: str) -> str:
    """What to type for a value that is refused for its brackets, signs or quotes."""
    key, sign, value = override.partition("=")
    if not sign or not value or set("[]{}'\"") & set(value):
        return "put quotes around unusual values"
    return f"put quotes around the value, and others around the whole for the shell: \"{key}='{value}'\""


def _where(key: str) -> str:
    """Which choices have the key that the one composed lacks."""
    group, _, name = key.partition(".")
    if not name and group in GROUPS:
        return f"choose one of {', '.join(GROUPS[group])}, or set its keys, as {group}.KEY=VALUE"
    choices = [choice for choice, schema in GROUPS.get(group, {}).items() if name in keys(schema)]
    if not choices:
        return "not a key that is composed here"
    return f"no such key in the choice of {group} that is composed here; {group}={' or '.join(choices)} has it"
