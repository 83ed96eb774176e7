"""The event file of a resumed run, built anew from metrics.jsonl: an event file can't be cut, and two would show."""

import math
from pathlib import Path

import orjson

from experiments.errors import UserError
from experiments.tracking.events import EventFile

LONGEST_LINE = 16 * 2**20


def replay(metrics: Path, events: EventFile) -> None:
    """Write the scalars of every line. Raises UserError for a line that no run writes."""
    with metrics.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            try:
                values = orjson.loads(line)
                epoch, _ = values.pop("epoch"), values.pop("step")
                scalars = {str(k): math.nan if v is None else float(v) for k, v in values.items()}
                events.scalars(epoch, scalars)
            except (ValueError, TypeError, KeyError, AttributeError):
                raise UserError(f"{metrics}: line {number} is none that a run writes; remove the folder") from None


def put_in_place(folder: Path, events: EventFile | None) -> None:
    """Show the new event file instead of the old ones, which reach further than metrics.jsonl does."""
    for path in folder.glob("*tfevents*"):
        path.unlink()
    if events is not None:
        events.show()
