"""Makes the data of a comparison ready: simulates the log where that is asked for, and preprocesses it once."""

import hashlib
import json
import pathlib
import shutil
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from pipelines.compare.data import row_order as order
from pipelines.compare.data.ground_truth import write_truth
from pipelines.compare.data.prepared import EXAMPLES, PREPARED, TRANSFORM, Columns, Prepared, write_columns
from pipelines.runners.local import Progress, RunPaths, locate_log, run_pipeline
from pipelines.settings import Settings
from pipelines.simulated_log import draw_once
from tfmtl.model_inputs import vocabularies
from tfmtl.spec import DatasetSpec
from transforms.ali_ccp.simulator_options import AliCcpOptions
from transforms.batches.raw_batch import SPLITS

LOG = "log"
_TRAINING_FILES = 8
_FORMAT = 2
"""Of what `prepare` keeps: data of another format are made anew."""


def simulated_log(settings: Settings, folder: pathlib.Path) -> pathlib.Path:
    """The log that the settings' simulator describes; it is drawn unless it is there already, drawn by the same code.

    Raises:
        FileNotFoundError: if the settings have no simulator of a log.
    """
    if settings.simulator is None or isinstance(settings.simulator, AliCcpOptions):  # Whose raw files want ingesting.
        raise FileNotFoundError("--data should be the folder of the raw log, or a file. Received: none")
    draw_once(settings, folder)
    return folder


def prepare(settings: Settings, root: pathlib.Path, progress: Progress | None = None) -> Prepared:
    """Runs the pipeline up to Transform, puts the rows of each split in one order, and keeps it all in a folder.

    What is there already and was made of the same log, by the same code, is used.

    Args:
        settings: of the experiment; `settings.data.path` is the log.
        root: where everything is kept.
        progress: is told when a component starts and ends.
    """
    settings = locate_log(settings)
    run = run_pipeline(settings, RunPaths(root), progress, data_only=True)
    examples, graph = run.uri("LogExampleGen", "examples"), run.uri("Transform", "transform_graph")
    made_of = {"examples": examples, "transform_graph": graph, "log": settings.data.path}
    folder = root / "prepared"
    if (folder / PREPARED).exists():
        kept = json.loads((folder / PREPARED).read_text(encoding="utf-8"))
        if [kept["made_of"], kept["spec"], kept.get("format")] == [made_of, settings.spec.to_dict(), _FORMAT]:
            return Prepared.load(folder)
    (folder / PREPARED).unlink(missing_ok=True)  # First: what is half removed is not complete.
    shutil.rmtree(folder, ignore_errors=True)
    (folder / EXAMPLES).mkdir(parents=True)
    shutil.copytree(graph, folder / TRANSFORM)
    digest = hashlib.sha256(settings.spec.to_json().encode())
    prints = {split: _write_split(settings.spec, examples, folder, split) for split in SPLITS}
    for split in SPLITS:
        digest.update(prints[split].tobytes())
    rows = {split: len(of_rows) for split, of_rows in prints.items()}
    plain = {"format": _FORMAT, "spec": settings.spec.to_dict(), "rows": rows, "made_of": made_of, "fingerprint": ""}
    for tokens in _vocabularies(Prepared(folder, settings.spec, "", rows)):
        digest.update(tokens)
    plain["fingerprint"] = digest.hexdigest()[:16]
    if settings.simulator is not None:
        write_truth(settings, folder, prints["test"])
    (folder / PREPARED).write_text(json.dumps(plain), encoding="utf-8")  # Last: what lacks it is not complete.
    return Prepared.load(folder)


def _write_split(spec: DatasetSpec, examples: str, folder: pathlib.Path, split: str) -> np.ndarray:
    """Writes the rows of a split in their order, and the columns of eval and test. Returns the rows' fingerprints."""
    files = sorted(tf.io.gfile.glob(f"{examples}/Split-{split}/*"))
    records = list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())
    prints = order.fingerprints(spec, records)
    places = np.argsort(prints, kind="stable")
    ordered = [records[place] for place in places]
    count = _TRAINING_FILES if split == "train" else 1
    for i, part in enumerate(np.array_split(np.arange(len(ordered)), count)):
        path = folder / EXAMPLES / f"{split}-{i:05d}-of-{count:05d}.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for place in part:
                writer.write(ordered[place])
    if split != "train":
        if not ordered:
            raise ValueError(f"the {split} split should hold rows. Received: none")
        scenarios = order.scenarios(spec, ordered)
        columns = Columns(order.labels(spec, ordered), order.group_keys(spec, ordered), *scenarios)
        write_columns(folder / f"{split}.npz", columns)
    return prints[places]


def _vocabularies(prepared: Prepared) -> Iterator[bytes]:
    for feature in vocabularies(prepared.spec):
        yield feature.encode()
        yield b"\n".join(prepared.transformed.vocabulary_by_name(feature))
