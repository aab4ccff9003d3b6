"""Program that runs the pipeline in new folders, kills each run once, runs it again, and compares what is pushed.

Run as `python -m tests.pipelines.killed_runs FOLDER KILLS`. Each run is a process of its own, forked from one that has
imported the libraries, and is killed by SIGKILL at a random moment of the time that a whole run takes.
"""

import dataclasses
import json
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import time

TRAINING = {"max_epochs": 6, "patience": 6, "batch_size": 16, "deterministic": True, "checkpoint_steps": 7}


def run(folder: pathlib.Path, root: pathlib.Path) -> None:
    """Runs the pipeline, and writes the weights and the scores of what it pushes, and the progress of its steps."""
    import numpy as np
    import tensorflow as tf

    from pipelines.runners.local import RunPaths, run_pipeline
    from pipelines.settings_file import load_settings
    from tests.pipelines.splits import count_rows

    settings = load_settings(folder / "shop.yaml", data=str(folder / "log"))
    training = dataclasses.replace(settings.training, **TRAINING)
    settings = dataclasses.replace(settings, training=training, thresholds={"ctr": None}, reference=False)
    steps = root.with_suffix(".steps")

    def progress(step: str, event: str) -> None:
        with steps.open("a") as file:
            file.write(f"{step} {event}\n")

    finished = run_pipeline(settings, RunPaths(root), progress=progress)
    (version,) = [path for path in (root / "serving/shop").iterdir() if path.name.isdigit()]
    variables = tf.train.load_checkpoint(str(version / "variables/variables"))
    names = [name for name in variables.get_variable_to_shape_map() if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    rows = sorted(count_rows(finished.uri("LogExampleGen", "examples"), "test"))
    examples = [_example(content) for content in rows]
    scores = tf.saved_model.load(str(version)).signatures["serving_default"](tf.constant(examples))
    found = {**{name: variables.get_tensor(name) for name in names}, **scores}
    plain = {name: np.asarray(value).tolist() for name, value in found.items()}
    root.with_suffix(".json").write_text(json.dumps(plain, sort_keys=True, default=bytes.hex))


def _example(content: tuple) -> bytes:
    import tensorflow as tf

    example = tf.train.Example()
    for name, feature in content:
        example.features.feature[name].ParseFromString(feature)
    return example.SerializeToString()


def main(folder: pathlib.Path, kills: int) -> None:
    """Runs once without a kill, then with one each, and prints the step in which each run was killed."""
    from tests.pipelines.shop_log import write_shop

    folder.mkdir(parents=True, exist_ok=True)
    write_shop(folder)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipelines.runners.local", "pipelines.settings_file", "pipelines.training.trainer"])

    def start(root: pathlib.Path) -> multiprocessing.process.BaseProcess:
        process = context.Process(target=run, args=(folder, root))
        process.start()
        return process

    def finish(root: pathlib.Path) -> str:
        process = start(root)
        process.join()
        assert process.exitcode == 0, f"{root}: exit code {process.exitcode}"
        return root.with_suffix(".json").read_text()

    finish(folder / "first")  # The first process imports what is not preloaded.
    begin = time.monotonic()
    expected = finish(folder / "whole")
    duration, rng = time.monotonic() - begin, random.Random(29)
    assert expected == (folder / "first.json").read_text(), "two runs without a kill differ"
    for number in range(kills):
        root = folder / f"run_{number}"
        process = start(root)
        process.join(rng.uniform(0.05, 0.9) * duration)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        steps = root.with_suffix(".steps")
        last = steps.read_text().splitlines()[-1] if steps.exists() else "the start"
        what = f"killed after {last}" if process.exitcode == -signal.SIGKILL else "not killed"
        assert finish(root) == expected, f"run {number}, {what}: other weights or scores"
        print(f"run {number}: {what}, equal", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
