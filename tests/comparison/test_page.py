"""compare --html: one file that asks for nothing, whose table and curves are one; looked at in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from benchmarks.stored_runs import write_run, write_runs
from experiments.__main__ import main
from experiments.comparison.choosing import where
from experiments.comparison.runs_table import collect
from tests.support.browsing import Browser

RUNS = 200
MODELS = "[...Bokeh.documents[0]._all_models.values()]"
CURVES = f"""(() => {{
    const drawn = {MODELS}.filter(m => m.type === 'GlyphRenderer' && m.glyph.type === 'MultiLine' && m.visible);
    return drawn.flatMap(m => Array.from(m.data_source.data.run));
}})()"""
"""The names of the runs whose curves are drawn."""
CELLS = "find('.slick-cell.r1').map(e => [e.getBoundingClientRect().y, e.textContent]).sort((a, b) => a[0] - b[0])"
HOSTILE = "<img src=x onerror='hurt=1'><script>hurt=1<&sol;script>"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("page")
    write_runs(place, RUNS, epochs=20)
    assert main(["compare", str(place), "--html", str(place / "page.html")]) == 0
    return place / "page.html"


@pytest.fixture
def opened(written: Path, browser: Browser) -> Iterator[Browser]:
    show(browser, written)
    yield browser
    assert browser.complaints() == []


def show(browser: Browser, path: Path, hash: str = "") -> None:
    browser.open(f"{path.as_uri()}{hash}")
    browser.wait("window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle && find('.slick-row').length")


def filter_by(browser: Browser, text: str) -> None:
    browser.run(f"{MODELS}.find(m => m.type === 'TextInput').value_input = arguments[0]", text)


def on_curve(browser: Browser) -> list[float]:
    """Where in the window the middle point of the only curve is."""
    return browser.run(f"""
        const drawn = {MODELS}.find(m => m.type === 'GlyphRenderer' && m.glyph.type === 'MultiLine' && m.visible
            && m.data_source.data.run.length === 1), source = drawn.data_source;
        const figure = {MODELS}.find(m => m.type === 'Figure' && m.renderers.includes(drawn));
        const view = Bokeh.index.find_one(figure);
        const box = view.canvas_view.el.getBoundingClientRect();
        const at = source.data._epochs[0].length >> 1;
        const sx = view.frame.x_scale.compute(source.data._epochs[0][at]);
        const sy = view.frame.y_scale.compute(source.data._losses[0][at]);
        return [box.x + sx, box.y + sy];
    """)


def test_the_file_is_whole_and_of_a_bounded_size(written: Path) -> None:
    content = written.read_text(encoding="utf-8")
    assert re.search(r"<(script|link|img)[^>]+(src|href)=.https?:", content) is None
    assert len(content) < 4e6


@pytest.mark.browser
def test_it_asks_for_nothing(opened: Browser) -> None:
    assert opened.run("return performance.getEntriesByType('resource').map(e => e.name)") == []


@pytest.mark.browser
def test_the_table_starts_with_the_best_and_sorts_by_its_headings(opened: Browser) -> None:
    import polars as pl

    from experiments import compare

    table = compare(Path(opened.driver.current_url.removeprefix("file://")).parent).sort("gap")
    names = [text for _, text in opened.run(f"return {CELLS}")][:5]
    assert [name.split("_")[0] for name in names] == [r.split("_")[0] for r in table["run"][:5]]
    opened.run("find('.slick-header-column').find(e => e.textContent.trim() === 'seed').click()")
    opened.run("find('.slick-header-column').find(e => e.textContent.trim() === 'seed').click()")
    most = table.filter(pl.col("seed") == table["seed"].max())["run"].to_list()
    opened.wait(f"arguments[0].includes({CELLS}[0][1])", most)


@pytest.mark.browser
def test_a_filter_narrows_the_table_and_the_curves(opened: Browser) -> None:
    assert len(opened.run(f"return {CURVES}")) == RUNS
    filter_by(opened, "lr<1.1e-5 seed<3")
    opened.wait(f"{CURVES}.length === 3")
    assert {name.split("_")[2] for name in opened.run(f"return {CURVES}")} == {"seed=0", "seed=1", "seed=2"}
    assert "3 of 200 runs" in opened.run("return find('.bk-clearfix').map(e => e.textContent).join('|')")
    assert len(opened.wait(f"{CELLS}.length === 3 && {CELLS}")) == 3
    filter_by(opened, "seed=7 completed")
    opened.wait(f"{CURVES}.length === 10")
    filter_by(opened, "no such run")
    opened.wait(f"{CURVES}.length === 0")
    filter_by(opened, "")
    opened.wait(f"{CURVES}.length === {RUNS}")


CONDITIONS = [
    "optimizer.lr < 2e-5 and seed = 3",
    "lr between 1.5e-5 and 3e-5 or gap >= 5000",
    "not (status = 'completed') or seed in (1, 3, 5)",
    "run like '%lr=1e-05%' and not seed in (0, 1)",
    "seed not between 2 and 17 and status <> 'diverged'",
    "status is not null and gap is null or seed = 19",
    "(seed = 1 or seed = 2) and lr != 1e-5",
    "run NOT LIKE '1%' AND seed < 2",
    "not gap < 100",
    '"optimizer.lr" = 1e-05',
]
"""What --where takes: the filter has to find the same runs."""


@pytest.mark.browser
def test_the_filter_takes_the_conditions_of_where(written: Path, opened: Browser) -> None:
    table = collect([written.parent]).table
    for condition in CONDITIONS:
        expected = where(table, condition)["run"].to_list()
        filter_by(opened, condition)
        found = opened.run(f"return [{CURVES}, find('.bk-clearfix').map(e => e.textContent).join('|')]")
        assert f"{len(expected)} of {RUNS} runs" in found[1] and sorted(found[0]) == sorted(expected), condition


NOT_UNDERSTOOD = {
    "gpa < 1": "there is no column gpa",
    "lr <": "a value is missing",
    "lr < small": "optimizer.lr is a number, small is none",
    "(seed = 1": "the end where ) belongs",
    "seed = 1) or": ") here",
    "< 3": "< without a column",
    "gap / 2 < 1": "there is no column 2",
    "seed is 3": "3 where null belongs",
    "<img src=x onerror='hurt=1'> = 1": "without a column",
}


@pytest.mark.browser
def test_the_filter_shows_what_it_does_not_understand(opened: Browser) -> None:
    told = "find('.bk-clearfix').map(e => e.textContent)"
    for text, said in NOT_UNDERSTOOD.items():
        filter_by(opened, "seed = 1")
        opened.wait(f"{CURVES}.length === 10 && !{told}.some(t => t.startsWith('not understood'))")
        filter_by(opened, text)
        assert said in opened.wait(f"{told}.find(t => t.startsWith('not understood'))"), text
        assert len(opened.run(f"return {CURVES}")) == 10  # what was shown stays
        assert opened.run("return window.hurt ?? null") is None


@pytest.mark.browser
def test_a_figure_for_each_loss(tmp_path: Path, browser: Browser) -> None:
    for n in range(6):
        folder = write_run(tmp_path / f"{n}", 1e-5, n, epochs=3)
        if n % 2:
            config = orjson.loads((folder / "config.json").read_bytes())
            config["loss"] = {"_target_": "experiments.learning.losses.Huber", "delta": 1.0}
            (folder / "config.json").write_bytes(orjson.dumps(config))
    assert main(["compare", str(tmp_path), "--html", "page.html"]) == 0
    show(browser, Path("page.html").resolve())
    titles = f"{MODELS}.filter(m => m.type === 'Figure').map(m => m.title.text)"
    assert [text.partition(":")[0] for text in browser.run(f"return {titles}")] == ["mse", "huber"]
    filter_by(browser, "loss = 'huber' and seed > 1")
    assert browser.wait(f"{CURVES}.length === 2 && {CURVES}.sort()") == ["3", "5"]
    browser.run("find('.slick-cell.r1').find(e => e.textContent === '5').click()")
    browser.wait(f"{CURVES}.length === 1")
    assert browser.run(f"return {CURVES}") == ["5"]


@pytest.mark.browser
def test_a_click_on_a_row_shows_its_curve_alone_and_the_button_shows_all(opened: Browser) -> None:
    name = opened.run(f"return {CELLS}[2][1]")
    opened.run("find('.slick-cell.r1').find(e => e.textContent === arguments[0]).click()", name)
    opened.wait(f"{CURVES}.length === 1")
    assert opened.run(f"return {CURVES}") == [name]
    opened.run("find('button').find(e => e.textContent.trim() === 'show all').click()")
    opened.wait(f"{CURVES}.length === {RUNS}")


@pytest.mark.browser
def test_the_pointer_on_a_curve_gives_its_name_and_values(opened: Browser) -> None:
    filter_by(opened, "lr<1.1e-5 seed=3")
    name = opened.wait(f"{CURVES}.length === 1 && {CURVES}[0]")
    opened.hover(*on_curve(opened))
    told = opened.wait("find('.bk-Tooltip').map(e => e.shadowRoot.textContent).find(t => t.includes('epoch'))")
    assert name in told
    assert "11" in told.partition("epoch")[2]
    marks = f"{MODELS}.filter(m => m.type === 'ColumnDataSource' && m.data.x && m.data.x.length === 20)"
    assert opened.wait(f"{marks}.length === 1")


@pytest.mark.browser
def test_the_hash_is_a_filter_to_start_with(written: Path, browser: Browser) -> None:
    show(browser, written, "#seed=4")
    browser.wait(f"{CURVES}.length === 10")


@pytest.mark.browser
def test_markup_in_names_is_shown_as_text(tmp_path: Path, browser: Browser) -> None:
    for k in range(3):
        folder = write_run(tmp_path / f"{k}{HOSTILE}", 1e-5 * (k + 1), k, epochs=3)
        config = orjson.loads((folder / "config.json").read_bytes())
        config["data"] |= {HOSTILE: k, "path": f"</script><script>window.hurt=1</script>{k}<b>"}
        (folder / "config.json").write_bytes(orjson.dumps(config))
    assert main(["compare", str(tmp_path), "--html", "page.html"]) == 0
    show(browser, Path("page.html").resolve())
    assert any("<img src=x" in text for _, text in browser.run(f"return {CELLS}"))
    filter_by(browser, "seed=1")
    browser.wait(f"{CURVES}.length === 1")
    browser.hover(*on_curve(browser))
    assert HOSTILE in browser.wait("find('.bk-Tooltip').map(e => e.shadowRoot.textContent).find(t => t)")
    headings = browser.run("return find('.slick-header-column').map(e => e.textContent)")
    assert browser.run("return window.hurt ?? null") is None
    assert any("<img src=x" in heading for heading in headings), headings
    assert browser.run("return window.hurt ?? null") is None
    assert browser.run("return find('img').filter(e => e.getAttribute('src') === 'x').length") == 0
