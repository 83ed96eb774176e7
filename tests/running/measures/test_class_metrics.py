"""The metrics of classes against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn import metrics as peer

from experiments.learning.class_losses import CrossEntropy, probabilities
from experiments.running.measures.class_metrics import class_metrics, roc_auc


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("present", ["all", "one is missing"])
def test_they_are_scikit_learns_for_each_run_and_over_blocks(classes: int, present: str) -> None:
    generator = torch.Generator().manual_seed(classes)
    outputs = 1 if classes == 2 else classes
    logits = torch.randn(3, outputs, 200, generator=generator, dtype=torch.float64).round(decimals=1)  # with ties
    y = torch.randint(classes - (present != "all"), (200, 1), generator=generator).double()
    blocks = [(torch.empty(0), y[part], logits[:, :, part]) for part in (slice(0, 70), slice(70, 200))]
    found = class_metrics(blocks, CrossEntropy(), classes, 3)
    true = y[:, 0].long().numpy()
    for run, its in enumerate(found):
        chances = probabilities(logits[run].t()).numpy()
        guess = chances.argmax(1)
        assert its["accuracy"] == pytest.approx(peer.accuracy_score(true, guess), rel=1e-12)
        assert its["balanced_accuracy"] == pytest.approx(peer.balanced_accuracy_score(true, guess), rel=1e-12)
        assert its["macro_f1"] == pytest.approx(peer.f1_score(true, guess, average="macro"), rel=1e-12)
        log_loss = peer.log_loss(true, chances, labels=range(classes))
        assert its["log_loss"] == pytest.approx(log_loss, rel=1e-9) == its["loss"]
        if classes == 2 and present == "all":
            assert its["roc_auc"] == pytest.approx(peer.roc_auc_score(true, chances[:, 1]), rel=1e-12)
        else:
            assert its["roc_auc"] is None


def test_the_area_counts_ties_half() -> None:
    assert roc_auc(np.array([0, 1, 0, 1]), np.array([[1.0, 1.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0]])) == [0.625, 0.5]
