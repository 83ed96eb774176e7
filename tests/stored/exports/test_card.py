"""The model card: table, units, metrics and limits as result.json has them, and nothing that a name smuggles in."""

from markdown_it import MarkdownIt

from experiments import load_run, run
from tests.support.exported import QUICK, trained


def test_the_card_says_what_the_result_says() -> None:
    result = run(*QUICK, "data.validation=0.2")
    card = result.card()
    assert card == load_run("last").card()
    html = MarkdownIt().enable("table").render(card)
    for heading in ("Table", "Training", "Metrics", "Limits"):
        assert f"<h2>{heading}</h2>" in html
    for cells in (("temp", "°F", "68", "103"), ("optimizer", "sgd"), ("r2.apples", f"{result.metrics['r2'][0]:.6g}")):
        assert "".join(f"<td>{c}</td>\n" for c in cells) in html
    assert f"<td>{result.metrics['train_loss']:.6g}</td>\n<td>{result.metrics['validation_loss']:.6g}</td>" in html
    assert "12 rows trained on, 3 held out" in card and "apples is in t/ha" in card
    assert "The 3 held-out rows are of the same source" in card and "Weights do not tell causes" in card
    assert "apples  = " in card


def test_a_classifiers_card_names_its_classes_and_that_nothing_was_held_out() -> None:
    result, _ = trained("mlp of classes")
    card = result.card()
    assert "The classes, in order: setosa, versicolor, virginica." in card
    assert f"| accuracy | {result.metrics['accuracy']:.6g} |" in card
    assert "No rows were held out" in card and "Linear" not in card


def test_names_stay_names() -> None:
    name = "a|b <script>`x`"
    frame = {name: [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}
    html = MarkdownIt().enable("table").render(run(*QUICK, data=frame, targets="y").card())
    assert "<script>" not in html and "<td>a|b &lt;script&gt;`x`</td>" in html
