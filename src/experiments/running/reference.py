"""The reference solution: the exact optimum that a run is held against, and how hard it is for gradient descent."""

import logging
import math
from dataclasses import dataclass
from typing import Any

from experiments.data.prepared import Prepared
from experiments.exact.dependence import notes
from experiments.exact.optimum import Conditioning, Optimum
from experiments.learning.losses import SQUARED

log = logging.getLogger("experiments")
LARGEST_SOLVED = 10_000
"""Tables of more features than this are trained without an exact optimum beside them."""


@dataclass(frozen=True)
class Reference:
    """The optimum of the training rows in their units, and the conditioning of the loss as trained; None: unknown."""

    optimum: Optimum | None = None
    conditioning: Conditioning | None = None
    remarks: tuple[str, ...] = ()
    """What is to be known of an optimum that is not unique."""

    @property
    def finite_conditioning(self) -> dict[str, float | None] | None:
        """`conditioning` of result.json; what is infinite has no number."""
        if self.conditioning is None:
            return None
        values = {n: getattr(self.conditioning, n) for n in ("lambda_max", "condition_number", "max_stable_lr")}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}


def reference_solution(data: Prepared, loss: Any, *, bias: bool, linear: bool) -> Reference:
    """Solve the training rows. `linear`: whether the model is; the conditioning is that of its weights alone."""
    features = len(data.table.features)
    if features > LARGEST_SOLVED:
        log.info("no exact optimum: %d features are more than %d", features, LARGEST_SOLVED)
        return Reference()
    optimum = data.optimum(bias)
    remarks: tuple[str, ...] = ()
    if not optimum.unique:
        remarks = (
            f"the optimum is not unique: rank {optimum.rank} of {features + bias} columns; "
            "the one compared with has the smallest weights",
            *notes(data.squares(bias), data.table.features),
        )
    known = data.conditioning(bias) if linear and isinstance(loss, SQUARED) else None
    return Reference(optimum, known, remarks)
