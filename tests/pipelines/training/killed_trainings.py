"""Program that trains again and again, each time killed by SIGKILL at a random moment, and compares the models.

Run as `python -m tests.pipelines.training.killed_trainings FOLDER SECONDS [KILLS]`. It prints the number of kills.
Each training is a process of its own, forked from one that has imported the libraries.
"""

import multiprocessing
import os
import pathlib
import random
import signal
import sys
import time

MODEL = {"embedding_dim": 4, "bottom_units": [16], "tower_units": [8], "dropout": 0.1, "calibration": "isotonic"}
TRAINING = {"max_epochs": 12, "patience": 12, "learning_rate": 0.02, "batch_size": 16, "deterministic": True}
KINDS = {
    "plain": {},
    "maml": {"strategy": {"kind": "maml", "episodes": 2}},
    "two stages": {"fine_tuning": {"max_epochs": 6, "learning_rate": 0.001}},
}


def train_in_process(day, folder, kind, steps):
    """Trains and writes the weights and the scores of the SavedModel."""
    import keras
    import numpy as np
    import tensorflow as tf

    from tests.pipelines.training.day_log import train

    settings = {**TRAINING, **KINDS[kind], "checkpoint_steps": steps}
    run = train(day, folder, model={"name": "shared_bottom", "options": MODEL}, **settings)
    weights = keras.saving.load_model(f"{run.model_run_dir}/model.keras").get_weights()
    served = tf.saved_model.load(run.serving_model_dir).signatures["serving_default"]
    scores = served(tf.constant(day.examples))
    arrays = {f"weight_{index}": weight for index, weight in enumerate(weights)}
    np.savez(folder / "result.npz", **arrays, **{name: one.numpy() for name, one in scores.items()})


def finish(context, *arguments):
    process = context.Process(target=train_in_process, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0, process.exitcode


def main(folder: pathlib.Path, seconds: float, kills: int) -> None:
    import numpy as np

    from tests.pipelines.training.day_log import make_day

    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.pipelines.training.day_log"])
    start, rng = time.monotonic(), random.Random(17)
    day = make_day(folder / "day", 1, range(30))
    expected, durations, done = {}, {}, 0
    for number in range(kills):
        kind = list(KINDS)[number % len(KINDS)]
        if kind not in expected:
            begin = time.monotonic()
            finish(context, day, folder / kind / "whole", kind, 20)
            durations[kind] = time.monotonic() - begin
            expected[kind] = np.load(folder / kind / "whole" / "result.npz")
        if time.monotonic() - start + 2 * durations[kind] > seconds and done:
            break
        runs = folder / kind / str(number)
        process = context.Process(target=train_in_process, args=(day, runs / "killed", kind, 20))
        process.start()
        time.sleep(rng.uniform(0.2, 0.9) * durations[kind])
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        found = any((runs / "checkpoints").glob("*/*/state.json"))
        finish(context, day, runs / "again", kind, 20)
        result = np.load(runs / "again" / "result.npz")
        assert set(result.files) == set(expected[kind].files)
        for name in result.files:
            np.testing.assert_array_equal(result[name], expected[kind][name], err_msg=f"{kind} {number} {name}")
        done += 1
        print(f"{kind}: killed, {'continued' if found else 'begun again'}", flush=True)
    print(f"kills: {done}", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 20)
