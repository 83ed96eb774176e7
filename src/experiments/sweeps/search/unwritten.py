"""Results of jobs that have no folder, since a rung ended them or they failed: kept with their trial in the study."""

from dataclasses import replace
from typing import Any

from experiments.errors import Failure
from experiments.sweeps.compose.jobs import Job
from experiments.tracking.result import Result, failure

KEY = "unwritten"
"""The trial's attribute: by the number of the job."""
FIELDS = ("status", "rung", "epochs", "best_epoch", "steps", "lr", "executed", "metrics", "timing", "targets", "error")


def kept(results: dict[int, Result]) -> dict[str, Any]:
    """What is kept of those among the jobs' results that are not in a folder."""
    found = {str(n): result for n, result in results.items() if result.status in ("pruned", "failed")}
    return {
        n: {**{name: getattr(result, name) for name in FIELDS}, "data_hash": result.environment.get("data_hash")}
        for n, result in found.items()
    }


def revived(job: Job, content: dict[str, Any]) -> Result:
    """The result of a job from what was kept of it."""
    blank = failure(job.digest, 0 if job.error else job.value("seed"), Failure(""), {"data_hash": content["data_hash"]})
    return replace(blank, **{name: content[name] for name in FIELDS})
