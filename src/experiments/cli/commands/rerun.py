"""`experiments rerun RUN [OVERRIDES]`: the stored config again, with changes, and whether the bits are the same."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.cli.commands.arguments import Parser
from experiments.config.validation import validate
from experiments.errors import UserError, one_line
from experiments.stored import differences, run_files
from experiments.stored.cells import cell
from experiments.stored.differences import Pair
from experiments.stored.folders import OUTPUTS
from experiments.stored.lookup import MEANING, load_run, with_folders
from experiments.stored.stored_config import changed, untouched
from experiments.stored.stored_run import Run, records


def main(arguments: Sequence[str]) -> int:
    """Train the stored config into a new folder below outputs/runs; exit status as for a single run."""
    parser = Parser("rerun", description="Train a stored run's config again.")
    parser.add_argument("run", metavar="RUN", help=MEANING)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="changes to the stored config")
    asked = parser.read(arguments)
    before = load_run(asked.run)
    asked.overrides = with_folders(asked.overrides)
    plain = changed(before.config, asked.overrides)
    config = validate(plain)
    if before.result is not None and config.training.epochs > (before.result.get("epochs") or 0) and asked.overrides:
        start = shlex.quote(str(before.folder))
        print(f"note: this starts anew, from epoch 1; training.start={start} goes on from its weights", file=sys.stderr)

    from experiments.cli.report import Display
    from experiments.config import folder_names
    from experiments.running import runner
    from experiments.sweeps import single

    new = Path(OUTPUTS) / "runs" / folder_names.run_name(asked.overrides)
    stacked = before.result is not None and before.result.get("executed") == "stacked"
    with Display() as display:
        display.begin(config)
        if stacked and single.stackable(config):
            result = single.run_alone(config, new.absolute())
        else:
            result = runner.run(config, new.absolute(), watch=display.watch)
    _as_hydra_writes(new, plain, asked.overrides)
    display.summary(result)
    for line in verdict(before, load_run(new), changed=bool(asked.overrides)):
        print(line)
    return 1 if result.status == "diverged" and config.training.fail_on_divergence else 0


def verdict(before: Run, after: Run, *, changed: bool) -> list[str]:
    """Whether weights and losses are the same bits, and what differs in what they depend on."""
    said = [f"against {one_line(before.folder)}:", f"  weights: {weights(before.folder, after.folder)}"]
    said.append(f"  logged losses: {losses(before.folder, after.folder)}")
    if not untouched(before):
        said.append("  its config.json was changed after it began (the config_hash differs)")
    if before.result is None:
        said.append("  that run has no result, so its environment is not known")
    else:
        pairs = [p for p in differences.environments(before, after) if p.differs]
        said += [f"  {line(pair)}" for pair in pairs] or ["  versions, commit, device and data: the same"]
        if not changed and after.result is not None and before.result.get("executed") != after.result.get("executed"):
            said.append("  one of the two was trained in a pack: equal up to rounding, not to the bit")
    if changed:
        said += [f"  {line(pair)}" for pair in differences.configs(before, after) if pair.differs]
    return said


def line(pair: Pair) -> str:
    """`seed: 0 then, 1 now`."""
    left, right = pair.words()
    return f"{cell(pair.key)}: {left or 'null'} then, {right or 'null'} now"


def weights(before: Path, after: Path) -> str:
    """The two model.safetensors compared, byte by byte, else by their largest difference."""
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        old, new = (run_files.read(folder, "model.safetensors") for folder in (before, after))
        if old == new:
            return "the same bits"
        left, right = load(old), load(new)
    except (OSError, ValueError, SafetensorError, KeyError) as error:
        return _incomparable(error)
    if {k: v.shape for k, v in left.items()} != {k: v.shape for k, v in right.items()}:
        return "other bits, and other shapes"
    largest = max((float(np.abs(left[k].astype(float) - right[k]).max(initial=0.0)) for k in left), default=0.0)
    return f"other bits, the largest difference is {largest:.3g}"


def losses(before: Path, after: Path) -> str:
    """The two metrics.jsonl compared, byte by byte, else the first epoch at which they part."""
    try:
        old, new = (run_files.read(folder, "metrics.jsonl") for folder in (before, after))
        for then, now in zip(records(before), records(after), strict=False):
            if then != now:
                return f"other ones from epoch {now['epoch']} on"
    except (OSError, ValueError) as error:
        return _incomparable(error)
    return "the same bits" if old == new else "the same bits as far as both go"


def _incomparable(error: Exception) -> str:
    return f"can't be compared ({one_line(getattr(error, 'strerror', None) or error)})"


def _as_hydra_writes(folder: Path, plain: dict[str, Any], overrides: Sequence[str]) -> None:
    """.hydra/config.yaml and overrides.yaml, which a run's folder has."""
    from omegaconf import OmegaConf

    try:
        (folder / ".hydra").mkdir()
        OmegaConf.save(OmegaConf.create(plain), folder / ".hydra" / "config.yaml")
        OmegaConf.save(OmegaConf.create(list(overrides)), folder / ".hydra" / "overrides.yaml")
    except OSError as error:
        raise UserError(f"{folder / '.hydra'}: can't be written ({error.strerror})") from None
