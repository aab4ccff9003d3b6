import pytest

from benchmarks.page import write_section
from benchmarks.protocol import MARK, results
from benchmarks.report import check_lines, markdown
from benchmarks.results import COLUMNS, Results, measured
from benchmarks.rows import IDS, SECTIONS, Row, Sizes, all_rows, chosen_rows
from tfmtl.models import MODELS


def step(seconds, flops=None, forward=None, batch=100):
    found = {"seconds": seconds, "batch": batch, "peak_mb": 50.0}
    return found if flops is None else {**found, "flops": flops, "forward_flops": forward}


def run(rounds):
    """The results of the full table, of which only the rows in `rounds` were measured."""
    rows = {row.name: row for row in all_rows(Sizes())}
    return Results([measured(rows[name], found) for name, found in rounds.items()])


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


def test_the_best_round_counts_and_the_limit_is_the_fastest_product_of_the_dtype():
    found = run(RUN)
    assert found.limit("float32") == 2e6
    assert found.limit("bfloat16") == 8e6
    assert found.rows["mmoe/500000/float32"].seconds == 0.5
    assert found.rows["mmoe/500000/float32"].spread == pytest.approx(1.4)
    assert found.share("mmoe/500000/float32") == pytest.approx(0.9)  # 1.8 of 2 MFLOP/s
    assert found.share("mmoe/500000/bfloat16") == pytest.approx(0.45)  # 3.6 of 8
    assert found.share("mmoe/500000/rechub") == pytest.approx(0.225)  # Of the FLOPs of its reference.


def test_what_is_computed_again_is_not_work_done():
    apem = run(RUN).rows["models/apem"]
    assert (apem.flops, apem.repeated) == (30_000, 5_000)


def test_ratios_are_of_examples_or_of_steps():
    found = run(RUN)
    assert found.ratio("models/apem") == pytest.approx(2.0)  # As long a step, of half the examples.
    assert found.ratio("strategies/maml_second") == pytest.approx(4.0)
    assert found.ratio("mmoe/500000/rechub") == pytest.approx(4.0)
    assert found.ratio("mmoe/500000/float32") is None
    assert found.ratio("mmoe/5000000/rechub") is None


def test_checks_say_what_was_measured_and_leave_out_what_was_not():
    assert check_lines(run(RUN)) == [
        "FAIL  step of 5 M ids / step of 50 k ids: 1.20 (bound: at most 1.15)",
        "pass  speed / torch-rechub's as shipped, 500 k ids: 4.00 (bound: at least 1.5)",
        "pass  MMoE, float32, share of the limit: 0.90 (bound: at least 0.8)",
        "pass  MMoE, mixed_bfloat16 speed / float32 speed: 2.00 (bound: at least 1.4)",
        "FAIL  APEM, share of the limit: 0.15 (bound: at least 0.4)",
        "pass  MAML step of second order / plain step: 4.00 (bound: at most 5.0)",
    ]


def test_a_row_that_failed_says_so():
    found = run({**RUN, "mmoe/500000/rechub": [step(2.0), {"error": "OSError: no memory"}]})
    lines = [line for _, lines in found.sections() for line in lines]
    assert all(len(line) == len(COLUMNS) for line in lines)
    assert [line[1] for line in lines if line[0] == "500 k ids: torch-rechub as shipped"] == [
        "failed: OSError: no memory"
    ]
    assert found.ratio("mmoe/500000/rechub") is None


def test_markdown_stands_between_the_marks(tmp_path):
    path = tmp_path / "new" / "README.md"
    write_section(path, "train", "old table\n")
    write_section(path, "transform", "another table\n")
    path.write_text(f"before\n{path.read_text()}after\n")
    write_section(path, "train", markdown(run(RUN), ["Machine: a toy."]))
    text = path.read_text()
    assert text.startswith("before\n<!-- benchmarks.train: begin -->\n- Machine: a toy.\n")
    assert "<!-- benchmarks.train: end -->\n<!-- benchmarks.transform: begin -->\nanother table\n" in text
    assert text.endswith("<!-- benchmarks.transform: end -->\nafter\n")
    assert "old table" not in text
    assert "| 500 k ids: tfmtl, float32 | 100 | 200 | 500.00 |  | 0.01 | 0 | 90 % | 50 |" in text


def test_results_are_found_among_other_output():
    assert results(f'Epoch 1\n{MARK}{{"seconds": 1.5}}\n\nnoise {MARK}{{}}\n') == [{"seconds": 1.5}]


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_rows_have_distinct_names_and_known_references(device):
    rows = all_rows(Sizes(device))
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert {row.section for row in rows} == set(SECTIONS)
    assert all(row.reference in names for row in rows if row.reference)
    assert {row.name.removeprefix("models/") for row in rows if row.section == "models"} == set(MODELS)
    rivals = [row for row in rows if row.job["kind"] == "rechub"]
    assert len(rivals) == (2 * len(IDS) if device == "cpu" else 0)


def test_chosen_rows_bring_their_references_along():
    rows = [Row(n, n[0], n, {}, reference) for n, reference in {"a/1": None, "a/2": None, "b/1": "a/2"}.items()]
    assert [row.name for row in chosen_rows(rows, ["b"])] == ["a/2", "b/1"]
