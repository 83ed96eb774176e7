"""Subsets of rows: what scikit-learn's KFold, StratifiedKFold and (Stratified)GroupKFold promise holds of ours too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from experiments.config.schema import Data
from experiments.data.dataset import Dataset
from experiments.data.prepared import Preparation, prepare, rescaled
from experiments.data.sources.samples import Iris
from experiments.data.sources.table import Table
from experiments.data.splitting import HELD, TESTED, TRAINED, held_rows, subsets
from experiments.errors import UserError


def masks(classes: np.ndarray, folds: int, groups: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """The rows that each fold holds out, (folds, rows)."""
    return np.array([held_rows(Data(folds=folds, fold=k, split_seed=seed), classes, groups) for k in range(folds)])


def theirs(splitter: object, classes: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    found = splitter.split(np.zeros((len(classes), 1)), classes, groups)  # type: ignore[attr-defined]
    return np.array([np.isin(np.arange(len(classes)), held) for _, held in found])


def counts(held: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Rows of each class in each fold, (folds, classes)."""
    return np.array([np.bincount(classes[mask], minlength=classes.max() + 1) for mask in held])


@settings(deadline=None, max_examples=25)
@given(rows=st.integers(2, 200), folds=st.integers(2, 9), seed=st.integers(0, 2**63 - 1))
def test_every_row_is_held_out_once_and_folds_are_as_large_as_scikit_learns(rows: int, folds: int, seed: int) -> None:
    folds, classes = min(folds, rows), np.zeros(rows, np.int64)
    held = masks(classes, folds, seed=seed)
    assert (held.sum(0) == 1).all()
    assert held.sum(1).tolist() == theirs(KFold(folds), classes).sum(1).tolist()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 3), min_size=30, max_size=200), st.integers(2, 7))
def test_classes_are_dealt_out_within_one_row_and_so_are_all_rows(labels: list[int], folds: int) -> None:
    classes = np.unique(labels, return_inverse=True)[1]
    held = masks(classes, folds)
    assert (held.sum(0) == 1).all()
    assert np.ptp(held.sum(1)) <= 1
    assert np.ptp(counts(held, classes), axis=0).max() <= 1
    if (np.bincount(classes) >= folds).all():  # else scikit-learn warns
        its = counts(theirs(StratifiedKFold(folds), classes), classes)
        assert np.sort(its, axis=0).tolist() == np.sort(counts(held, classes), axis=0).tolist()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 12), min_size=40, max_size=200), st.integers(2, 5))
def test_groups_stay_whole_and_folds_are_no_less_even_than_scikit_learns(members: list[int], folds: int) -> None:
    groups, nothing = np.array(members), np.zeros(len(members), np.int64)
    if len(set(members)) < folds:
        with pytest.raises(UserError, match=rf"data.folds={folds}: the rows are of {len(set(members))} groups"):
            masks(nothing, folds, groups)
        return
    held = masks(nothing, folds, groups)
    assert (held.sum(0) == 1).all() and held.any(1).all()
    assert all(len(set(groups[mask]) & set(groups[~mask])) == 0 for mask in held)
    its = theirs(GroupKFold(folds), nothing, groups).sum(1)  # the largest group first to the lightest fold, as ours
    assert sorted(held.sum(1)) == sorted(its)


def test_classes_of_whole_groups_are_as_even_as_scikit_learns() -> None:
    draws = np.random.default_rng(0)
    ours, its = [], []
    for _ in range(20):
        groups = draws.integers(0, 40, 400)
        classes = (draws.random(400) < draws.random(40)[groups]).astype(np.int64)
        held, other = masks(classes, 5, groups), theirs(StratifiedGroupKFold(5), classes, groups)
        assert (held.sum(0) == 1).all()
        assert all(len(set(groups[mask]) & set(groups[~mask])) == 0 for mask in held)
        ours.append(counts(held, classes).std(0).mean())
        its.append(counts(other, classes).std(0).mean())
    assert np.mean(ours) < 1.1 * np.mean(its)


def test_a_share_holds_out_whole_groups_of_about_so_many_rows() -> None:
    groups = np.random.default_rng(1).integers(0, 60, 600)
    for share in (0.1, 0.25, 0.5):
        mask = held_rows(Data(validation=share), np.zeros(600, np.int64), groups)
        assert not set(groups[mask]) & set(groups[~mask])
        assert abs(mask.mean() - share) < 0.02
    with pytest.raises(UserError, match=r"data\.validation=0\.1: the rows are of 2 groups"):
        held_rows(Data(validation=0.1), np.zeros(10, np.int64), np.arange(10) // 5)


def test_the_split_seed_alone_decides() -> None:
    classes = np.arange(60) % 3
    assert (masks(classes, 5) == masks(classes, 5)).all()
    assert (masks(classes, 5) != masks(classes, 5, seed=1)).any()
    with pytest.raises(UserError, match=r"data\.folds=7: there are 6 rows"):
        masks(classes[:6], 7)


def test_a_fold_is_scaled_by_its_training_rows_alone_and_classes_are_even_in_it() -> None:
    how = Preparation(folds=5, fold=2, labels=True, standardize="inputs")
    found = prepare(Iris().load(), how)
    assert found.held_out is not None
    assert (found.rows, found.validation_rows) == (120, 30)
    assert found.held_out.y[:, 0].long().bincount().tolist() == [10, 10, 10]
    assert torch.allclose(found.scaling.x_shift, found.table.x.mean(0).double())
    assert not torch.allclose(found.scaling.x_shift, Iris().load().x.mean(0).double())
    assert rescaled(found, False).rows == 120  # the rows are not dealt out again


def file(folder: Path) -> Path:
    """36 rows of 9 sites, of two classes, some cells missing."""
    draws = np.random.default_rng(3)
    x = [None if i % 6 == 1 else float(v) for i, v in enumerate(draws.normal(size=36))]
    frame = pl.DataFrame({"x": x, "site": [i % 9 for i in range(36)], "y": [("no", "yes")[i % 2] for i in range(36)],
                          "row": list(range(36))})  # fmt: skip
    frame.write_csv(folder / "t.csv")
    return folder / "t.csv"


def test_groups_and_folds_of_a_file_with_means_learned_of_the_training_rows(tmp_path: Path) -> None:
    path = file(tmp_path)
    site, seen = np.arange(36) % 9, []
    for fold in range(3):
        keys = Table(
            path=str(path), targets=["y"], missing="mean", groups="site", folds=3, fold=fold, inputs=["x", "row"]
        )
        found = keys.prepared(Preparation(labels=True, folds=3, fold=fold))
        assert found.held_out is not None
        held, trained = found.held_out.x[:, 1].int().numpy(), found.table.x[:, 1].int().numpy()
        assert not set(site[held]) & set(site[trained])
        seen += held.tolist()
        x = pl.read_csv(path)["x"]
        assert found.held_out.x[:, 0][torch.from_numpy(held % 6 == 1)].unique().tolist() in (
            [], [pytest.approx(x.gather(trained.tolist()).mean())],
        )  # fmt: skip
    assert sorted(seen) == list(range(36))


def test_the_column_of_groups_is_no_input_unless_it_is_named(tmp_path: Path) -> None:
    keys = Table(path=str(file(tmp_path)), targets=["row"], missing="drop", groups="site", validation=0.3)
    assert keys.load().features == ("x",)
    assert replace(keys, inputs=["x", "site"]).load().features == ("x", "site")


def test_stratified_folds_of_a_file_without_rows_that_are_dropped(tmp_path: Path) -> None:
    sizes = []
    for fold in range(5):
        keys = Table(path=str(file(tmp_path)), targets=["y"], missing="drop", folds=5, fold=fold, inputs=["x", "row"])
        found = keys.prepared(Preparation(labels=True, folds=5, fold=fold))
        assert found.held_out is not None
        assert found.rows + found.validation_rows == 30 and found.table.dropped == 6
        sizes.append(found.held_out.y[:, 0].long().bincount(minlength=2).tolist())
    assert np.ptp(np.array(sizes), axis=0).max() <= 1


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"groups": "sit", "validation": 0.2}, "data.groups: there is no column sit; did you mean site?"),
        ({"groups": "x", "validation": 0.2}, "data.groups: row 2 of x is missing; each row needs a group"),
        (
            {"folds": 3, "fold": 0, "validation_column": "row"},
            "data.folds and data.validation_column: rows can be held",
        ),
    ],
)
def test_what_is_wrong_names_its_key(keys: dict[str, object], said: str, tmp_path: Path) -> None:
    table = Table(path=str(file(tmp_path)), targets=["y"], inputs=["row"], **keys)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        table.prepared(Preparation(labels=True))


@pytest.mark.parametrize("keys", [{"folds": 5, "fold": 1}, {"validation": 0.25}, {}])
def test_rows_of_the_test_come_first_and_are_even_of_each_class(keys: dict[str, float]) -> None:
    classes = np.repeat([0, 1, 2], [100, 50, 10])
    found = subsets(Data(test=0.2, **keys), classes, None, None if keys else np.zeros(160, bool))  # type: ignore[arg-type]
    assert np.bincount(classes[found == TESTED]).tolist() == [20, 10, 2]
    held = int((found == HELD).sum())
    assert held == {"folds": 26, "validation": 32}.get(next(iter(keys), ""), 0)
    assert (found == TRAINED).sum() == 128 - held
    assert (found == TESTED).tolist() == (subsets(Data(test=0.2, folds=3, fold=0), classes, None) == TESTED).tolist()


def test_rows_of_the_test_are_whole_groups_and_no_fold_has_them() -> None:
    groups = np.random.default_rng(5).integers(0, 50, 500)
    of = [subsets(Data(test=0.2, folds=4, fold=k), np.zeros(500, np.int64), groups) for k in range(4)]
    tested = of[0] == TESTED
    assert abs(tested.mean() - 0.2) < 0.02 and not set(groups[tested]) & set(groups[~tested])
    assert ((np.array(of) == HELD).sum(0) == ~tested).all()


def test_scaling_means_and_digits_are_those_of_the_training_rows_alone(tmp_path: Path) -> None:
    keys = Table(path=str(file(tmp_path)), targets=["row"], missing="mean", inputs=["x"], test=0.25, validation=0.25)
    found = keys.prepared(Preparation(standardize=True, test=0.25, validation=0.25))
    assert found.test is not None and found.held_out is not None
    of = [part.y[:, 0].int().tolist() for part in (found.table, found.held_out, found.test)]
    assert [len(rows) for rows in of] == [20, 7, 9] and sorted(of[0] + of[1] + of[2]) == list(range(36))
    x = pl.read_csv(tmp_path / "t.csv")["x"].gather(of[0])
    assert found.table.encoding is not None
    assert found.table.x.mean().item() == pytest.approx(x.mean())
    assert found.scaling.x_shift.item() == pytest.approx(found.table.x.mean().item())


@pytest.mark.parametrize(("share", "left"), [(0.01, "the test"), (0.99, "training")])
def test_a_test_without_rows_is_refused(share: float, left: str) -> None:
    with pytest.raises(UserError, match=rf"data\.test={share}: of 36 rows this leaves no row for {left}"):
        subsets(Data(test=share), np.zeros(36, np.int64), None, np.zeros(36, bool))


def test_data_with_rows_for_validation_of_their_own_have_no_folds() -> None:
    rows = Dataset(torch.zeros(4, 1), torch.zeros(4, 1), ("a",), ("b",))
    with pytest.raises(UserError, match=r"data\.folds=2: these data have rows for validation of their own"):
        prepare(rows.holding_out(rows), Preparation(folds=2, fold=0))
