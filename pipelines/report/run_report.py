"""Report of a run: one HTML file that needs no network, beside the other files of the run folder."""

import concurrent.futures
import pathlib

from pipelines.report.feature_effects import FeatureEffects, feature_effects
from pipelines.report.names import REPORT, report_name
from pipelines.report.page.blocks import Section
from pipelines.report.page.render import figure_libraries, render_page
from pipelines.report.run_data import RunData, read_run_data
from pipelines.report.sections.cost import cost_section, settings_section
from pipelines.report.sections.data import data_section
from pipelines.report.sections.features import features_section
from pipelines.report.sections.outputs import output_sections, scenarios_section
from pipelines.report.sections.results import gates_section, metrics_section
from pipelines.report.sections.training import mechanism_section, training_section
from pipelines.runners.history.runs import PastRun
from transforms.storage.atomic import atomic_file


def write_run_report(
    folder: pathlib.Path, past: PastRun | None = None, out: pathlib.Path | None = None
) -> pathlib.Path:
    """Writes the report of a run to `reports/run_NUMBER.html`, and to `report.html` as well if it is the newest one.

    Args:
        folder: Run folder.
        past: Run of the folder; the newest one by default.
        out: File to write instead.

    Returns:
        Path of the report.

    Raises:
        ConfigError: If the folder has no run, or none with a record of its settings.
    """
    data = read_run_data(folder, past)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        thread.submit(figure_libraries)  # While the model scores rows.
        effects = None
        if data.model is not None and data.test_files:
            effects = feature_effects(data.settings.spec, data.model, data.test_files)
    page = run_page(data, effects)
    targets = [folder / report_name(data.past.number), *([folder / REPORT] if past is None else [])]
    if out is not None:
        targets = [out]
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as staged:
            pathlib.Path(staged).write_text(page, encoding="utf-8")
    return targets[-1]


def run_page(data: RunData, effects: FeatureEffects | None) -> str:
    """Returns the HTML of the report of a run.

    Args:
        data: The run.
        effects: Effects of the features; None if they could not be measured.
    """
    found = [
        metrics_section(data),
        gates_section(data),
        *output_sections(data, effects),
        scenarios_section(data),
        training_section(data),
        features_section(data, effects),
        mechanism_section(data),
        data_section(data),
        cost_section(data),
        settings_section(data),
    ]
    sections: list[Section] = [section for section in found if section is not None]
    return render_page(f"{data.settings.name}, run {data.past.number}", run_summary(data), sections)


def run_summary(data: RunData) -> list[tuple[str, str]]:
    """Returns names and values of what a reader looks for first.

    Args:
        data: The run.
    """
    past, record = data.past, data.past.record
    log = ", ".join(record.spans) or data.settings.data.path or "simulated"
    rows = record.rows.get("read")
    metrics = {one.name: record.metrics.get(one.name, {}) for one in data.settings.spec.outputs}
    shown = [
        ("Result", past.result + (f", version {record.pushed_version}" if record.pushed_version else "")),
        ("Model", data.settings.model.name),
        ("Log", "/".join(pathlib.PurePath(log).parts[-2:])),
        ("Rows", f"{rows:,}, {record.rows.get('rejected', 0):,} rejected" if rows is not None else ""),
        *((f"AUC of {name}", f"{values['auc']:.4f}") for name, values in metrics.items() if "auc" in values),
        *((f"Gini of {name}", f"{values['gini']:.4f}") for name, values in metrics.items() if "gini" in values),
        *((f"NMAE of {name}", f"{values['nmae']:.4f}") for name, values in metrics.items() if "nmae" in values),
        ("Started", past.started[:16]),
        ("Ended", record.ended[:16]),
        ("Error", record.error),
    ]
    return [(name, value) for name, value in shown if value]
