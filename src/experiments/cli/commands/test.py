"""`experiments test RUN`: what a run is worth on the rows of data.test, which nothing else reads, and a record."""

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from experiments.cli.commands.arguments import Parser
from experiments.errors import UserError, one_line
from experiments.stored.lookup import MEANING, load_run
from experiments.tracking.files import json_bytes, read_json, write_atomically

RECORD = "test.json"
"""In the run's folder: when the rows were read, which they are, and what they said."""
LARGEST = 2**20


def main(arguments: Sequence[str]) -> int:
    """Print the metrics over the rows of the test, and record that they were read; exit status 0."""
    parser = Parser("test", description="A run's metrics on the rows of data.test, which nothing else reads.")
    parser.add_argument("run", metavar="RUN", help=MEANING)
    run = load_run(parser.read(arguments).run)
    if not run.folder.is_dir():
        raise UserError(f"{one_line(run.folder)}: has no folder for the record of the test; give it one by unpack")
    from experiments.stored.tested import tested
    from experiments.tracking.run_log import Warnings

    with closing(Warnings()) as warnings:
        rows, digest, metrics = tested(run)
    warnings.show()
    before = _reads(run.folder, digest)
    others = sum(bool(_reads(path.parent, digest)) for path in run.folder.parent.glob(f"*/{RECORD}"))
    if before:
        note = f"read before, {before[-1]}: what was chosen by these rows is no longer tested by them"
        print(f"note: {note}", file=sys.stderr)
    elif others:
        them = "1 other run beside it was" if others == 1 else f"{others} other runs beside it were"
        print(f"note: {them} tested on these rows: do not choose by them", file=sys.stderr)
    reads = [*before, datetime.now().astimezone().isoformat(timespec="seconds")]
    content = {"reads": reads, "rows": rows, "data_hash": digest, "metrics": metrics}
    write_atomically(run.folder / RECORD, json_bytes(content))
    print(f"{rows} rows that the run has not seen:")
    for name, value in metrics.items():
        if isinstance(value, list):
            print(
                f"{name}: "
                + ", ".join(f"{one_line(t)} {_said(v)}" for t, v in zip(run.model.targets, value, strict=True))
            )
        else:
            print(f"{name}: {_said(value)}")
    return 0


def _reads(folder: Path, digest: str) -> list[str]:
    """When the rows with these digits were read for a run before."""
    try:
        content = read_json(folder / RECORD, LARGEST)
        return [one_line(when) for when in content["reads"]] if content["data_hash"] == digest else []
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        return ["at some time"]


def _said(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
