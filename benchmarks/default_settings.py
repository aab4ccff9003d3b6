"""Accuracy of the default settings: `tfmtl init`, nothing edited, against one-hot logistic regression.

For each log (`benchmarks.default_logs`), `tfmtl init` writes settings. `tfmtl compare` trains their model, and the
models of `Log.others` with their defaults, with several seeds on several splits of the log: other salts of a random
split, earlier bounds of a split by time. Finished runs are kept in `--out`, so that an interrupted measurement goes on,
and the page keeps the runs of logs that are not measured again.

    python -m benchmarks.default_settings --data DATA --out runs/defaults --report docs/results/defaults

`DATA` is a folder with the real logs, at the paths that `benchmarks.default_logs` names. Logs that are not there are
left out.
"""

import argparse
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import yaml

from benchmarks.default_logs import Log, logs
from benchmarks.default_settings_page import REGRESSION, Run, read_runs, write_page
from transforms.batches.raw_batch import RawBatch
from transforms.profile.columns import profile_column
from transforms.profile.sample import SAMPLE_ROWS, read_sample
from transforms.readers.log_format import LogFormat

_SALTS = ("", "1", "2")
_TIME_SHARES = ((0.8, 0.9), (0.7, 0.85), (0.6, 0.8))
"""Shares of the rows before the bounds of a split by time."""


def main() -> None:
    """Measures, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the real logs")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to work in")
    parser.add_argument("--report", type=pathlib.Path, help="folder of the page; default: OUT/report")
    parser.add_argument("--logs", help="names of logs, with commas between them; default: all")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds of the model of `tfmtl init`")
    parser.add_argument("--other-seeds", type=int, default=2, help="number of seeds of the other models")
    arguments = parser.parse_args()
    report = arguments.report or arguments.out / "report"
    for log in logs():
        if arguments.logs is None or log.name in arguments.logs.split(","):
            measured = _measure(log, arguments)
            by_log = {log.name: measured} if measured else {}
            for run in read_runs(report):
                if not measured or run.log != log.name:
                    by_log.setdefault(run.log, []).append(run)
            write_page(report, [run for one in logs() for run in by_log.get(one.name, [])])


def _measure(log: Log, arguments: argparse.Namespace) -> list[Run]:
    """Returns the runs of a log; none if the log is not there."""
    path = _log_path(log, arguments.data, arguments.out)
    if path is None:
        print(f"{log.name}: {log.path} is not in {arguments.data}")
        return []
    folder = arguments.out / log.name
    settings = folder / f"{log.name}.yaml"
    _tfmtl("init", str(path), *log.arguments, "--out", str(settings), "--overwrite")
    plain = yaml.safe_load(settings.read_text(encoding="utf-8"))
    runs: list[Run] = []
    for i, split in enumerate(_splits(plain, path)):
        base = folder / f"split_{i}.yaml"
        base.write_text(yaml.safe_dump({**plain, "spec": {**plain["spec"], "split": split}}), encoding="utf-8")
        main_row = plain["model"]["name"]
        for rows, seeds in (((REGRESSION, main_row), arguments.seeds), (log.others, arguments.other_seeds)):
            if rows:
                runs += _compare(log, folder, base, i, rows, seeds)
    return runs


def _log_path(log: Log, data: pathlib.Path, out: pathlib.Path) -> pathlib.Path | None:
    """Returns the path of a real log, None if it is not there, or of a simulated one, which is written."""
    if not log.simulator:
        path = data / log.path
        return path.resolve() if path.exists() else None
    folder = out / log.name
    folder.mkdir(parents=True, exist_ok=True)
    settings, raw = folder / "simulator.yaml", folder / "log"
    settings.write_text(yaml.safe_dump(log.simulator), encoding="utf-8")
    if not (raw / "impressions.csv").exists():
        _tfmtl("simulate", str(settings), "--out", str(raw))
    return (raw / "impressions.csv").resolve()


def _splits(settings: dict[str, Any], path: pathlib.Path) -> Iterator[dict[str, Any]]:
    """Yields the splits of a log, that of `tfmtl init` first."""
    split = settings["spec"]["split"]
    if split["kind"] == "random":
        yield from ({**split, "salt": salt} for salt in _SALTS)
        return
    sample = read_sample(str(path), LogFormat(), str(path.parent), SAMPLE_ROWS)
    batch = RawBatch(sample.columns, np.arange(1, sample.columns.num_rows + 1), str(path))
    moments = profile_column(split["column"], batch.column(split["column"])).moments
    assert moments is not None
    yield split
    for shares in _TIME_SHARES[1:]:
        bounds = [
            str(np.datetime64(int(np.quantile(moments, share)), "us").astype("datetime64[s]")) for share in shares
        ]
        yield {**split, "eval_from": bounds[0].replace("T", " "), "test_from": bounds[1].replace("T", " ")}


def _compare(
    log: Log, folder: pathlib.Path, base: pathlib.Path, split: int, rows: tuple[str, ...], seeds: int
) -> list[Run]:
    """Trains rows with a number of seeds on one split, and returns the AUC of each run on eval and test rows."""
    name = f"{log.name}_{split}_{rows[-1]}"
    settings = {
        "name": name,
        "base": base.name,
        "seeds": list(range(1, seeds + 1)),
        "reference": rows[0],
        "models": {row: {} for row in rows},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    work = folder / f"split_{split}"
    _tfmtl("compare", str(path), "--out", str(work), "--report", str(folder / "reports" / name))
    runs = []
    for file in (work / "runs").glob("*/result.json"):
        result = json.loads(file.read_text(encoding="utf-8"))
        job = result["job"]
        if job["row"] in rows and job["seed"] <= seeds:
            for part, outputs in result["metrics"].items():
                runs += [
                    Run(log.name, split, job["row"], job["seed"], part, output, metrics["auc"])
                    for output, metrics in outputs.items()
                ]
    return runs


def _tfmtl(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pipelines.cli", *arguments], check=True)


if __name__ == "__main__":
    main()
