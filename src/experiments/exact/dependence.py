"""Columns whose weights mean nothing by themselves: constant, copies of others, sums of others. Named, with why."""

from collections.abc import Sequence

import numpy as np

from experiments.exact.optimum import LeastSquares

NEGLIGIBLE = 1e-9
"""A column is a sum of others when less than this share of its length is left without them."""
MOST_NAMED = 5
MOST_NOTES = 10


def notes(squares: LeastSquares, names: Sequence[str]) -> list[str]:
    """One line for each column of x that is constant or depends on columns before it.

    The columns are factored in their order, so |r_jj| is what is left of column j without those before it.
    """
    triangle, d = squares.triangle(), squares.features
    first = int(squares.bias)  # with an intercept, the column of ones comes before all others
    columns = triangle[:, : 1 + d]
    if not squares.bias:
        columns = columns[:, 1:] + columns[:, :1] * (squares.shift / squares.scale)[:d]
    length = np.linalg.norm(columns[first:, first:], axis=0)  # after centring, where there is an intercept
    if squares.features > squares.rows - first:
        rows = f"{squares.rows} row{'s' * (squares.rows > 1)}"
        return [
            f"{squares.features} features but only {rows}: infinitely many weights fit the rows equally well; "
            "more rows, or fewer inputs, would tell the features apart"
        ]
    found = []
    free: list[int] = []
    basis = np.zeros((len(columns) - first, 0))
    for j, name in enumerate(names):
        column = columns[first:, first + j]
        size = abs(squares.shift[j]) / squares.scale[j] * np.sqrt(squares.rows) + np.linalg.norm(columns[:, first + j])
        if length[j] <= 1e-13 * size or length[j] == 0:
            same = ", the intercept can do the same" * squares.bias
            found.append(f"column {name} is constant ({squares.mean[j]:g}): its weight is arbitrary{same}")
            continue
        left = column - basis @ (basis.T @ column)
        left -= basis @ (basis.T @ left)
        if np.linalg.norm(left) > NEGLIGIBLE * length[j]:
            free.append(j)
            basis = np.column_stack([basis, left / np.linalg.norm(left)])
            continue
        before = columns[first:, [first + k for k in free]] / length[free]
        share = np.linalg.lstsq(before, column / length[j], rcond=None)[0]
        others = [names[free[k]] for k in np.flatnonzero(np.abs(share) > 1e-6)]
        listed = ", ".join(others[:MOST_NAMED]) + f" and {len(others) - MOST_NAMED} more" * (len(others) > MOST_NAMED)
        what = f"a copy of {listed}, up to its scale" if len(others) == 1 else f"a linear combination of {listed}"
        found.append(f"column {name} is {what}: predictions are unique, but not how their weights share the effect")
    if len(found) > MOST_NOTES:
        found[MOST_NOTES:] = [f"and {len(found) - MOST_NOTES} more such columns"]
    return found
