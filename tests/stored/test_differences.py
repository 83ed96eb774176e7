"""Two runs side by side: which keys differ, and how values that differ beyond six digits are written."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.stored_runs import RESULT, write_run
from experiments.stored import differences, stored_config, stored_run
from experiments.stored.differences import Pair


def differing(pairs: list[Pair]) -> dict[str, tuple[Any, Any]]:
    return {p.key: (p.left, p.right) for p in pairs if p.differs}


@pytest.mark.parametrize(
    ("left", "right", "differs", "words"),
    [
        (1.0, 1.0, False, ("1", "1")),
        (1.0, 1, False, ("1", "1")),
        (None, None, False, ("", "")),
        (0.1, 0.10000000000000002, True, ("0.1", "0.10000000000000002")),
        (1.23456789, 1.23456788, True, ("1.23456789", "1.23456788")),
        (True, None, True, ("true", "")),
        ("x" * 70 + "a", "x" * 70 + "b", True, ("x" * 70 + "a", "x" * 70 + "b")),
        (["a"], ["b"], True, ('["a"]', '["b"]')),
        ("\x1b[31m", "b", True, ("?[31m", "b")),
    ],
)
def test_values_that_differ_look_different(left: Any, right: Any, differs: bool, words: tuple[str, str]) -> None:
    pair = Pair("key", left, right)
    assert pair.differs is differs
    assert pair.words() == words


def test_configs_results_and_environments(tmp_path: Path) -> None:
    environment = RESULT["environment"] | {"data_hash": "ffff", "versions": {"python": "3.11.7", "torch": "2.4.0"}}
    left = stored_run.read(str(write_run(tmp_path / "a", 0.5, 0, epochs=2)))
    right = stored_run.read(
        str(write_run(tmp_path / "b", 0.5, 3, epochs=2, environment=environment, status="diverged"))
    )
    assert differing(differences.configs(left, right)) == {"seed": (0, 3)}
    results = differing(differences.results(left, right))
    assert results["status"] == ("completed", "diverged")
    assert {"train_loss", "gap"} <= results.keys() and not {"lr", "epochs", "rows.train"} & results.keys()
    found = differing(differences.environments(left, right))
    assert found == {"versions.torch": ("2.13.0", "2.4.0"), "data_hash": ("e0f4464aaa5dc029", "ffff")}


def test_a_run_without_a_result_is_compared_by_its_last_values_and_its_environment_is_not_known(tmp_path: Path) -> None:
    whole = stored_run.read(str(write_run(tmp_path / "a", 0.5, 0, epochs=2)))
    folder = write_run(tmp_path / "b", 0.5, 0, epochs=2)
    (folder / "result.json").unlink()
    cut = stored_run.read(str(folder))
    results = {p.key: p for p in differences.results(whole, cut)}
    assert results["train_loss"].left == pytest.approx(results["train_loss"].right)
    assert not results["epochs"].differs and results["status"].right == "unfinished"
    assert not any("/" in key for key in results)
    assert differing(differences.environments(whole, cut)) == {}


def test_a_config_changed_by_hand_is_known_by_its_hash(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", 0.5, 0, epochs=2)
    assert stored_config.untouched(stored_run.read(str(folder)))
    config = orjson.loads((folder / "config.json").read_bytes())
    for changes in ({"seed": 1}, {"seed": -1}, {"config_hash": "0" * 16}):
        (folder / "config.json").write_bytes(orjson.dumps(config | changes))
        assert not stored_config.untouched(stored_run.read(str(folder)))
