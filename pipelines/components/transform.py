"""Transform with ExampleGen's vocabularies, so that it creates the transform graph without reading the log."""

import json
import os
from typing import Any

from tfx.components import Transform
from tfx.components.transform.executor import Executor
from tfx.dsl.components.base import executor_spec
from tfx.proto import transform_pb2
from tfx.types import Artifact, Channel, artifact_utils, standard_component_specs

from pipelines.code_hash import code_hash
from pipelines.components.example_gen import VOCABULARIES
from tfmtl.spec import DatasetSpec
from transforms.ingest.sampling import SAMPLE


class LogTransformExecutor(Executor):
    """TFX's Transform, which passes the folder of the examples' vocabularies to the `preprocessing_fn`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs Transform with the folder of the vocabularies in its `custom_config`."""
        examples = artifact_utils.get_single_uri(input_dict[standard_component_specs.EXAMPLES_KEY])
        config = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        config["vocabularies"] = os.path.join(examples, VOCABULARIES)
        properties = {**exec_properties, standard_component_specs.CUSTOM_CONFIG_KEY: json.dumps(config)}
        super().Do(input_dict, output_dict, properties)


class LogTransform(Transform):
    """Creates the transform graph of a spec from the examples of `LogExampleGen`.

    Args:
        examples: Examples of `LogExampleGen`.
        schema: Schema of the raw features.
        spec: Spec of the dataset.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(LogTransformExecutor)

    def __init__(self, examples: Channel, schema: Channel, spec: DatasetSpec):
        custom_config: dict[str, Any] = {
            "spec": spec.to_dict(),
            "code": code_hash("pipelines.components.transform", "pipelines.components.transform_module"),
        }
        super().__init__(
            examples=examples,
            schema=schema,
            preprocessing_fn="pipelines.components.transform_module.preprocessing_fn",
            custom_config=custom_config,
            splits_config=transform_pb2.SplitsConfig(analyze=[SAMPLE], transform=[SAMPLE]),
            materialize=False,
            disable_statistics=True,
        )
