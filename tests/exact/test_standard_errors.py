"""Standard errors against NIST's certified ones, statsmodels' numbers, and the textbook's formula."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from experiments.errors import UserError
from experiments.exact.optimum import LeastSquares
from experiments.exact.standard_errors import StandardErrors, standard_errors
from tests.exact.test_optimum import NIST, X, Y, digits, nist

CERTIFIED = {
    "norris": [0.232818234301152, 0.429796848199937e-3],
    "longley": [890420.383607373, 84.9149257747669, 0.0334910077722432, 0.488399681651699, 0.214274163161675,
                0.226073200069370, 455.478499142212],
    "noint1": [0.0165289256198347],
    "noint2": [0.0420827318078432],
    "pontius": [0.107938612033077e-3, 0.157817399981659e-9, 0.486652849992036e-16],
    "filip": [298.084530995537, 559.779865474950, 466.477572127796, 227.204274477751, 71.6478660875927,
              15.2897178747400, 2.23691159816033, 0.221624321934227, 0.142363763154724e-1, 0.535617408889821e-3,
              0.896632837373868e-5],
    "wampler1": [0.0] * 6,
    "wampler2": [0.0] * 6,
    "wampler3": [2152.32624678170, 2363.55173469681, 779.343524331583, 101.475507550350, 5.64566512170752,
                 0.112324854679312],
    "wampler4": [215232.624678170, 236355.173469681, 77934.3524331583, 10147.5507550350, 564.566512170752,
                 11.2324854679312],
    "wampler5": [21523262.4678170, 23635517.3469681, 7793435.24331583, 1014755.07550350, 56456.6512170752,
                 1123.24854679312],
}  # fmt: skip
"""Standard deviations of the estimates, intercept first: NIST's Statistical Reference Datasets."""
BSE = [
    0.2170414354087617, 5.835821285014878, 0.7171055005609104, 0.22523816918826872, 0.5733318585500607,
    0.5308343897660237, 0.7824638456267184, 5.958637837216313, 15.669719238707177, 0.2733139503593656,
    67.45462110434141,
]  # fmt: skip
HC3 = [
    0.21152148668467696, 5.685552943496597, 0.7392795935536188, 0.22847329178315912, 0.5659406392719483,
    0.5112279941735056, 0.7674554127956738, 5.995499704239107, 15.24005736959208, 0.26468607010536577,
    67.14196672198773,
]  # fmt: skip
INTERVALS = [
    (-0.4629525453421549, 0.39023009689487886), (-34.329857486678776, -11.389438694317995),
    (4.193503191647339, 7.012420992200043), (0.6741061286747705, 1.5595098579615772),
    (-2.2168705390627594, 0.03687787093629957), (-0.2968956834336238, 1.7897965944620677),
    (-1.1659149222590575, 1.9099243524373568), (-5.177771345003577, 18.245435216984315),
    (37.68455316670232, 99.28169676287379), (-0.25707702132598886, 0.8173109999690066),
    (-467.1480711792069, -201.98620585836628),
]  # fmt: skip
"""statsmodels 0.15.0 on scikit-learn's diabetes, unscaled: `OLS(y, [x 1]).fit()`'s bse, HC3_se and conf_int()."""


def errors_of(x: np.ndarray, y: np.ndarray, bias: bool = True, rows: int = 1_000) -> StandardErrors:
    squares, starts = LeastSquares(bias), range(0, len(x), rows)
    for i in starts:
        squares.add(x[i : i + rows], y[i : i + rows])
    return standard_errors(squares, ((x[i : i + rows], y[i : i + rows]) for i in starts))


@pytest.mark.parametrize("name", NIST)
def test_certified_digits(name: str) -> None:
    x, y, bias, _ = nist(name)
    found = errors_of(x, y, bias).classical[0]
    ours = np.r_[found[-1], found[:-1]] if bias else found[:-1]
    if not any(CERTIFIED[name]):
        assert not ours.any()
        return
    assert digits(ours, np.array(CERTIFIED[name])) >= (6.5 if name == "filip" else 12.9)


@pytest.mark.parametrize("rows", [7, 1_000])
def test_errors_and_intervals_are_those_of_statsmodels(rows: int) -> None:
    x, y = load_diabetes(return_X_y=True, scaled=False)
    found = errors_of(np.asarray(x), np.asarray(y)[:, None], rows=rows)
    assert found.classical[0] == pytest.approx(BSE, rel=1e-12) and found.freedom == 431
    assert found.robust is not None and found.robust[0] == pytest.approx(HC3, rel=1e-12)
    best, reach = np.r_[found.optimum.weight[0], found.optimum.bias], found.reach() * found.classical[0]
    assert np.c_[best - reach, best + reach] == pytest.approx(np.array(INTERVALS), rel=1e-10)


@pytest.mark.parametrize("bias", [True, False])
def test_several_targets_as_the_textbook_has_it(bias: bool) -> None:
    found = errors_of(X, Y, bias)
    a = np.c_[X, np.ones(len(X))] if bias else X
    inverse = np.linalg.inv(a.T @ a)
    residual = Y - a @ inverse @ a.T @ Y
    leverage = np.einsum("ij,jk,ik->i", a, inverse, a)
    for t, e in enumerate(residual.T):
        classical = np.sqrt(e @ e / (len(a) - a.shape[1]) * np.diag(inverse))
        robust = np.sqrt(np.diag(inverse @ (a.T * (e / (1 - leverage)) ** 2) @ a @ inverse))
        assert found.classical[t, : a.shape[1]] == pytest.approx(classical, rel=1e-8)
        assert found.robust is not None and found.robust[t, : a.shape[1]] == pytest.approx(robust, rel=1e-8)
    assert bias or not found.classical[:, -1].any()


def test_a_row_that_decides_a_weight_by_itself_leaves_no_robust_errors() -> None:
    x = np.c_[np.arange(9.0), np.arange(9) == 4]
    found = errors_of(x, np.sin(np.arange(9.0))[:, None])
    assert found.robust is None and found.classical.all()


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.c_[X, X[:, 0]], "the weights are not unique, the rank is 4 of 5 columns"),
        (X[:4], "4 rows for 4 weights of each target"),
    ],
)
def test_what_has_no_errors_is_refused(x: np.ndarray, said: str) -> None:
    with pytest.raises(UserError, match=said):
        errors_of(x, Y[: len(x)])
