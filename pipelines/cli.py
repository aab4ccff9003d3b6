"""The command line."""

import sys

try:
    import click
except ImportError:  # The light library has no command line.
    sys.exit('The command line needs the extra `pipeline`: python -m pip install "tfmtl[pipeline]"')


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tfmtl")
def main() -> None:
    """Multi-task conversion models, from raw log to served prediction.

    \b
    Exit codes: 0 all well, 1 something failed, 2 wrong usage or settings,
    3 the model did not reach its thresholds and was not pushed.
    """


@main.command(short_help="Write an ad log whose true probabilities are known.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False))
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Folder to write to.")
@click.option("--rows", type=click.IntRange(min=1), help="How many impressions; as in the settings by default.")
@click.option("--seed", type=int, help="Another seed, another log.")
def simulate(settings: str, out: str, rows: int | None, seed: int | None) -> None:
    """Write an ad log for the spec of SETTINGS, and the true probability of every label apart from it.

    \b
    Example:
      tfmtl simulate examples/demo.yaml --out runs/demo/data --rows 200000
    """
    from pipelines.commands.simulate import simulate_log

    with _clear_errors():
        simulate_log(settings, out, rows=rows, seed=seed)


@main.group(short_help="Make tf.Examples of a data set's raw files, once.")
def ingest() -> None:
    """Read the raw files of a data set, join and check them, and write tf.Examples that `tfmtl run` takes as they are.

    \b
    Example:
      tfmtl ingest ali-ccp --raw ali-ccp --out ali-ccp-aitm --prepare aitm
    """


@ingest.command(name="ali-ccp", short_help="Ali-CCP: skeleton and common features.")
@click.option("--raw", required=True, type=click.Path(), help="Folder with the four .csv files, compressed or not.")
@click.option("--out", required=True, type=click.Path(), help="Folder to write to.")
@click.option("--prepare", type=click.Choice(["aitm", "adaftr"]), help="As a paper does; all as it is by default.")
@click.option(
    "--eval",
    "eval_share",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the rows of the train files that validate.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the rows that validate.")
@click.option("--max-values", type=click.IntRange(min=1), help="Keep so many ids of each list, of the largest values.")
def ingest_ali_ccp(
    raw: str, out: str, prepare: str | None, eval_share: float, seed: int, max_values: int | None
) -> None:
    """Join Ali-CCP's skeleton with its common features, and write tf.Examples by split.

    \b
    aitm    18 fields with one value, the last one; as AITM, MAN and APEM
    adaftr  all 23 fields, lists with their values
    none    every value of every field

    What was stopped leaves no manifest.json, and is made anew when it is run again.

    \b
    Example:
      tfmtl ingest ali-ccp --raw ali-ccp --out ali-ccp-aitm --prepare aitm
    """
    from pipelines.commands.ingest_ali_ccp import ingest_ali_ccp_files

    with _clear_errors():
        ingest_ali_ccp_files(raw, out, prepare=prepare, eval_share=eval_share, seed=seed, max_values=max_values)


@ingest.command(name="panels", short_help="Daily rows of entities: windows of days.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False))
@click.option("--raw", required=True, type=click.Path(exists=True, file_okay=False), help="Folder of the daily files.")
@click.option("--out", required=True, type=click.Path(), help="Folder to write to.")
def panels(settings: str, raw: str, out: str) -> None:
    """Write a log of windows, by the `windows` of SETTINGS: the days before a date, and the sums of those from it on.

    \b
    Example:
      tfmtl ingest panels examples/koubei_m2m.yaml --raw koubei --out runs/koubei_m2m/data
    """
    from pipelines.commands.ingest_panels import ingest_panels

    with _clear_errors():
        ingest_panels(settings, raw, out)


@main.command(short_help="Run the pipeline: raw log to pushed model.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False))
@click.option("--data", type=click.Path(), help="Folder or file of the raw log; as in the settings by default.")
@click.option("--out", type=click.Path(file_okay=False), help="Where to keep the run; runs/NAME by default.")
@click.option(
    "--reference/--no-reference",
    default=None,
    help="Fit one-hot logistic regression on the same rows, for comparison; as in the settings by default.",
)
@click.option("--no-cache", is_flag=True, help="Run every component again.")
def run(settings: str, data: str | None, out: str | None, reference: bool | None, no_cache: bool) -> None:
    """Run the pipeline of SETTINGS on this machine: check, transform, train, evaluate, push.

    \b
    Example:
      tfmtl run examples/movielens.yaml --data ml-1m
    """
    from pipelines.commands.run import NOT_BLESSED, run_settings

    with _clear_errors():
        blessed = run_settings(settings, data=data, out=out, reference=reference, cache=not no_cache)
    sys.exit(0 if blessed else NOT_BLESSED)


@main.command(short_help="Train many models with several seeds, and print one table.")
@click.argument("settings", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--data", type=click.Path(), help="Folder or file of the raw log; as in the settings by default.")
@click.option("--out", type=click.Path(file_okay=False), help="Where to keep the runs; runs/NAME by default.")
@click.option("--seed", "seeds", type=click.IntRange(min=0), multiple=True, help="In place of the settings' seeds.")
@click.option("--report", type=click.Path(file_okay=False), help="Where the table goes; OUT/report by default.")
@click.option("--any-code", is_flag=True, help="Use kept runs of another version of the code too.")
@click.option("--kept-only", is_flag=True, help="Run nothing: the table of the runs that are kept.")
def compare(
    settings: tuple[str, ...],
    data: str | None,
    out: str | None,
    seeds: tuple[int, ...],
    report: str | None,
    any_code: bool,
    kept_only: bool,
) -> None:
    """Train the models of each of SETTINGS with every seed, and print the table with its statistics.

    The log is preprocessed once; every finished run is kept. What was interrupted goes on where it stopped.

    \b
    Example:
      tfmtl compare examples/compare_demo.yaml
    """
    from pipelines.commands.compare import CompareArguments
    from pipelines.commands.compare import compare as compare_settings

    if len(settings) > 1 and (out or report):
        raise click.UsageError("--out and --report are of one comparison.")
    arguments = CompareArguments(data, out, seeds or None, report, any_code, kept_only)
    with _clear_errors():
        well = [compare_settings(path, arguments) for path in settings]
    sys.exit(0 if all(well) else 1)


@main.command(name="compile", short_help="Compile the pipeline for Kubeflow Pipelines.")
@click.argument("settings", type=click.Path(exists=True, dir_okay=False))
@click.option("--image", required=True, help="Container image that holds tfmtl (see the Dockerfile).")
@click.option("--root", required=True, help="Where artifacts go: a bucket or a volume that all containers see.")
@click.option("--data", help="The raw log as the containers see it; as in the settings by default.")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="File to write, .yaml or .json.")
def compile_(settings: str, image: str, root: str, data: str | None, out: str) -> None:
    """Compile the pipeline of SETTINGS to a specification that Kubeflow Pipelines 2 runs.

    \b
    Example:
      tfmtl compile examples/demo.yaml --image registry/tfmtl:0.1 --root gs://bucket/tfmtl \\
        --data gs://bucket/log --out pipeline.yaml
    """
    from pipelines.commands.compile import compile_settings

    with _clear_errors():
        compile_settings(settings, image=image, root=root, data=data, out=out)


@main.command(short_help="List the models.")
def models() -> None:
    """List the models with their papers and options.

    \b
    Example:
      tfmtl models
    """
    from pipelines.commands.models import list_models

    list_models()


@main.command(short_help="Serve pushed models over gRPC.")
@click.argument("model_dirs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8500, show_default=True, help="Port; 0 takes a free one.")
@click.option("--poll-seconds", default=2.0, show_default=True, help="How often to look for a new version.")
def serve(model_dirs: tuple[str, ...], host: str, port: int, poll_seconds: float) -> None:
    """Serve models with TensorFlow Serving's gRPC protocol; the newest version of each MODEL_DIR.

    \b
    Example:
      tfmtl serve runs/demo/serving/demo --port 8500
    """
    from pipelines.commands.serve import serve_models

    with _clear_errors():
        serve_models(model_dirs, host=host, port=port, poll_seconds=poll_seconds)


@main.command(short_help="Score rows of a CSV on a server.")
@click.argument("rows", type=click.Path(exists=True, dir_okay=False))
@click.option("--model", required=True, help="Name of the served model.")
@click.option("--host", default="127.0.0.1:8500", show_default=True, help="Address of the server.")
@click.option("--out", type=click.Path(dir_okay=False), help="CSV to write the scores to; a table otherwise.")
@click.option("--limit", type=click.IntRange(min=1), help="Score this many rows only.")
@click.option("--deadline", default=30.0, show_default=True, help="Seconds for the whole call.")
def predict(rows: str, model: str, host: str, out: str | None, limit: int | None, deadline: float) -> None:
    """Score the impressions in ROWS, a CSV with a header, on a running server.

    \b
    Example:
      tfmtl predict runs/demo/data/impressions.csv --model demo --limit 5
    """
    from pipelines.commands.predict import predict_rows

    with _clear_errors():
        predict_rows(rows, model=model, host=host, out=out, limit=limit, deadline=deadline)


class _clear_errors:
    """Turns an error about the user's input into one line and exit code 2."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from serving.client import PredictionError
        from tfmtl.config import ConfigError

        if isinstance(error, ConfigError | FileNotFoundError):
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)
        if isinstance(error, PredictionError):
            click.echo(f"Error: {error}", err=True)
            sys.exit(1)


def program() -> None:
    """The console script `tfmtl`."""
    from pipelines.terminal import run_program

    run_program(main)


if __name__ == "__main__":
    program()
