"""Rows of a day with their transform graph, and their training as TFX's Trainer calls it."""

import dataclasses
import types

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_transform.tf_metadata import schema_utils
from tfx_bsl.public import tfxio

from pipelines.training.trainer import run_fn
from serving.raw_features import parse_examples, raw_inputs
from tfmtl.model_inputs import transformed_inputs
from tfmtl.spec import DatasetSpec
from transforms.preprocessing import make_preprocessing_fn

SPEC = DatasetSpec.from_yaml("""
name: log
features:
  - {name: user, kind: categorical}
  - {name: price, kind: numerical, max_bucket: 20}
  - {name: tags, kind: multi_valued, weights: tag_weights, max_length: 3}
  - {name: history, kind: sequence, max_length: 3}
tasks:
  - {name: click, label: clicked, output: ctr}
  - {name: buy, label: bought, follows: click, output: ctcvr}
""")
MODEL = {
    "name": "mmoe",
    "options": {"embedding_dim": 4, "num_experts": 2, "expert_units": [8], "tower_units": [8]},
}


@dataclasses.dataclass(frozen=True)
class Day:
    """Rows of a day and their transform graph."""

    examples: list[bytes]
    file: str
    graph: str

    def features(self, examples):
        """Returns the transformed features of serialized tf.Examples."""
        transformed = tft.TFTransformOutput(self.graph).transform_features_layer()(parse_examples(SPEC, examples))
        return {i.name: transformed[i.name] for i in transformed_inputs(SPEC)}


def example(rng, users):
    def feature(kind, values):
        return tf.train.Feature(**{f"{kind}_list": getattr(tf.train, f"{kind.title()}List")(value=values)})

    tags = [b"tag%d" % tag for tag in rng.integers(0, 6, rng.integers(0, 4))]
    click = rng.random() < 0.5
    features = {
        "user": feature("bytes", [b"u%d" % rng.choice(users)]),
        "price": feature("float", [float(rng.exponential(20))]),
        "tags": feature("bytes", tags),
        "tag_weights": feature("float", rng.uniform(0.5, 2, len(tags))),
        "history": feature("bytes", [b"i%d" % item for item in rng.integers(0, 8, rng.integers(0, 4))]),
        "clicked": feature("int64", [int(click)]),
        "bought": feature("int64", [int(click and rng.random() < 0.5)]),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def make_day(folder, seed, users):
    folder.mkdir()
    rng = np.random.default_rng(seed)
    examples = [example(rng, users) for _ in range(400)]
    file = str(folder / "rows.gz")
    with tf.io.TFRecordWriter(file, "GZIP") as writer:
        for one in examples:
            writer.write(one)
    dtypes = {one.name: one.dtype for one in raw_inputs(SPEC)} | dict.fromkeys(SPEC.labels, tf.int64)
    features = {name: tf.io.VarLenFeature(dtype) for name, dtype in dtypes.items()}
    source = tfxio.TFExampleRecord([file], schema=schema_utils.schema_from_feature_spec(features))
    with (
        beam.Pipeline("DirectRunner", PipelineOptions(["--direct_running_mode=in_memory"])) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "tmp")),
    ):
        dataset = (pipeline | source.BeamSource(), source.TensorAdapterConfig())
        graph = dataset | tft_beam.AnalyzeDataset(make_preprocessing_fn(SPEC))
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    return Day(examples, file, str(folder / "graph"))


def train(day, folder, base_model=None, model=MODEL, hyperparameters=None, **training):
    """Trains on a day as the Trainer does, and returns the arguments of `run_fn`."""
    arguments = types.SimpleNamespace(
        custom_config={
            "name": "log",
            "spec": SPEC.to_dict(),
            "model": model,
            "training": {"max_epochs": 1, "batch_size": 64, "shuffle_rows": 200, "cache": "memory", **training},
        },
        transform_output=day.graph,
        train_files=[day.file],
        eval_files=[day.file],
        serving_model_dir=str(folder / "model" / "Format-Serving"),
        model_run_dir=str(folder / "run"),
        base_model=base_model,
        hyperparameters=hyperparameters,
    )
    run_fn(arguments)
    return arguments
