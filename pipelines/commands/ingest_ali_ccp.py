"""What `tfmtl ingest` does: raw files to tf.Examples, with a bar on the way and tables at the end."""

import time

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipelines.terminal import console
from tfmtl.config import ConfigError, FieldError
from tfmtl.model_inputs import vocabularies
from transforms.ali_ccp.ingest import ingest_ali_ccp
from transforms.ali_ccp.options import IngestOptions
from transforms.batches.rejects import format_report
from transforms.batches.report import IngestReport
from transforms.ingest.manifest import Manifest
from transforms.ingest.token_counts import prune

_NOTES = {"in_both": "in both files, the common row's is kept", "unknown_fields": "unknown, left out"}
"""What is said of the counts in a manifest's notes."""


class FileBars:
    """A bar for each file that is read.

    Args:
        progress: of rich, running.
    """

    def __init__(self, progress: Progress):
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total or None)
        self._progress.update(self._bars[name], completed=done)

    @property
    def any(self) -> bool:
        """Whether a file was read."""
        return bool(self._bars)


def ingest_ali_ccp_files(
    raw: str, out: str, *, prepare: str | None, eval_share: float, seed: int, max_values: int | None
) -> None:
    """Ingests Ali-CCP, and prints what became of its rows and what its fields hold."""
    try:
        options = IngestOptions(prepare or "all", eval_share, seed, max_values)
    except FieldError as error:
        raise ConfigError(f"--{str(error.path[0]).replace('_', '-')}: {error.message}") from error
    console.print(f"ali-ccp: {options.preparation.summary} -> {out}", highlight=False)
    start = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bars = FileBars(progress)
        manifest = ingest_ali_ccp(raw, out, options, bars)
    seconds = time.monotonic() - start
    console.print(format_report(manifest.report), highlight=False)
    common = IngestReport.from_dict(manifest.notes["common"]).total
    rejected = "".join(f", {count:,} {reason}" for reason, count in sorted(common.rejected.items()))
    console.print(f"common rows: {common.read:,} read{rejected}", highlight=False)
    for note, words in _NOTES.items():
        for field, count in manifest.notes[note].items():
            console.print(f"field {field}: {count:,} {words}", highlight=False)
    console.print(fields_table(manifest, out))
    if manifest.rejects:
        console.print(f"rejected rows, each with its line and reason: {out}/rejects-*.jsonl", highlight=False)
    if bars.any:
        speed = manifest.report.total.read / seconds
        console.print(f"{seconds:,.1f} s, {speed:,.0f} rows/s", highlight=False)
    else:
        console.print(f"These files were ingested into {out} before: nothing was done.", highlight=False)


def fields_table(manifest: Manifest, folder: str) -> Table:
    """Of each feature, in how many training rows it is missing, and its ids.

    `ids` is how many a model has with the manifest's spec: those of the vocabulary, and those of all other tokens.
    """
    table = Table(title="Fields, training rows", title_justify="left")
    for heading in ("column", "missing", "values in a row", "tokens", "ids"):
        table.add_column(heading, justify="left" if heading == "column" else "right")
    rows = manifest.rows["train"]
    for name in vocabularies(manifest.spec):
        feature, column = manifest.spec.feature(name), manifest.columns[name]
        counts = manifest.token_counts(folder, feature)
        missing = f"{1 - column.rows['train'] / rows:.1%}" if rows else ""
        ids = prune(counts, feature).num_rows + getattr(feature, "num_oov", 1)
        table.add_row(name, missing, f"<= {column.longest}", f"{counts.num_rows:,}", f"{ids:,}")
    return table
