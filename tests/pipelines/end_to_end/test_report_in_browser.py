"""Reports of a run and of a comparison in Chromium: figures have marks, tables sort, models can be hidden."""

import json
import re

import pytest

from pipelines.report.comparison_report import write_comparison_report
from pipelines.report.feature_effects import feature_effects
from pipelines.report.run_data import read_run_data
from pipelines.report.run_report import run_page
from pipelines.runners.history.runs import read_runs
from tests.browser.conftest import SCHEMES, WIDTHS, browser, opened, problems  # noqa: F401
from tests.pipelines.report.test_comparison_report import RESULTS

pytestmark = pytest.mark.slow
DRAWN = ".chart[data-drawn]"
MARKS = "one.querySelectorAll('svg [role=graphics-symbol], svg .mark-line path').length"
VIEWS = [
    pytest.param(width, scheme, marks=() if (width, scheme) in ((400, "dark"), (1600, "light")) else pytest.mark.long)
    for width in WIDTHS
    for scheme in SCHEMES
]


@pytest.fixture(scope="module")
def run_report(browser, end_to_end, tmp_path_factory):  # noqa: F811
    data = read_run_data(end_to_end.paths.root, read_runs(end_to_end.paths.root)[0])
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(run_page(data, feature_effects(data.settings.spec, data.model, data.test_files)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def comparison_report(browser, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("comparison")
    (folder / "results.json").write_text(json.dumps(RESULTS))
    return write_comparison_report(folder / "results.json")


def draw(page):
    """Waits for the figures and returns their number."""
    count = page.locator(".chart").count()
    page.wait_for_function(f"document.querySelectorAll('{DRAWN}').length === {count}", timeout=60_000)
    return count


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_report_of_a_run_has_no_problem(browser, run_report, width, scheme):  # noqa: F811
    with opened(browser, run_report, width, scheme) as page:
        assert draw(page) > 15
        assert problems(page) == []


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_report_of_a_comparison_has_no_problem(browser, comparison_report, width, scheme):  # noqa: F811
    with opened(browser, comparison_report, width, scheme) as page:
        assert draw(page) == 4
        assert problems(page) == []


def test_every_figure_has_marks(browser, run_report):  # noqa: F811
    with opened(browser, run_report) as page:
        draw(page)
        marks = page.eval_on_selector_all(".chart", f"all => all.map(one => [one.dataset.figure, {MARKS}])")
        assert [name for name, count in marks if count == 0] == []


def test_dark_mode_changes_the_colours_of_the_figures(browser, run_report):  # noqa: F811
    colours = {}
    for scheme in SCHEMES:
        with opened(browser, run_report, scheme=scheme) as page:
            draw(page)
            style = "one => getComputedStyle(one).stroke"
            colours[scheme] = page.locator("#roc-0 svg .mark-line path").last.evaluate(style)
            assert re.match(r"rgb\(", colours[scheme])
    assert colours["light"] != colours["dark"]


def test_tables_sort_by_keyboard(browser, run_report):  # noqa: F811
    with opened(browser, run_report) as page:
        block = page.locator("#features .table")
        names = block.locator("thead th").all_inner_texts()
        column = next(index for index, name in enumerate(names) if name.startswith("loss"))
        button = block.locator("thead th button").nth(column)
        for key, order in (("Enter", sorted), ("Space", lambda values: sorted(values, reverse=True))):
            button.focus()
            page.keyboard.press(key)
            values = [float(text) for text in block.locator(f"tbody td:nth-child({column + 1})").all_inner_texts()]
            assert values == order(values)
        assert block.locator("thead th").nth(column).get_attribute("aria-sort") == "descending"


def test_search_hides_the_other_rows(browser, run_report):  # noqa: F811
    with opened(browser, run_report) as page:
        block = page.locator("#features .table")
        block.locator("input").fill("item_id")
        shown = [row.locator("td").first.inner_text() for row in block.locator("tbody tr:visible").all()]
        assert set(shown) == {"item_id"}


def test_models_can_be_hidden(browser, comparison_report):  # noqa: F811
    with opened(browser, comparison_report) as page:
        draw(page)
        labels = page.locator("#gains-0 svg .role-axis-label text")
        assert "mmoe" in labels.all_text_contents()
        page.get_by_label("mmoe", exact=True).uncheck()
        labels.get_by_text("mmoe", exact=True).wait_for(state="detached")
        shown = [row.locator("td").first.inner_text() for row in page.locator("#output-0 tbody tr:visible").all()]
        assert set(shown) == {"man", "logistic_regression"}
        page.get_by_role("button", name="All").click()
        assert page.locator("#output-0 tbody tr:visible").count() == 3


def test_everything_is_reached_by_keyboard(browser, comparison_report):  # noqa: F811
    with opened(browser, comparison_report) as page:
        for details in page.locator("details").all():
            details.evaluate("one => one.open = true")
        interactive = "a[href], button, input, summary, [tabindex='0']"
        expected = page.locator(interactive).count()
        index = f'Array.from(document.querySelectorAll("{interactive}")).indexOf(document.activeElement)'
        reached = set()
        for _ in range(expected + 5):
            page.keyboard.press("Tab")
            reached.add(page.evaluate(index))
        assert reached >= set(range(expected))
