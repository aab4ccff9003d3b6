"""Benchmark of the start of the embedded server."""

import sys

import click
import pytest

from benchmarks.page import markdown_table
from benchmarks.serve_start import PEER, SERVER, Start, make_table, start


def test_table_has_the_difference_and_its_limit():
    lines = markdown_table(make_table({PEER: Start(4.0, 4.5, 600.0), SERVER: Start(5.0, 6.0, 655.0)})).splitlines()
    assert "| difference | 1.00 | 1.50 | 55 |" in lines
    assert "| limit | 1.50 |  | 100 |" in lines


def test_start_is_measured_until_the_line():
    code = "import time; time.sleep(0.3); memory = b'1' * (50 << 20); print('ready on', flush=True); time.sleep(60)"
    measured = start([sys.executable, "-c", code])
    assert 0.3 <= measured.seconds < 20
    assert measured.cpu_seconds < 20
    assert 50 < measured.megabytes < 200


def test_process_that_ends_is_an_error():
    with pytest.raises(click.ClickException, match="no model"):
        start([sys.executable, "-c", "raise SystemExit('no model')"])
