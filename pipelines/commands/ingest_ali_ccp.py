"""Command `tfmtl ingest ali-ccp`: converts raw files to tf.Examples, with progress bars and tables of the result."""

import time
from typing import Any

from rich.table import Table

from pipelines.output.invocation import present
from pipelines.progress.bars import Bars, amount_of
from pipelines.progress.task import INTERVAL, State
from pipelines.terminal import console
from tfmtl.config import ConfigError, FieldError
from tfmtl.model_inputs import vocabularies
from transforms.ali_ccp.ingest import ingest_ali_ccp
from transforms.ali_ccp.options import IngestOptions
from transforms.batches.rejects import format_report
from transforms.batches.report import IngestReport
from transforms.ingest.manifest import Manifest
from transforms.ingest.token_counts import prune

_NOTES = {
    "in_both": "present in both files; the value of the common row was kept",
    "unknown_fields": "unknown and ignored",
}
"""Descriptions of the counts in a manifest's notes."""


class FileBars:
    """Progress bars of the files that are read, one per file.

    Args:
        bars: Display to add the bars to.
    """

    def __init__(self, bars: Bars):
        self._bars = bars
        self._last: dict[str, float] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        """Updates the bar of a file.

        Args:
            name: Name of the file.
            done: Number of bytes read.
            total: Size of the file in bytes; 0 if unknown.
        """
        now = time.monotonic()
        if now - self._last.get(name, 0.0) >= INTERVAL:
            self._last[name] = now
            state = State(name, done=done, total=total, unit="bytes")
            self._bars.show(name, name, done, total or None, amount_of(state))

    @property
    def any(self) -> bool:
        """True if at least one file was read."""
        return bool(self._last)


def ingest_ali_ccp_files(
    raw: str, out: str, *, prepare: str | None, eval_share: float, seed: int, max_values: int | None
) -> None:
    """Ingests Ali-CCP, and prints the report of its rows and a table of its fields.

    Args:
        raw: Folder of the four raw files.
        out: Folder to write to.
        prepare: Paper whose preprocessing is applied, `aitm` or `adaftr`; None keeps every value of every field.
        eval_share: Share of the rows of the train files that go to the eval split.
        seed: Seed of the train/eval split.
        max_values: Largest number of ids per list; None for no limit.

    Raises:
        ConfigError: If an option is wrong, or a raw file is missing or malformed.
    """
    try:
        options = IngestOptions(prepare or "all", eval_share, seed, max_values)
    except FieldError as error:
        raise ConfigError(f"--{str(error.path[0]).replace('_', '-')}: {error.message}") from error
    console.print(f"ali-ccp: {options.preparation.summary} -> {out}", highlight=False)
    start = time.monotonic()
    with Bars(console) as display:
        bars = FileBars(display)
        manifest = ingest_ali_ccp(raw, out, options, bars)
    seconds = time.monotonic() - start
    console.print(format_report(manifest.report), highlight=False)
    common = IngestReport.from_dict(manifest.notes["common"]).total
    rejected = "".join(f", {count:,} {reason}" for reason, count in sorted(common.rejected.items()))
    console.print(f"common rows: {common.read:,} read{rejected}", highlight=False)
    for note, description in _NOTES.items():
        for field, count in manifest.notes[note].items():
            console.print(f"field {field}: {description} (count: {count:,})", highlight=False)
    rejects = f"{out}/rejects-*.jsonl" if manifest.rejects else None
    document = {"out": out, "rows": manifest.report.to_dict(), "fields": fields(manifest, out), "rejects": rejects}
    present({**document, "seconds": seconds, "reused": not bars.any}, fields_table(manifest, out))
    if rejects:
        console.print(f"rejected rows with line and reason: {rejects}", highlight=False)
    if bars.any:
        speed = manifest.report.total.read / seconds
        console.print(f"{seconds:,.1f} s, {speed:,.0f} rows/s", highlight=False)
    else:
        console.print(f"{out} already holds these files: nothing was done.", highlight=False)


def fields_table(manifest: Manifest, folder: str) -> Table:
    """Creates a table of the features in the training split.

    Its columns are the share of rows in which the feature is missing, the largest number of values per row, the number
    of distinct tokens, and the number of ids that a model has with the manifest's spec: those of the vocabulary and of
    all other tokens.

    Args:
        manifest: Manifest of an ingested log.
        folder: Folder of the ingested log.
    """
    table = Table(title="Fields, training rows", title_justify="left")
    for heading in ("column", "missing", "values per row", "tokens", "ids"):
        table.add_column(heading, justify="left" if heading == "column" else "right")
    for one in fields(manifest, folder):
        missing = "" if one["missing"] is None else f"{one['missing']:.1%}"
        numbers = (f"<= {one['longest']}", f"{one['tokens']:,}", f"{one['ids']:,}")
        table.add_row(one["column"], missing, *numbers)
    return table


def fields(manifest: Manifest, folder: str) -> list[dict[str, Any]]:
    """Returns the numbers of `fields_table`, a dictionary for each field.

    Args:
        manifest: Manifest of an ingested log.
        folder: Folder of the ingested log.
    """
    found, rows = [], manifest.rows["train"]
    for name in vocabularies(manifest.spec):
        feature, column = manifest.spec.feature(name), manifest.columns[name]
        counts = manifest.token_counts(folder, feature)
        missing = 1 - column.rows["train"] / rows if rows else None
        ids = prune(counts, feature).num_rows + getattr(feature, "num_oov", 1)
        one = {"column": name, "missing": missing, "longest": column.longest, "tokens": counts.num_rows, "ids": ids}
        found.append(one)
    return found
