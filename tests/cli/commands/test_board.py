"""`experiments board`: a real TensorBoard over a run and a sweep, asked through its interface and in a browser."""

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.cli.commands.board import POINTS, free_port, settings
from experiments.errors import UserError
from tests.support.browsing import Browser
from tests.support.serving import Served, board, free

SWEPT = ("optimizer.lr=1e-6,1e-5", "training.batch_size=3,5", "model=linear,manual", "training.epochs=7")
RUNS = 9
"""A run by itself and the eight of the sweep."""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A single run with its figures, and a sweep over three keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("board"))
        # a run that logs its weights has metrics that the sweep's jobs have not, and the parallel coordinates show only
        # rows that have a value on every axis
        assert main(["training.epochs=5", "seed=3", "tracking.weights=false"]) == 0
        assert main(["-m", *SWEPT]) == 0
        return Path("outputs").resolve()


@pytest.fixture(scope="module")
def served(outputs: Path) -> Iterator[Served]:
    with board(outputs, RUNS) as server:
        yield server


def runs_below(outputs: Path) -> dict[str, Path]:
    """Each run's folder by the name that TensorBoard gives it."""
    return {str(p.parent.relative_to(outputs)): p.parent for p in outputs.rglob("result.json")}


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def single(outputs: Path) -> str:
    return next(name for name in runs_below(outputs) if name.startswith("runs/"))


@pytest.mark.server
def test_every_run_is_listed_once_and_nothing_else(served: Served, outputs: Path) -> None:
    assert sorted(served.get("data/runs")) == sorted(runs_below(outputs))
    assert len(runs_below(outputs)) == RUNS


@pytest.mark.server
def test_scalars_are_those_of_metrics_jsonl(served: Served, outputs: Path) -> None:
    for name, folder in runs_below(outputs).items():
        for tag in ("loss/train", "loss/gap", "optimizer/lr"):
            points = served.get("data/plugin/scalars/scalars", run=name, tag=tag)
            assert [step for _, step, _ in points] == [r["epoch"] for r in records(folder)]
            assert [value for _, _, value in points] == pytest.approx([r[tag] for r in records(folder)], rel=1e-6)


@pytest.mark.server
def test_hparams_has_every_varied_key_as_a_column(served: Served) -> None:
    experiment = served.post("data/plugin/hparams/experiment", {"experimentName": ""})
    columns = {info["name"]: info for info in experiment["hparamInfos"]}
    for key in ("optimizer.lr", "training.batch_size", "model", "training.epochs", "seed"):
        assert columns[key]["differs"], key
    assert sorted(columns["model"]["domainDiscrete"]) == ["linear", "manual"]
    assert {m["name"]["tag"] for m in experiment["metricInfos"]} >= {"loss/train", "loss/gap"}


@pytest.mark.server
def test_hparams_has_a_row_for_each_run_with_its_settings_and_result(served: Served, outputs: Path) -> None:
    rows = {row["sessions"][0]["name"]: row for row in served.session_groups()}
    assert sorted(rows) == sorted(runs_below(outputs))
    for name, folder in runs_below(outputs).items():
        config = json.loads((folder / "config.json").read_bytes())
        result = json.loads((folder / "result.json").read_bytes())
        shown = rows[name]["hparams"]
        assert shown["optimizer.lr"] == config["optimizer"]["lr"]
        assert shown["training.batch_size"] == config["training"]["batch_size"]
        assert shown["seed"] == config["seed"]
        metrics = {m["name"]["tag"]: m["value"] for m in rows[name]["metricValues"]}
        assert metrics["loss/train"] == pytest.approx(result["metrics"]["train_loss"], rel=1e-6)
        assert metrics["loss/gap"] == pytest.approx(result["metrics"]["gap"], rel=1e-5)
        assert [s["status"] for s in rows[name]["sessions"]] == ["STATUS_SUCCESS"]


@pytest.mark.server
def test_images_are_the_figures_of_the_single_run(served: Served, outputs: Path) -> None:
    tags = {name: set(tags) for name, tags in served.get("data/plugin/images/tags").items() if tags}
    assert list(tags) == [single(outputs)]
    assert tags[single(outputs)] >= {"prediction", "loss_surface", "plane/apples", "plane/oranges"}
    for tag in tags[single(outputs)]:
        (image,) = served.get("data/plugin/images/images", run=single(outputs), tag=tag, sample="0")
        query = dict(urllib.parse.parse_qsl(image["query"]))
        content = served.content("data/plugin/images/individualImage", **query)
        drawn = outputs / single(outputs) / "figures" / f"{tag.replace('/', '_')}.png"
        assert content == drawn.read_bytes(), [p.name for p in drawn.parent.iterdir()]


@pytest.mark.server
def test_it_listens_on_this_machine_only(served: Served) -> None:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:] if Path("/proc/net/tcp").exists() else []
    fields = [line.split() for line in lines]
    listening = [f[1].split(":")[0] for f in fields if f[3] == "0A" and int(f[1].split(":")[1], 16) == served.port]
    assert set(listening) <= {"0100007F"}


def test_points_of_all_runs_together_are_bounded() -> None:
    for runs in (0, 1, 200, 1_000, 4_000):
        points = int(settings(runs)[0].split("scalars=")[1].split(",")[0])
        assert points * max(1, runs) <= POINTS
        assert 50 <= points <= 1_000


def test_a_port_that_is_taken_is_said() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port}: taken"):
            free_port(port)
    assert free_port(None) >= 6006
    assert 0 < free() < 65_536


def test_a_folder_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "nowhere"]) == 2
    assert capsys.readouterr().err == "error: nowhere: there is no such folder, and there are no runs below outputs/\n"


@pytest.mark.browser
@pytest.mark.server
def test_the_scalars_page_shows_a_chart_of_each_tag(served: Served, browser: Browser) -> None:
    browser.open(f"{served.url}/#timeseries")
    for tag in ("loss/train", "loss/gap"):  # the first groups are open
        browser.wait("find('card-view').some(e => e.textContent.replace(/\\s/g, '').includes(arguments[0]))", tag)
    browser.wait("find('card-view line-chart').length >= 2")
    browser.wait("/^optimizer$/m.test(document.body.innerText)")


@pytest.mark.browser
@pytest.mark.server
def test_the_hparams_page_shows_a_row_a_run_and_a_line_a_run(served: Served, browser: Browser) -> None:
    browser.open(f"{served.url}/#hparams")
    assert browser.wait("find('vaadin-grid').map(e => e.items ? e.items.length : 0)[0]") == RUNS
    headings = browser.wait("find('vaadin-grid-cell-content').map(e => e.textContent.trim()).filter(t => t)")
    for key in ("optimizer.lr", "training.batch_size", "model", "loss/train", "loss/gap"):
        assert key in headings, headings[:30]
    browser.run("find('paper-tab').find(e => /parallel/i.test(e.textContent)).click()")
    browser.wait("find('.foreground path').length == arguments[0]", RUNS)
    axes = browser.run("return find('.axis').map(e => e.textContent)")
    assert any("optimizer.lr" in axis for axis in axes), axes


@pytest.mark.browser
@pytest.mark.server
def test_the_images_page_shows_the_figures(served: Served, browser: Browser) -> None:
    browser.open(f"{served.url}/#images")
    loaded = "find('img').filter(e => e.naturalWidth > 100 && /individualImage/.test(e.src)).length"
    assert browser.wait(f"{loaded} >= 2 && {loaded}") >= 2
