"""ONNX files, read back by onnxruntime: the same predictions from the same rows, in the table's units."""

import json

import numpy as np
import onnxruntime
import pytest

from tests.support.exported import KINDS, OWN, expected, trained


@pytest.mark.parametrize("kind", KINDS)
def test_onnxruntime_predicts_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", OWN)
    result, rows = trained(kind)
    result.to_onnx("model.onnx")
    session = onnxruntime.InferenceSession("model.onnx")
    (output,) = session.get_outputs()
    assert output.name == ("predictions" if result.classes is None else "probabilities")
    found, one = (np.asarray(session.run(None, {"rows": part})[0]) for part in (rows, rows[:1]))  # any number of rows
    assert found == pytest.approx(expected(result, rows), rel=1e-6, abs=1e-6)
    assert one == pytest.approx(found[:1], rel=1e-6, abs=1e-6)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["features"]) == result.features and json.loads(about["targets"]) == result.targets
    assert json.loads(about.get("classes", "null")) == result.classes
