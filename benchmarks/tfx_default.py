"""Peer of `benchmarks.transform`: a pipeline of TFX's own components, as in its tutorials."""

from collections.abc import Mapping
from typing import Any

import tensorflow_transform as tft
from tfx.components import CsvExampleGen, ExampleValidator, SchemaGen, StatisticsGen, Transform
from tfx.orchestration.metadata import ConnectionConfigType
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, Any]:
    """Applies a vocabulary to each column of `custom_config["categorical"]`, and leaves the other columns unchanged.

    Args:
        inputs: Raw columns by name.
        custom_config: Configuration of the Transform component.
    """
    categorical = custom_config["categorical"]
    return {
        name: tft.compute_and_apply_vocabulary(values, num_oov_buckets=1, vocab_filename=name)
        if name in categorical
        else values
        for name, values in inputs.items()
    }


def default_pipeline(
    log: str, categorical: list[str], root: str, metadata: ConnectionConfigType, beam_pipeline_args: list[str]
) -> Pipeline:
    """Creates CsvExampleGen -> StatisticsGen -> SchemaGen -> ExampleValidator -> Transform with their defaults.

    Args:
        log: Folder of CSV files.
        categorical: Names of the columns with a vocabulary.
        root: Folder of the artifacts.
        metadata: Connection of the ML Metadata store.
        beam_pipeline_args: Arguments of Beam.
    """
    files = example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="log", pattern="*.csv")])
    examples = CsvExampleGen(input_base=log, input_config=files)
    statistics = StatisticsGen(examples.outputs["examples"])
    schema = SchemaGen(statistics.outputs["statistics"])
    validator = ExampleValidator(statistics.outputs["statistics"], schema.outputs["schema"])
    transform = Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="benchmarks.tfx_default.preprocessing_fn",
        custom_config={"categorical": categorical},
    )
    return Pipeline(
        pipeline_name="tfx_default",
        pipeline_root=root,
        components=[examples, statistics, schema, validator, transform],
        enable_cache=False,
        metadata_connection_config=metadata,
        beam_pipeline_args=beam_pipeline_args,
    )
