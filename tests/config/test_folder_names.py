"""Names of folders: what was asked for or what differs, whole words, no more than 80 safe characters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.config.folder_names import LONGEST, job_name, legible, run_name, shared

TABLE = "data.path=/home/me/projects/yields/2024/crops_of_the_north.csv"


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["optimizer.lr=0.1", "seed=3"], "lr=0.1_seed=3"),
        (["+data.one_hot=[city]", "~training.patience", "hydra.job.chdir=true", "hydra/launcher=basic"],
         "one-hot=city_patience"),
        ([TABLE], "path=crops-of-the-north.csv"),
        (["data=table", TABLE, "optimizer.lr=0.1"], "data=table_path=crops-of-the-north.csv_lr=0.1"),
        (["training.start='/runs/2026-11-25_02-07-55_846d06be_epochs=50'", "seed=1"], "start=846d06be_seed=1"),
        (["data.path=sales.csv", "seed='3'"], "path=sales.csv_seed=3"),
    ],
)  # fmt: skip
def test_a_run_is_named_by_its_overrides_and_a_table_by_its_file(overrides: list[str], name: str) -> None:
    assert legible(overrides, LONGEST) == name


def test_a_long_override_leaves_room_for_those_behind_it() -> None:
    columns = ",".join(f"column_{k}" for k in range(40))
    name = legible([f"data.inputs=[{columns}]", "optimizer.lr=0.1", "seed=3"], 51)
    assert name.startswith("inputs=column-0") and "..." not in name
    assert ".." in name and name.endswith("column-39_lr=0.1_seed=3") and len(name) <= 51


def test_what_is_left_out_in_the_end_are_whole_words_from_the_start() -> None:
    many = ["data=table", TABLE, "data.targets=[apples,oranges]", "data.standardize=true", "optimizer.lr=0.01",
            "training.batch_size=32"]  # fmt: skip
    assert legible(many, 51) == "standardize=true_lr=0.01_batch-size=32"
    assert legible(many, 60) == "targets=appl..nges_standardize=true_lr=0.01_batch-size=32"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (["/data/2023/region/table.csv", "/data/2024/region/table.csv"], ["2023", "2024"]),
        (["/data/long/name/table1.csv", "/data/long/name/table2.csv"], ["table1.csv", "table2.csv"]),
        (["[temp,rainfall,humidity]", "[temp,rainfall,pressure]"], ["humidity", "pressure"]),
        (["[temp]", "[rain]"], ["temp", "rain"]),
        (["/data/a/b/c/d/e/f/t.csv", "/data/a/b/c/d/e/f/x/t.csv"], ["t.csv", "x-t.csv"]),
        (["0.1", "0.12"], ["0.1", "0.12"]),
    ],
)
def test_jobs_are_named_by_what_differs_between_them(values: list[str], named: list[str]) -> None:
    overrides = [f"data.path={value}" for value in values]
    swept = {"data.path": shared(overrides)}
    assert [job_name(7, ["seed=1", o], swept) for o in overrides] == [f"7_path={name}" for name in named]


def test_a_job_of_another_sweeper_is_named_as_a_run_is() -> None:
    assert job_name(12, [TABLE, "optimizer.lr=1e-3"]) == "12_path=crops-of-the-north.csv_lr=1e-3"
    assert job_name(3, []) == "3"


@given(st.lists(st.text(min_size=1, max_size=120), max_size=8))
def test_any_overrides_make_a_short_safe_name(overrides: list[str]) -> None:
    for name in (run_name(overrides), job_name(4, overrides)):
        assert len(name) <= LONGEST and re.fullmatch(r"[A-Za-z0-9.,=+_-]+", name) and name[-1] not in ". -_"
