"""Table and checks of the training benchmark, from given measurements."""

import pytest

from benchmarks import protocol
from benchmarks.page import write_section
from benchmarks.report import check_lines, markdown
from benchmarks.results import COLUMNS, Results, best_round
from benchmarks.rows import BACKENDS, DEFAULT_SECTIONS, IDS, SECTIONS, Row, Sizes, all_rows, chosen_rows
from tfmtl.models import MODELS


def step(seconds, flops=None, forward=None, batch=100):
    result = {"seconds": seconds, "batch": batch, "peak_mb": 50.0}
    return result if flops is None else {**result, "flops": flops, "forward_flops": forward}


def run(rounds):
    """Results of a run in which only the rows in `rounds` were measured."""
    rows = {row.name: row for row in all_rows(Sizes())}
    return Results([best_round(rows[name], results) for name, results in rounds.items()])


LIMIT = [{"seconds": 2.0, "flops": 2_000_000}, {"seconds": 1.0, "flops": 2_000_000}]
RUN = {
    "limit/float32/0": LIMIT,
    "limit/float32/1": [{"seconds": 1.0, "flops": 1_000_000}],
    "limit/bfloat16/0": [{"seconds": 1.0, "flops": 8_000_000}],
    "mmoe/50000/float32": [step(0.5, 900_000, 300_000)],
    "mmoe/500000/float32": [step(0.7, 900_000, 300_000), step(0.5)],
    "mmoe/500000/bfloat16": [step(0.25, 900_000, 300_000)],
    "mmoe/500000/rechub": [step(2.0)],
    "mmoe/5000000/float32": [step(0.6, 900_000, 300_000)],
    "models/shared_bottom": [step(0.1, 30_000, 10_000)],
    "models/apem": [step(0.1, 35_000, 10_000, batch=50)],
    "strategies/plain": [step(0.5)],
    "strategies/maml_second": [step(2.0, batch=200)],
}


def test_best_round_counts_and_limit_is_the_fastest_product_of_the_dtype():
    results = run(RUN)
    assert results.limit("float32") == 2e6
    assert results.limit("bfloat16") == 8e6
    assert results.rows["mmoe/500000/float32"].seconds == 0.5
    assert results.rows["mmoe/500000/float32"].spread == pytest.approx(1.4)
    assert results.share("mmoe/500000/float32") == pytest.approx(0.9)  # 1.8 of 2 MFLOP/s
    assert results.share("mmoe/500000/bfloat16") == pytest.approx(0.45)  # 3.6 of 8
    assert results.share("mmoe/500000/rechub") == pytest.approx(0.225)  # With the operations of its reference.


def test_repeated_products_do_not_count_as_work():
    apem = run(RUN).rows["models/apem"]
    assert (apem.flops, apem.repeated) == (30_000, 5_000)


def test_ratios_compare_examples_or_steps():
    results = run(RUN)
    assert results.ratio("models/apem") == pytest.approx(2.0)  # A step takes the same time for half the examples.
    assert results.ratio("strategies/maml_second") == pytest.approx(4.0)
    assert results.ratio("mmoe/500000/rechub") == pytest.approx(4.0)
    assert results.ratio("mmoe/500000/float32") is None
    assert results.ratio("mmoe/5000000/rechub") is None


def test_checks_show_measured_rows_and_omit_others():
    assert check_lines(run(RUN)) == [
        "FAIL  step of 5 M ids / step of 50 k ids: 1.20 (bound: at most 1.15)",
        "pass  speed / torch-rechub's as shipped, 500 k ids: 4.00 (bound: at least 1.5)",
        "pass  MMoE, float32, share of the limit: 0.90 (bound: at least 0.8)",
        "pass  MMoE, mixed_bfloat16 speed / float32 speed: 2.00 (bound: at least 1.4)",
        "FAIL  APEM, share of the limit: 0.15 (bound: at least 0.4)",
        "pass  MAML step of second order / plain step: 4.00 (bound: at most 5.0)",
    ]


def test_failed_row_shows_its_error():
    results = run({**RUN, "mmoe/500000/rechub": [step(2.0), {"error": "OSError: no memory"}]})
    lines = [line for _, lines in results.sections() for line in lines]
    assert all(len(line) == len(COLUMNS) for line in lines)
    assert [line[1] for line in lines if line[0] == "500 k ids: torch-rechub as shipped"] == [
        "failed: OSError: no memory"
    ]
    assert results.ratio("mmoe/500000/rechub") is None


def test_writes_markdown_between_the_marks(tmp_path):
    path = tmp_path / "new" / "README.md"
    write_section(path, "train", "old table\n")
    write_section(path, "transform", "another table\n")
    path.write_text(f"before\n{path.read_text()}after\n")
    write_section(path, "train", markdown(run(RUN), ["Machine: a test."]))
    text = path.read_text()
    assert text.startswith("before\n<!-- benchmarks.train: begin -->\n- Machine: a test.\n")
    assert "<!-- benchmarks.train: end -->\n<!-- benchmarks.transform: begin -->\nanother table\n" in text
    assert text.endswith("<!-- benchmarks.transform: end -->\nafter\n")
    assert "old table" not in text
    assert "| 500 k ids: tfmtl, float32 | 100 | 200 | 500.00 |  | 0.01 | 0 | 90 % | 50 |" in text


def test_finds_results_among_other_output():
    assert protocol.results(f'Epoch 1\n{protocol.MARK}{{"seconds": 1.5}}\n\nnoise {protocol.MARK}{{}}\n') == [
        {"seconds": 1.5}
    ]


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_have_distinct_names_and_known_references(backend, device):
    rows = all_rows(Sizes(device, backend=backend))
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert {row.section for row in rows} == set(SECTIONS[backend])
    assert set(DEFAULT_SECTIONS[backend]) <= set(SECTIONS[backend])
    assert all(row.reference in names for row in rows if row.reference)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_rows_of_tensorflow_cover_all_models_and_torch_rechub_on_cpu(device):
    rows = all_rows(Sizes(device))
    assert {row.name.removeprefix("models/") for row in rows if row.section == "models"} == set(MODELS)
    rivals = [row for row in rows if row.job["kind"] == "rechub"]
    assert len(rivals) == (2 * len(IDS) if device == "cpu" else 0)


def test_chosen_rows_include_their_references():
    rows = [Row(n, n[0], n, {}, reference) for n, reference in {"a/1": None, "a/2": None, "b/1": "a/2"}.items()]
    assert [row.name for row in chosen_rows(rows, ["b"])] == ["a/2", "b/1"]
