import os

from rich.console import Console

from benchmarks import evaluate


def test_measures_both_and_the_ratios_are_those_of_the_cases():
    small = evaluate.Case(evaluate.FILE_ROWS, 3, 3)
    taken, memory = evaluate.measure(small)
    assert 0 < taken < 60
    assert memory >= 0
    seconds = dict.fromkeys(evaluate.CASES, 1.0)
    seconds[evaluate.FEW], seconds[evaluate.MANY] = 2.0, 6.0
    seconds[evaluate.TFMA_FEW], seconds[evaluate.TFMA_MANY] = 10.0, 30.0
    seconds[evaluate.MANY_SCENARIOS], seconds[evaluate.MANY_OUTPUTS] = 7.98, 4.0
    measured = {case: (value, 1.0) for case, value in seconds.items()}
    console = Console(width=150, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(evaluate.make_table(measured), evaluate.make_summary(measured))
    text = console.export_text()
    assert "200,000 rows/s" in text
    assert "2,000 rows/s" in text
    assert "2.0 ms" in text, "990 further scenarios take 1.98 s"
    assert "4.0 times" in text
