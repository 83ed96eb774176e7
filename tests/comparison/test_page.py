"""compare --html: one file that asks for nothing, whose table and curves are one; looked at in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from benchmarks.stored_runs import write_run, write_runs
from experiments.__main__ import main
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
        const source = {MODELS}.find(m => m.type === 'GlyphRenderer' && m.glyph.type === 'MultiLine'
            && m.data_source.data.run.length === 1).data_source;
        const figure = {MODELS}.find(m => m.type === 'Figure' && m.left[0].axis_label.startsWith('loss'));
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
