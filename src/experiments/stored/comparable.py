"""Which runs compare: those of one loss on one data set. The others are ranked, averaged and drawn apart."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.stored.cells import cell

ALIKE = ("validation", "split_seed", "test", "folds", "fold", "groups", "standardize", "loader", "block_rows", "inputs",
         "one_hot", "units", "missing")  # fmt: skip
"""Keys of the data that change what is learned from, not what a loss is measured in or of."""
PENALTIES = ("loss.l1", "loss.l2")
HELD_OUT = ("validation", "folds", "validation_column", "validation_path", "validation_images")
NAMED = 5
"""Groups that a note names."""
Flat = Mapping[str, Any]
"""A config as dotted keys, see `tracking.hparams.flat`."""


def groups(flats: Sequence[Flat], data_hashes: Sequence[str | None] = ()) -> list[str]:
    """For each run what tells its loss and data from the others', as `huber` or `data.seed=1`; "" where all compare.

    `data_hashes`, as far as known, tell tables apart that changed under one name.
    """
    settings = [_compared(flat) for flat in flats]
    texts = [json.dumps(own, default=str) for own in settings]
    wholes = [json.dumps([v for k, v in f.items() if k.startswith("data")], default=str) for f in flats]
    found: dict[str, Counter[str]] = {}
    for whole, digest in zip(wholes, data_hashes, strict=False):
        if digest is not None:
            found.setdefault(whole, Counter())[digest] += 1
    for i, digest in enumerate(data_hashes):
        if len(known := found.get(wholes[i], Counter())) > 1:  # a run that has not ended: most likely on the usual one
            settings[i]["data.hash"] = (digest or known.most_common(1)[0][0])[:8]
            texts[i] += settings[i]["data.hash"]
    distinct = dict(zip(texts, settings, strict=True))
    keys = [k for k in dict.fromkeys(k for s in distinct.values() for k in s) if differs(k, list(distinct.values()))]
    labels = {text: ", ".join(_word(k, own[k]) for k in keys if k in own) for text, own in distinct.items()}
    return [labels[text] for text in texts]


def _compared(flat: Flat) -> dict[str, Any]:
    """The settings that two runs must share for their losses to compare."""
    kept = {}
    held_out = _holds_out(flat)
    for name, value in flat.items():
        group, _, key = name.partition(".")
        if name in PENALTIES and held_out:  # the held-out loss has no penalty in it, and is what they are chosen by
            continue
        if group in ("loss", "data") and key not in ALIKE:
            kept[name] = value if key else str(value).removeprefix("manual_")
    return kept


def _holds_out(flat: Flat) -> bool:
    return any(flat.get(f"data.{key}") not in (None, 0, "0") for key in HELD_OUT)


def _word(key: str, value: Any) -> str:
    return cell(value) if key in ("loss", "data") else f"{cell(key)}={cell(value)}"


def differs(key: str, configs: Sequence[Flat]) -> bool:
    """Whether a key tells some of the flat configs apart.

    One that only some configs have does not where their group's choice says as much: `optimizer.betas` of adam
    alone, beside `optimizer`. How a sweep was run (`sweep.`, `search.`) is no difference between its runs.
    """
    group = key.partition(".")[0]
    if group in ("sweep", "search"):
        return False
    having = [config for config in configs if key in config]
    if any(config[key] != having[0][key] for config in having):
        return True
    if len(having) == len(configs):
        return False
    return not {str(c.get(group)) for c in having}.isdisjoint(str(c.get(group)) for c in configs if key not in c)


def remarks(labels: Sequence[str], flats: Sequence[Flat], each: Sequence[int] | None = None) -> list[str]:
    """A line on the groups, where there are several, and one on losses over different held-out rows.

    `each`: how many runs each of them stands for, if not for itself.
    """
    said: list[str] = []
    counts = Counter[str]()
    for label, count in zip(labels, each or [1] * len(labels), strict=True):
        counts[label] += count
    if len(counts) > 1:
        named = "; ".join(f"{label} ({n})" for label, n in counts.most_common(NAMED))
        more = f"; and {len(counts) - NAMED} more" if len(counts) > NAMED else ""
        said.append(f"losses of other kinds or data do not compare: {len(counts)} groups are kept apart, {named}{more}")
    held = {(label, str(flat.get("data.split_seed"))) for label, flat in zip(labels, flats, strict=True)
            if flat.get("data.validation") not in (None, 0, "0")}  # fmt: skip
    if any(differs(key, flats) for key in PENALTIES) and all(map(_holds_out, flats)):
        said.append("each training loss has its own penalty in it: compare validation_loss, or data_loss")
    if len(held) > len({label for label, _ in held}):
        said.append("held-out rows differ with data.split_seed: compare means over it (--group-by), not single runs")
    return said
