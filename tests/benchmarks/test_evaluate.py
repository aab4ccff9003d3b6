import os

from rich.console import Console

from benchmarks.evaluate import make_table


def test_rates_are_those_of_further_rows():
    console = Console(width=150, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(make_table({"tfmtl": {1000: 2.0, 21_000: 4.0}, "TFMA": {100: 5.0, 300: 5.5}}))
    lines = console.export_text().splitlines()
    last = next(line for line in lines if "21,000" in line)
    assert "5,250" in last, "21,000 rows in 4 s"
    assert "10,000" in last, "20,000 further rows in 2 s"
    assert "400" in next(line for line in lines if "300" in line and "TFMA" in line)
    assert "25" in next(line for line in lines if "ratio" in line)
