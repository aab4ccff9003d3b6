"""Scores of the rows of one file, which is read in several batches."""

import csv
import dataclasses

import numpy as np

from pipelines.batch_scoring import file_scores as subject
from pipelines.batch_scoring.model import ScoringModel
from tests.pipelines.prediction.shop_model import NAMES, OUTPUTS, to_csv
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import read


def in_pieces(*arguments):
    """Yields what the reader yields, 50 rows at a time."""
    for batch in read(*arguments):
        for start in range(0, len(batch.lines), 50):
            piece = batch.take(np.arange(start, min(start + 50, len(batch.lines))))
            yield dataclasses.replace(piece, rejects=batch.rejects if start == 0 else ())


def test_batches_keep_the_order_of_the_rows_and_their_scores(model_folder, rows, expected, tmp_path, monkeypatch):
    texts = to_csv(rows)
    texts[120]["price"] = "x"
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        writer.writerows(texts)
    monkeypatch.setattr(subject, "read", in_pieces)
    model = ScoringModel(str(model_folder / "2"))
    scorer = subject.FileScorer(model, str(tmp_path / "rows.csv"), LogFormat(), str(tmp_path))
    batches = list(scorer.batches())
    assert [one.rows.num_rows for one in batches] == [50, 50, 49, *[50] * 11]
    kept = [number for number in range(len(rows)) if number != 120]
    for name in OUTPUTS:
        found = np.concatenate([one.rows[name].to_numpy() for one in batches])
        np.testing.assert_allclose(found, np.asarray(expected[name]).reshape(-1)[kept], rtol=1e-6)
    assert [reject.line for one in batches for reject in one.rejects] == [122]
