"""Commands of `tfmtl` that make a log, its settings or its schema: `simulate`, `ingest`, `init` and `schema`."""

import click

from pipelines.output.completion import settings_files
from pipelines.output.options import json_option


@click.command(short_help="Simulate a log whose true probabilities are known.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False), shell_complete=settings_files)
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Folder to write to.")
@click.option("--rows", type=click.IntRange(min=1), help="Number of rows; default: that of the settings.")
@click.option("--seed", type=int, help="Seed of the simulator; default: that of the settings.")
@json_option
def simulate(settings: str, out: str, rows: int | None, seed: int | None) -> None:
    """Simulate a log for the spec of SETTINGS, and write the true probability of each label to a second file.

    \b
    Example:
      tfmtl simulate examples/demo.yaml --out runs/demo/data --rows 200000
    """
    from pipelines.commands.simulate import simulate_log

    simulate_log(settings, out, rows=rows, seed=seed)


@click.group(short_help="Convert the raw files of a dataset, once.")
def ingest() -> None:
    """Convert the raw files of a dataset to a log that `tfmtl run` reads.

    \b
    Example:
      tfmtl ingest ali-ccp --raw ali-ccp --out ali-ccp-aitm --prepare aitm
    """


@ingest.command(name="ali-ccp", short_help="Ali-CCP: join skeleton and common features.")
@click.option("--raw", required=True, type=click.Path(), help="Folder with the four .csv files, compressed or not.")
@click.option("--out", required=True, type=click.Path(), help="Folder to write to.")
@click.option(
    "--prepare",
    type=click.Choice(["aitm", "adaftr"]),
    help="Apply a paper's preprocessing; default: keep every value of every field.",
)
@click.option(
    "--eval",
    "eval_share",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the rows of the train files that go to the eval split.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the train/eval split.")
@click.option(
    "--max-values",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep at most N ids per list, those with the largest values.",
)
@json_option
def ingest_ali_ccp(
    raw: str, out: str, prepare: str | None, eval_share: float, seed: int, max_values: int | None
) -> None:
    """Join Ali-CCP's skeleton files with its common features, and write tf.Examples by split.

    \b
    Preprocessing of --prepare:
      aitm    18 fields with one value each, the last one; used by AITM, MAN, APEM
      adaftr  all 23 fields, lists with their values

    An interrupted run leaves no manifest.json; run the command again to start over.

    \b
    Example:
      tfmtl ingest ali-ccp --raw ali-ccp --out ali-ccp-aitm --prepare aitm
    """
    from pipelines.commands.ingest_ali_ccp import ingest_ali_ccp_files

    ingest_ali_ccp_files(raw, out, prepare=prepare, eval_share=eval_share, seed=seed, max_values=max_values)


@ingest.command(name="panels", short_help="Daily rows of entities: make windows of days.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False), shell_complete=settings_files)
@click.option("--raw", required=True, type=click.Path(exists=True, file_okay=False), help="Folder of the daily files.")
@click.option("--out", required=True, type=click.Path(), help="Folder to write to.")
@json_option
def panels(settings: str, raw: str, out: str) -> None:
    """Make a log of windows from daily rows, as described by `windows` in SETTINGS.

    Each row holds the days before a date as features and the sums of the days from that date on as labels.

    \b
    Example:
      tfmtl ingest panels examples/koubei_m2m.yaml --raw koubei --out runs/koubei_m2m/data
    """
    from pipelines.commands.ingest_panels import ingest_panels

    ingest_panels(settings, raw, out)


@click.command(short_help="Label impressions with clicks and conversions of other logs.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False), shell_complete=settings_files)
@click.option("--raw", required=True, type=click.Path(exists=True, file_okay=False), help="Folder of the logs.")
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Folder to write to.")
@click.option("--workers", type=click.IntRange(min=1), help="Number of workers; default: as in the settings.")
@json_option
def join(settings: str, raw: str, out: str, workers: int | None) -> None:
    """Join the logs of impressions, clicks and conversions, as described by `join` in SETTINGS.

    Labelled impressions are written to Parquet files by day. A label whose window had not ended when the logs did is
    marked as open.

    \b
    Example:
      tfmtl join examples/join.yaml --raw runs/join/events --out runs/join/data
    """
    from pipelines.commands.join import join_logs

    join_logs(settings, raw, out, workers)


@click.command(name="init", short_help="Write settings for a log, from a look at its columns.")
@click.argument("log", type=click.Path())
@click.option(
    "--task",
    "tasks",
    required=True,
    multiple=True,
    metavar="TASK",
    help="Label column, or NAME:COLUMN, with a condition if it is not 0 or 1: 'liked:rating>=4', 'rich:income=high'.",
)
@click.option(
    "--out", default="settings.yaml", show_default=True, type=click.Path(dir_okay=False), help="File to write."
)
@click.option("--scenario", metavar="COLUMN", help="Column by whose values results are reported.")
@click.option("--group", metavar="COLUMN", help="Column by which GAUC groups rows; default: a user's id, by its name.")
@click.option(
    "--time", metavar="COLUMN", help="Column of the split by time; '' for a random split; default: by its name."
)
@click.option("--keep", multiple=True, metavar="COLUMN", help="Use a column although it looks unusable or like a leak.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Do not use a column.")
@click.option(
    "--reader", default="auto", show_default=True, help="Format of the files: csv, parquet, tfrecord, movielens."
)
@click.option("--delimiter", default="", help="Character between two values; default: detected.")
@click.option(
    "--header", default="", metavar="NAMES", help="Names of the columns of files without a header: a,b,c or a file."
)
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of the text.")
@click.option("--rows", default=200_000, show_default=True, type=click.IntRange(min=1), help="Rows to look at.")
@click.option("--overwrite", is_flag=True, help="Replace the file to write if it exists.")
@json_option
def init(
    log: str,
    tasks: tuple[str, ...],
    out: str,
    scenario: str | None,
    group: str | None,
    time: str | None,
    keep: tuple[str, ...],
    drop: tuple[str, ...],
    rows: int,
    overwrite: bool,
    **log_format: str,
) -> None:
    """Look at a sample of LOG (CSV, TSV, Parquet or TFRecord), and write settings that `tfmtl run` accepts.

    \b
    Example:
      tfmtl init log.csv --task clicked --task bought
    """
    from pipelines.commands.init import InitArguments, init_settings, read_format

    given = read_format(**log_format)
    init_settings(InitArguments(log, tasks, out, scenario, group, time, keep, drop, given, rows, overwrite))


@click.command(short_help="Write the schema of a log, with which later runs compare it.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False), shell_complete=settings_files)
@click.option("--data", type=click.Path(), help="Folder or file of the raw log; default: that of the settings.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder to write to; default: runs/NAME.")
@click.option("--overwrite", is_flag=True, help="Replace the schema if it exists.")
@json_option
def schema(settings: str, data: str | None, out: str | None, overwrite: bool) -> None:
    """Infer the schema of a log, and write it beside SETTINGS: shop.schema.pbtxt beside shop.yaml.

    `tfmtl run` then compares every log with it, and refuses one with anomalies.

    \b
    Example:
      tfmtl schema examples/demo.yaml --data runs/demo/data
    """
    from pipelines.settings_file import load_settings

    experiment = load_settings(settings, data=data)
    from pipelines.log_check import check_log, check_out

    check_log(experiment)
    check_out(out or f"runs/{experiment.name}")
    from pipelines.commands.data_checks import write_schema  # Imports TFX, as `run` does.

    write_schema(experiment, settings, out, overwrite)
