"""What a notebook shows: one is executed, and its outputs are read."""

import base64
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    "from experiments import compare, load_run, run, sweep",
    "result = run('data.validation=0.2', 'tracking.figures=false')\nresult",
    "load_run('last')",
    "result.plot()",
    "sweep('optimizer.lr=1e-6,1e-5', 'seed=0,1')",
    "compare()",
    "run('tracking.figures=false', data={'<b>x</b>': [1.0, 2.0, 3.0], 'y': [2.0, 4.0, 7.0]}, targets='y')",
    "import shutil; shutil.rmtree('outputs'); result",
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """Of each cell."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    folder: Path = tmp_path_factory.mktemp("notebook")
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}})
    return [cell.outputs for cell in client.execute().cells[1:]]


def shown(outputs: list[Any]) -> str:
    """The HTML that a cell ends with."""
    return outputs[-1].data["text/html"]


def pictures(html: str) -> list[bytes]:
    return [base64.b64decode(found) for found in re.findall(r"data:image/[a-z+]+;base64,([^\"]+)", html)]


def test_a_result_and_a_stored_run_show_equations_losses_and_a_curve(outputs: list[list[Any]]) -> None:
    html = shown(outputs[0])
    assert html == shown(outputs[1])
    assert re.search(r"apples +=.* \* temp [+-] .* \* rainfall", html)
    for name in ("completed", "after 100 epochs", "held-out rows", "optimum_loss", "gap", "95 % interval"):
        assert name in html
    (curve,) = pictures(html)
    assert b"smallest possible 0.81" in curve and b"held-out rows, last" in curve  # words, not outlines


def test_the_figures_are_shown(outputs: list[list[Any]]) -> None:
    html = shown(outputs[2])
    assert re.findall(r'alt="([^"]+)"', html) == [
        "loss", "prediction", "plane/apples", "plane/oranges", "loss_surface",
    ]  # fmt: skip
    assert all(picture.startswith(b"\x89PNG") for picture in pictures(html))


def test_progress_is_a_line_that_says_at_the_end_what_was_done(outputs: list[list[Any]]) -> None:
    run, sweep = (next(o for o in cell if o.output_type == "display_data") for cell in (outputs[0], outputs[3]))
    assert re.fullmatch(r"100 of 100 epochs, loss \S+, \d+\.\d s", run.data["text/plain"])
    assert '<progress max="100" value="100"' in run.data["text/html"]
    assert re.fullmatch(r"4 of 4 jobs, \d+\.\d s", sweep.data["text/plain"])


def test_a_comparison_shows_the_best_runs_first_and_their_curves(outputs: list[list[Any]]) -> None:
    html = shown(outputs[4])
    assert "5 runs, best first" in html and "optimizer.lr" in html and "folder" not in html
    (curves,) = pictures(html)
    assert b"smallest possible" in curves and b"loss over all training rows" in curves


def test_names_stay_names_and_a_folder_that_is_gone_is_no_error(outputs: list[list[Any]]) -> None:
    assert "&lt;b&gt;x&lt;/b&gt;" in shown(outputs[5]) and "<b>x" not in shown(outputs[5])
    assert "&lt;completed after 100 epochs" in shown(outputs[6])
