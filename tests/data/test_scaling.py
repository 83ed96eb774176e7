"""Standardising against scikit-learn's StandardScaler, and its way back to the table's units."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from experiments.data.scaling import identity, standardization
from experiments.data.sources.crops import crops


def test_columns_are_scaled_as_scikit_learn_does() -> None:
    data = crops(15)
    scaling = standardization(data.x, data.y, bias=True)
    np.testing.assert_allclose(scaling.inputs(data.x), StandardScaler().fit_transform(data.x.numpy()), atol=1e-13)
    np.testing.assert_allclose(scaling.targets(data.y), StandardScaler().fit_transform(data.y.numpy()), atol=1e-13)
    torch.testing.assert_close(scaling.predictions(scaling.targets(data.y)), data.y)


def test_without_intercept_nothing_is_shifted() -> None:
    data = crops(15)
    scaling = standardization(data.x, data.y, bias=False)
    assert not scaling.x_shift.any() and not scaling.y_shift.any()
    torch.testing.assert_close(scaling.inputs(data.x).square().mean(0), torch.ones(3, dtype=torch.float64))
    _, bias = scaling.original(torch.randn(2, 3), None)
    assert bias.tolist() == [0.0, 0.0]


def test_a_constant_column_keeps_its_scale() -> None:
    x = torch.tensor([[1.0, 0.1], [2.0, 0.1], [4.0, 0.1]], dtype=torch.float64)
    scaling = standardization(x, x[:, :1], bias=True)
    assert scaling.x_scale[1] == 1
    scaled = scaling.inputs(x)
    assert torch.isfinite(scaled).all() and scaled[:, 1].abs().max() < 1e-15
    zeros = standardization(torch.zeros(3, 1), torch.zeros(3, 1), bias=False)
    assert zeros.x_scale.tolist() == [1] and zeros.y_scale.tolist() == [1]


@given(seed=st.integers(0, 2**31), bias=st.booleans())
def test_original_weights_predict_what_the_scaled_ones_do_and_trained_is_the_inverse(seed: int, bias: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(12, k, generator=generator, dtype=torch.float64) * 50 + 70 for k in (3, 2))
    scaling = standardization(x, y, bias)
    weight = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    intercept = torch.randn(2, generator=generator, dtype=torch.float64) if bias else None
    scaled = scaling.inputs(x) @ weight.t() + (0 if intercept is None else intercept)
    there, at = scaling.original(weight, intercept)
    torch.testing.assert_close(x @ there.t() + at, scaling.predictions(scaled), rtol=1e-9, atol=1e-9)
    back, base = scaling.trained(there, at)
    torch.testing.assert_close(back, weight, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(base, torch.zeros(2).double() if intercept is None else intercept, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identity_changes_nothing_and_gives_float64(dtype: torch.dtype) -> None:
    weight, bias = torch.randn(2, 3, dtype=dtype), torch.randn(2, dtype=dtype)
    there, at = identity(3, 2).original(weight, bias)
    assert there.dtype == at.dtype == torch.float64
    assert torch.equal(there, weight.double()) and torch.equal(at, bias.double())
