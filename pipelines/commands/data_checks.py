"""Report of the data checks, and the schema that they use: what `tfmtl run` prints and `tfmtl schema` writes."""

import pathlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.table import Table
from rich.text import Text

from pipelines.components.example_validator import ACCEPT, REFUSE, read_findings, read_statistics
from pipelines.data_checks.anomalies import ROWS, Anomaly, DataError, headline
from pipelines.data_checks.schema import format_schema, infer_schema, parse_schema, schema_path, update_schema
from pipelines.output.invocation import present
from pipelines.runners.lineage import latest_run
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.settings import Settings
from pipelines.terminal import ComponentProgress, console
from tfmtl.config import ConfigError

REFUSED = DataError.exit_code
"""Exit code of a run whose log has anomalies."""


class RunChecks:
    """Data checks of one run: the schema beside its settings, and what is done about anomalies.

    Args:
        settings: Settings of the experiment.
        settings_path: Path of their file; None for settings without a schema.
        paths: Paths of the run.
        accept: Whether anomalies are accepted.
    """

    def __init__(self, settings: Settings, settings_path: str | None, paths: RunPaths, accept: bool):
        self._settings = settings
        self._path = schema_path(settings_path) if settings_path else pathlib.Path()
        self._paths = paths
        self.schema = read_schema(settings_path) if settings_path else ""
        self.anomalies = ACCEPT if accept else REFUSE

    def report(self, anomalies_uri: str) -> None:
        """Prints warnings and accepted anomalies when a log was not refused, and updates the schema by the latter.

        Args:
            anomalies_uri: Folder of the findings.
        """
        findings = read_findings(anomalies_uri)
        if findings.warnings:
            present({"warnings": findings.warnings}, anomalies_table(findings.warnings, "Warnings about the data"))
        for note in findings.notes:
            console.print(note, highlight=False, markup=False)
        if not findings.anomalies:
            return
        accepted = anomalies_table(findings.anomalies, "Accepted as the new normal")
        present({"accepted_anomalies": findings.anomalies}, accepted)
        names = {one.column for one in findings.anomalies} - {ROWS}
        if self.schema and names:
            inferred = self._inferred()
            updated = update_schema(parse_schema(self.schema, str(self._path)), inferred, names)
            self._path.write_text(format_schema(updated), encoding="utf-8")
            console.print(f"updated {', '.join(sorted(names))} in {self._path}", highlight=False)

    @contextmanager
    def refusal(self) -> Iterator[None]:
        """Prints the anomalies of a refused log, and ends the program with exit code `REFUSED`."""
        try:
            yield
        except DataError as error:
            anomalies = error.findings.anomalies
            present(
                {"anomalies": anomalies, "blessed": None, "pushed_version": None},
                anomalies_table(anomalies, "Anomalies"),
                Text(headline(anomalies), style="bold red"),
                "No model was trained, and the served model stays as it is. If these values are right: "
                "tfmtl run ... --accept",
            )
            raise SystemExit(REFUSED) from error

    def _inferred(self) -> object:
        statistics = latest_run(self._paths.metadata).uri("StatisticsGen", "statistics")
        return infer_schema(read_statistics(statistics), self._settings.spec.labels, self._settings.data_checks)


def read_schema(settings_path: str) -> str:
    """Returns the text of the schema of a settings file; empty if there is none.

    Args:
        settings_path: Path of the settings file.

    Raises:
        ConfigError: If the file is not a schema.
    """
    path = schema_path(settings_path)
    if not path.exists():
        return ""
    text = path.read_text(encoding="utf-8")
    parse_schema(text, str(path))
    return text


def write_schema(settings: Settings, settings_path: str, out: str | None, overwrite: bool) -> None:
    """Reads the log, infers its schema and writes it beside the settings.

    The outputs of the components stay in the run's folder, so that `tfmtl run` takes them from the cache.

    Args:
        settings: Settings of the experiment.
        settings_path: Path of their file.
        out: Folder to write to; None for `runs/NAME`.
        overwrite: Whether an existing schema is replaced.

    Raises:
        ConfigError: If the schema exists and is not to be replaced.
    """
    path = schema_path(settings_path)
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} exists. Update it with `tfmtl run --accept`, or replace it with --overwrite.")
    paths = RunPaths(pathlib.Path(out) if out else pathlib.Path("runs") / settings.name)
    run = run_pipeline(settings, paths, ComponentProgress(console), data_only=True)
    statistics = read_statistics(run.uri("StatisticsGen", "statistics"))
    schema = infer_schema(statistics, settings.spec.labels, settings.data_checks)
    path.write_text(format_schema(schema), encoding="utf-8")
    findings = read_findings(run.uri("ExampleValidator", "anomalies"))
    unusual = (*findings.anomalies, *findings.warnings)
    document = {"path": path, "columns": [feature.name for feature in schema.feature], "unusual": unusual}
    table = [anomalies_table(unusual, "Unusual in this log")] if unusual else []
    present(document, *table, f"schema of {len(schema.feature)} columns -> {path}")
    console.print("next: review it, and put it under version control", highlight=False)


def anomalies_table(anomalies: Sequence[Anomaly], title: str) -> Table:
    """Creates a table of anomalies: column, check, expected, received and advice.

    Args:
        anomalies: Anomalies.
        title: Title of the table.
    """
    table = Table(title=title, title_justify="left", show_lines=True)
    for column in ("column", "check", "expected", "received", "advice"):
        table.add_column(column, overflow="fold")
    for one in anomalies:
        table.add_row(one.column, one.check, one.expected, one.received, one.advice)
    return table
