"""The choice of device and its refusals, with devices that this machine has not."""

import pytest
import torch

from experiments.errors import UserError
from experiments.learning import devices


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: bool = False, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "dtype", "best"),
    [
        (False, False, "float32", "cpu"),
        (True, False, "float32", "cuda"),
        (True, False, "float64", "cuda"),
        (False, True, "float32", "mps"),
        (False, True, "float64", "cpu"),
        (True, True, "float32", "cuda"),
    ],
)
def test_auto_takes_the_best_that_has_the_precision(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, dtype: str, best: str
) -> None:
    pretend(monkeypatch, cuda=cuda, mps=mps)
    assert devices.choose("auto", dtype).type == best


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pretend(monkeypatch)
    with pytest.raises(UserError, match=rf"device\.name={name}: no such device.*there is: cpu.*device=auto"):
        devices.choose(name, "float32")


def test_a_device_that_is_there_is_taken_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=True, mps=True)
    assert devices.available() == ["cuda", "mps", "cpu"]
    assert [devices.choose(name, "float32").type for name in ("cuda", "mps", "cpu")] == ["cuda", "mps", "cpu"]


def test_precision() -> None:
    assert devices.precision("float64") is torch.float64
    assert devices.precision("float32") is torch.float32


def test_description_names_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Pretended 1")
    assert devices.describe(torch.device("cuda")) == "cuda (Pretended 1)"
    assert devices.describe(torch.device("cpu")) == "cpu"


def test_small_batches_take_one_thread_unless_asked() -> None:
    own = torch.get_num_threads()
    assert devices.threads(None, 1024 * 100) == 1
    assert devices.threads(None, devices.SPLIT_WORK) == own
    assert devices.threads(3, 1) == 3
