"""Where a run trains: the device, the precision, the threads. cuda and mps are untested on hardware."""

import torch

from experiments.errors import UserError

SPLIT_WORK = 2**22
"""Multiplications of a batch from which it pays to split them between threads, which wait for each other."""


def choose(name: str, dtype: str) -> torch.device:
    """The torch device of `device.name`; `auto` is the best that is there and has the dtype. Raises UserError."""
    there = available()
    if name == "auto":
        return torch.device(next(n for n in there if not (n == "mps" and dtype == "float64")))
    if name not in there:
        raise UserError(
            f"device.name={name}: no such device on this machine (there is: {', '.join(there)}); "
            "use device=auto or device=cpu"
        )
    return torch.device(name)


def available() -> list[str]:
    """The devices that torch can use here, the best first."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, usable in there.items() if usable]


def precision(dtype: str) -> torch.dtype:
    """The torch dtype of `device.dtype`."""
    return {"float32": torch.float32, "float64": torch.float64}[dtype]


def threads(asked: int | None, batch_work: int) -> int:
    """How many threads to train with: those asked for; else torch's own number, but one for small batches.

    `batch_work` is rows x features x targets. Threads that share a small product wait for each other at its end: on
    two processors that saves at most a third, and beside a busy neighbour each wait costs a turn of the scheduler.
    """
    if asked is not None:
        return asked
    return 1 if batch_work < SPLIT_WORK else torch.get_num_threads()


def describe(device: torch.device) -> str:
    """The device in words, for the log and the result."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type
