"""The tables that need no file: scikit-learn's, and drawn ones with correlated features and outliers."""

import sys

import numpy as np
import pytest
import torch

from experiments.data.sources.samples import Diabetes, Linnerud
from experiments.data.sources.synthetic import Synthetic
from experiments.errors import UserError
from experiments.exact.optimum import columns_alone, solve


def test_diabetes_and_linnerud_are_the_published_tables():
    diabetes, linnerud = Diabetes().load(), Linnerud().load()
    assert (tuple(diabetes.x.shape), tuple(linnerud.x.shape)) == ((442, 10), (20, 3))
    # r2 of least squares: 0.5177 in B. Efron et al. (2004)
    residual = solve(diabetes.x, diabetes.y).loss
    assert 1 - residual / diabetes.y.var(correction=0).item() == pytest.approx(0.51775, abs=1e-5)
    assert linnerud.targets == ("Weight", "Waist", "Pulse")
    assert linnerud.y[0].tolist() == [191, 36, 50]


def test_without_scikit_learn_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(UserError, match=r"data=diabetes: needs scikit-learn, .*experiments\[samples\]"):
        Diabetes().load()


def test_correlated_features_correlate_exactly_and_have_the_stated_condition_number():
    table = Synthetic(n_rows=500, n_features=4, correlation=0.9).load()
    expected = np.full((4, 4), 0.9) + 0.1 * np.eye(4)
    np.testing.assert_allclose(np.corrcoef(table.x.numpy().T), expected, atol=1e-12)
    assert columns_alone(table.x, 1).conditioning().condition_number == pytest.approx((1 + 3 * 0.9) / 0.1)
    with pytest.raises(UserError, match="give one of them"):
        Synthetic(correlation=0.5, condition=10)


def test_outliers_move_their_share_of_the_targets_and_nothing_else():
    clean, dirty = (Synthetic(n_rows=5000, noise=0, outliers=share, outlier_size=7).load() for share in (0, 0.1))
    torch.testing.assert_close(clean.x, dirty.x, rtol=0, atol=0)
    moved = (dirty.y - clean.y).abs() / clean.y.std(correction=0)
    far = moved > 1e-9
    assert far.double().mean().item() == pytest.approx(0.1, abs=0.015)
    torch.testing.assert_close(moved[far], torch.full_like(moved[far], 7))
