"""Program that trains on a day of a log with `run_fn`, on one device and on two.

Run as `python -m tests.pipelines.training.distributed_trainer FOLDER`.
"""

import pathlib
import sys

import tensorflow as tf

from tests.pipelines.training.day_log import make_day, train

MIRRORED = {"kind": "mirrored", "devices": ["CPU:0", "CPU:1"]}
TRAINING = {"max_epochs": 2, "patience": 2, "learning_rate": 0.02}


def main(folder: pathlib.Path) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    day = make_day(folder / "day", 1, range(30))
    train(day, folder / "one", **TRAINING)
    train(day, folder / "two", **TRAINING, distribution=MIRRORED)
    again = {**TRAINING, "max_epochs": 1, "learning_rate": 1e-30}
    train(day, folder / "again", **again, distribution=MIRRORED, warm_start=str(folder / "two" / "run"))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
