import os

import pytest
from rich.console import Console

from benchmarks import score
from benchmarks.evaluation_cases import FILE_ROWS


@pytest.mark.parametrize("name", score.KINDS)
def test_measures_a_file_of_each_format(name):
    assert 0 < score.measure(name, FILE_ROWS) < 60


def test_rates_are_those_of_the_further_rows():
    measured = {}
    for name, seconds in zip((score.EVALUATOR, *score.KINDS), (4.0, 8.0, 16.0, 2.0), strict=True):
        measured[name, score.FEW], measured[name, score.MANY] = 3.0, 3.0 + seconds
    assert score.summary(measured, "csv").ratio == 2.0
    console = Console(width=150, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(score.make_table(measured))
    text = console.export_text()
    assert "200,000" in text
    assert "0.25" in text
