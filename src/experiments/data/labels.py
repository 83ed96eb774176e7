"""What a column of labels must be: text, whole numbers or booleans, of two classes at least. Each refusal is a line."""

from collections.abc import Sequence

from experiments.errors import UserError

MOST_CLASSES = 1_000


def require_one_target(targets: Sequence[str]) -> None:
    """Raise UserError unless there is one column of labels."""
    if len(targets) > 1:
        raise UserError(
            f"data.targets: loss=cross_entropy predicts one column of labels, not {len(targets)}: "
            f"{', '.join(targets)}; name it, as data.targets=[{targets[-1]}]"
        )


def require_classes(name: str, found: Sequence[object]) -> None:
    """Raise UserError for a target of one class, or of too many."""
    if len(found) == 1:
        raise UserError(f"data.targets: {name} is {found[0]} in every row; at least two classes tell rows apart")
    if len(found) > MOST_CLASSES:
        raise UserError(
            f"data.targets: {name} has more than {MOST_CLASSES} different values, too many to be classes; "
            "loss=mse predicts numbers"
        )


def not_whole(where: str, row: int, name: str, value: object) -> str:
    """What is said of a number where a class belongs; rows count from 1."""
    return (
        f"{where}: row {row}, column {name} is {value}, no whole number; loss=cross_entropy predicts classes (text, "
        "whole numbers or booleans), loss=mse predicts numbers"
    )
