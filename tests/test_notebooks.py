"""The notebooks of docs/: they run without an error, and what they show is what is stored in them."""

import re
from html.parser import HTMLParser

import nbformat
import pytest

from tests.notebooks import NOTEBOOKS, execute, split_numbers, texts, without_folder

pytestmark = pytest.mark.slow
NAMES = ["own_log", "reading_a_comparison", "reuse_layers"]
KEY_NUMBER = re.compile(r"(?<![\d.])[-+]?[01]\.\d{3,4}(?!\d)")
"""Metrics: numbers near 1 with three or four decimals."""
FORBIDDEN = re.compile(r"Traceback|Warning|CUDA|oneDNN|\x1b\[|/tmp/|/home/|/root/")
QUICK = "reading_a_comparison"
"""Notebook that runs in seconds; the others train models."""
paths = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


class _HeaderCells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.is_header, self.texts = False, []

    def handle_starttag(self, tag, attrs):
        self.is_header = tag == "th"

    def handle_data(self, data):
        if self.is_header:
            self.texts.append(data.strip())


def header(html):
    parser = _HeaderCells()
    parser.feed(html)
    return parser.texts


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def difference(stored, new, tolerance):
    """Returns what differs between a stored and a new text of an output; an empty text if nothing does.

    Without a tolerance all words are equal, and all numbers but for rounding. With one, the output depends on a
    training: the lines and the columns of tables are the same, and metrics differ by at most the tolerance.
    """
    if tolerance is None:
        (words, numbers), (new_words, new_numbers) = split_numbers(stored), split_numbers(new)
        if words != new_words:
            return f"{words} != {new_words}"
        is_close = [abs(a - b) <= 1e-6 + 1e-4 * abs(a) for a, b in zip(numbers, new_numbers, strict=True)]
        return "" if all(is_close) else f"{numbers} != {new_numbers}"
    if header(stored) != header(new):
        return f"{header(stored)} != {header(new)}"
    first, second = (_metrics(text) for text in (stored, new))
    if len(first) != len(second):
        return f"{len(first)} numbers != {len(second)}"
    far = [(a, b) for a, b in zip(first, second, strict=True) if abs(a - b) > tolerance]
    return f"numbers differ by more than {tolerance}: {far}" if far else ""


def _metrics(text):
    """Returns the metrics of a text: of its tables, if it has some that are drawn with lines."""
    lines = [line for line in text.splitlines() if "│" in line]
    return [float(number) for number in KEY_NUMBER.findall("\n".join(lines) if lines else text)]


@pytest.mark.parametrize(
    ("new", "tolerance", "is_equal"),
    [
        ("AUC 0.700 of 12 rows", None, True),
        ("AUC 0.7000001 of 12 rows", None, True),
        ("AUC 0.701 of 12 rows", None, False),
        ("AUC 0.700 of 12 lines", None, False),
        ("AUC 0.750 of 13 lines", 0.1, True),
        ("AUC 0.850 of 12 rows", 0.1, False),
        ("no metric", 0.1, False),
    ],
)
def test_comparison_of_outputs(new, tolerance, is_equal):
    assert (difference("AUC 0.700 of 12 rows", new, tolerance) == "") is is_equal
    assert difference("<th>AUC</th>", "<th>GAUC</th>", 0.1)
    assert difference("│ 0.700 │\nepoch 0.100", "│ 0.710 │", 0.1) == ""


def test_names_and_folders(tmp_path):
    assert [path.stem for path in NOTEBOOKS] == NAMES
    assert without_folder(f"in {tmp_path}/runs and {tmp_path}", tmp_path) == "in runs and ."


@paths
def test_stored_notebook(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 500_000
    assert all(cell.execution_count is None for cell in code_cells(notebook))
    assert sum(len(cell.outputs) for cell in code_cells(notebook)) > 5
    charts = [one for cell in code_cells(notebook) for one in cell.outputs if "image/svg+xml" in one.get("data", {})]
    assert len(charts) >= 2
    for chart in charts:
        (kind,) = (kind for kind in chart["data"] if kind.startswith("application/vnd.vegalite"))
        assert "'tooltip'" in str(chart["data"][kind])
    printed = [text for cell in code_cells(notebook) for text in texts(cell)]
    assert [found.group() for text in printed if (found := FORBIDDEN.search(text))] == []


@pytest.mark.parametrize(
    "path",
    [path if path.stem == QUICK else pytest.param(path, marks=pytest.mark.long) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_notebook_runs_and_shows_what_is_stored(path, tmp_path):
    stored, new = nbformat.read(path, as_version=4), execute(path, tmp_path)
    for old, cell in zip(code_cells(stored), code_cells(new), strict=True):
        assert old.source == cell.source
        assert not any(output.get("name") == "stderr" for output in cell.outputs), texts(cell)
        assert len(old.outputs) == len(cell.outputs), f"run `make notebooks`: {cell.source}"
        for before, after in zip(texts(old), texts(cell), strict=True):
            assert difference(before, after, cell.metadata.get("tolerance")) == "", cell.source
