"""Composer, template and job against Hydra's own composition of every job; the plan that is made of them."""

import json
from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.config.composition import plain, register_resolvers
from experiments.config.explain import explain
from experiments.config.paths import config_folder
from experiments.config.validation import config_hash, plain_config, validate
from experiments.errors import UserError
from experiments.sweeps.compose.composer import Composer
from experiments.sweeps.compose.jobs import Job, config_texts
from experiments.sweeps.compose.packing import MOST_JOBS, plan

Loaded = tuple[ConfigLoader, DictConfig]


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    register_resolvers()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        yield loader, loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN)


def hydras(loaded: Loaded, overrides: list[str]) -> tuple[dict, str]:
    """What Hydra composes, as the schema takes it and as YAML. Raises UserError."""
    loader, master = loaded
    try:
        composed = loader.load_sweep_config(master, overrides)
    except Exception as error:
        raise explain(error) or error from error
    with read_write(composed), open_dict(composed):
        del composed["hydra"]
    return plain_config(validate(plain(composed))), OmegaConf.to_yaml(composed)


GROUPS = [
    "model=manual", "model=linear", "model=analytic", "optimizer=adam", "optimizer=sgd", "optimizer=manual_sgd",
    "schedule=step", "schedule=cosine", "loss=l1", "data=synthetic", "data=crops_small", "experiment=standardized",
    "device.dtype=float64",
]  # fmt: skip
KEYS = [
    "seed=0", "seed=7", "seed=9223372036854775807", "seed=-1", "seed=1.5", "seed='3'", "seed=${training.epochs}",
    "training.epochs=3", "training.epochs=0", "training.epochs=1e2", "training.batch_size=null",
    "training.batch_size=4",
    "training.patience=2", "training.shuffle=false", "training.shuffle=blocks", "training.shuffle=no",
    "training.log_every=2", "optimizer.lr=1e-5", "optimizer.lr=1", "optimizer.lr=auto", "optimizer.lr=-1",
    "optimizer.momentum=0.9", "optimizer.betas=[0.8,0.9]", "optimizer.betas=[2]", "optimizer.weight_decay=0.01",
    "model.init=zeros", "model.init=zero", "model.bias=false", "data.standardize=true", "data.noise=0.5",
    "data.n_rows=${training.batch_size}", "data.validation=0.2", "schedule.gamma=0.5", "+training.epoch=3",
    "++training.epochs=5", "+data.nonsense=1", "~training.patience", "sweep.objective=gap", "tracking.weights=true",
    "training.fail_on_divergence=true", "training.max_seconds=1.5", "device.threads=1", "optimizer.nothing=1",
]  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(
    groups=st.lists(st.sampled_from(GROUPS), max_size=2, unique_by=lambda o: o.partition("=")[0]),
    batches=st.lists(st.lists(st.sampled_from(KEYS), max_size=3, unique_by=lambda o: o.lstrip("+~").partition("=")[0]),
                     min_size=1, max_size=4),
)  # fmt: skip
@example(groups=["data=synthetic"], batches=[["seed=${training.epochs}", "training.epochs=3"], ["seed=1"]])
@example(groups=["data=table", "data.units={a: m}"], batches=[["data.units.a=s"], ["data.units.b=s"]])
@example(groups=["model._target_=their.Net", "+model.deep={x: 1}"], batches=[["model.deep.x=2"], ["model.deep.x=3"]])
@example(groups=[], batches=[["training.epochs=3"], ["optimizer=adam", "optimizer.lr=1"], ["training.epoch=3"]])
@example(groups=["data=stream"], batches=[["data.test=0"], ["data.test=0.2"]])
@example(groups=[], batches=[[f"model.init={init}", f"training.start={run}"] for init in ("zeros", "w.pt")
                             for run in ("null", "first")])  # fmt: skip
def test_every_job_is_what_hydra_composes(loaded: Loaded, groups: list[str], batches: list[list[str]]) -> None:
    composer = Composer(*loaded)  # the jobs of one sweep share their templates
    for number, batch in enumerate(batches):
        overrides = [*groups, *batch]
        job = composer.compose(Job(number, tuple(overrides)))
        refusal = None
        try:
            expected, text = hydras(loaded, overrides)
        except UserError as error:
            expected, text, refusal = {}, "", str(error)
        assert job.error == refusal
        if refusal is not None:
            continue
        assert job.plain() == expected
        assert job.digest == config_hash(expected)
        texts = config_texts(job, "/some/folder")
        stored = json.loads(texts["config.json"])
        assert stored.pop("config_hash") == job.digest
        assert stored == json.loads(json.dumps(expected))
        assert texts[".hydra/config.yaml"] == text


def test_a_structure_is_composed_once_for_all_its_jobs(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    loader, master = loaded
    composed = []
    whole = type(loader).load_sweep_config

    def counted(self, master_config, overrides):
        composed.append(overrides)
        return whole(self, master_config, overrides)

    monkeypatch.setattr(type(loader), "load_sweep_config", counted)
    composer = Composer(loader, master)
    for model in ("manual", "linear"):
        for seed in range(50):
            assert composer.compose(Job(seed, (f"model={model}", f"seed={seed}"))).error is None
    assert composed == [["model=manual"], ["model=linear"]]


@settings(max_examples=12, deadline=None)
@given(batches=st.lists(st.lists(st.sampled_from([*GROUPS, *KEYS]), max_size=3,
                                 unique_by=lambda o: o.lstrip("+~").partition("=")[0]), max_size=8))  # fmt: skip
def test_a_plan_has_every_job_once_and_a_pack_is_of_one_program(loaded: Loaded, batches: list[list[str]]) -> None:
    composer = Composer(*loaded)
    jobs = [composer.compose(Job(n, tuple(overrides))) for n, overrides in enumerate(batches)]
    sound = [job for job in jobs if job.error is None]
    planned = plan(sound)
    found = [job.number for pack in planned.packs for job in pack] + [job.number for job, _ in planned.serial]
    assert sorted(found) == [job.number for job in sound]
    for pack in planned.packs:
        for key in ("training.batch_size", "training.shuffle", "model.bias", "device.dtype"):
            assert len({str(job.value(key)) for job in pack}) == 1
        rules = {job.plain()["optimizer"]["_target_"].rpartition(".")[2] for job in pack}
        assert len(rules) == 1


def test_packs_are_cut_to_equal_chunks(loaded: Loaded) -> None:
    composer = Composer(*loaded)
    jobs = [composer.compose(Job(n, (f"seed={n}",))) for n in range(2 * MOST_JOBS + 1)]
    packs = plan(jobs).packs
    assert [job.number for pack in packs for job in pack] == list(range(2 * MOST_JOBS + 1))
    assert len(packs) == 3
    assert max(map(len, packs)) - min(map(len, packs)) <= 1


def test_zero_with_a_sign_is_told_from_zero_without(loaded: Loaded) -> None:
    composer = Composer(*loaded)
    jobs = [
        composer.compose(Job(n, ("data=synthetic", f"data.noise={zero}"))) for n, zero in enumerate(("0.0", "-0.0"))
    ]
    for job in jobs:
        assert job.digest == config_hash(job.plain())
    assert '"noise": -0.0' in config_texts(jobs[1], "f")["config.json"] and jobs[0].digest != jobs[1].digest
