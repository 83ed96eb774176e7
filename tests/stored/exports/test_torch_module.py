"""to_torch: a module in the table's units that another process, without this package, loads and gets the same from."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from experiments import load_run, run
from experiments.errors import UserError
from tests.support.exported import KINDS, OWN, QUICK, expected, trained

ELSEWHERE = """
import sys
sys.modules["experiments"] = None
import torch
module, rows, found = torch.load("module.pt", weights_only=False)
assert torch.equal(module(rows), found)
assert not [name for name in sys.modules if name.startswith("experiments.")]
"""


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", OWN)


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_is_of_torch_alone_and_predicts_the_same(kind: str) -> None:
    result, rows = trained(kind)
    module = result.to_torch()
    names = {type(part).__module__ for part in module.modules()}
    assert all(name.startswith("torch.") for name in names) and not module.training
    with torch.no_grad():
        found = module(torch.from_numpy(rows))
    if result.classes is not None:  # logits
        found = torch.cat([torch.zeros_like(found), found], 1) if len(result.classes) == 2 else found
        found = found.softmax(1)
    assert found.numpy() == pytest.approx(expected(result, rows), rel=1e-6, abs=1e-12)


def test_a_network_is_what_its_layers_say_between_the_scaling() -> None:
    result, rows = trained("mlp")
    assert result.folder is not None
    t = load_file(result.folder / "model.safetensors")
    x = (rows - t["scaling.x_shift"]) / t["scaling.x_scale"]
    y = np.maximum(x @ t["0.weight"].T + t["0.bias"], 0) @ t["3.weight"].T + t["3.bias"]
    with torch.no_grad():
        found = result.to_torch()(torch.from_numpy(rows)).numpy()
    assert found == pytest.approx(y * t["scaling.y_scale"] + t["scaling.y_shift"], rel=1e-6)


@pytest.mark.parametrize("kind", ["numbers", "cnn"])
def test_another_process_loads_it_without_this_package(kind: str) -> None:
    result, rows = trained(kind)
    module, x = result.to_torch(), torch.from_numpy(rows)
    with torch.no_grad():
        torch.save((module, x, module(x)), "module.pt")
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_its_weights_are_its_own_and_can_be_trained_on() -> None:
    result, rows = trained("mlp")
    module, loaded = result.to_torch(), load_run("last")
    before = loaded.predict(rows)
    module(torch.from_numpy(rows)).sum().backward()
    torch.optim.SGD(module.parameters(), lr=0.1).step()
    assert np.array_equal(loaded.predict(rows), before)
    assert not np.allclose(module(torch.from_numpy(rows)).detach().numpy(), before)


def test_a_module_that_goes_by_what_it_sees_is_refused_in_one_line() -> None:
    result = run(*QUICK, f"model._target_={OWN}.Branching")
    with pytest.raises(UserError, match=r"torch\.fx can't trace this module .*\.model\.module"):
        result.to_torch()
    with pytest.raises(UserError, match=r"torch\.onnx can't export this model"):
        result.to_onnx("model.onnx")
