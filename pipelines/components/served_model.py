"""Step that looks up models at the push destination, for runners that have no store of metadata to ask."""

from typing import Any

from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import Artifact, BaseChannel, Channel, artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import path_utils

from pipelines.code_hash import code_hash
from pipelines.components.cluster_example_gen import CONTINUED, log_fingerprint
from pipelines.components.empty_artifact import mark
from pipelines.components.root import ROOT, with_root
from pipelines.pushing.model_record import (
    LOG,
    MODEL_RUN,
    STATISTICS,
    earlier_record,
    read_record,
    record_folder,
    served_model,
    served_record,
)
from pipelines.pushing.push import copy_model
from transforms.ingest.sampling import SAMPLE
from transforms.storage.files import copy_file, files_below

BASELINE, START = "baseline", "start"
"""Outputs: the served model, and the one that a training starts from."""
ACCEPTED_STATISTICS, ACCEPTED_EXAMPLES = "accepted_statistics", "accepted_examples"
"""Outputs: statistics and report of the log that the served model was trained on.

Each of the outputs stands for none if nothing was found (`pipelines.components.empty_artifact`)."""
_EXAMPLES = "examples"


class ServedModelExecutor(base_executor.BaseExecutor):
    """Copies the served model, and the `model_run` of the model to start from, out of the push destination."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Looks up the models."""
        destination = with_root(exec_properties["destination"], exec_properties)
        baseline = artifact_utils.get_single_instance(output_dict[BASELINE])
        served = served_model(destination)
        if served is not None:
            copy_model(served, path_utils.serving_model_dir(baseline.uri))
        mark(baseline, served is None)
        print(f"served model: {served or f'none in {destination}'}")
        self._copy_log(destination, output_dict)
        start, is_found = artifact_utils.get_single_instance(output_dict[START]), False
        if exec_properties["warm_start"]:
            examples = artifact_utils.get_single_instance(input_dict[_EXAMPLES])
            is_found = self._copy_start(destination, examples, bool(exec_properties["has_spans"]), start.uri)
        mark(start, not is_found)

    @staticmethod
    def _copy_log(destination: str, output_dict: dict[str, list[Artifact]]) -> None:
        record = served_record(destination)
        for key, name in ((ACCEPTED_STATISTICS, STATISTICS), (ACCEPTED_EXAMPLES, LOG)):
            output = artifact_utils.get_single_instance(output_dict[key])
            output.split_names = artifact_utils.encode_split_names([SAMPLE])
            source = "" if record is None else f"{record_folder(destination, record.fingerprint)}/{name}"
            mark(output, not source or not _copy(source, output.uri))

    @staticmethod
    def _copy_start(destination: str, examples: Artifact, has_spans: bool, folder: str) -> bool:
        span = int(examples.get_int_custom_property("span")) if has_spans else None
        continued = examples.get_string_custom_property(CONTINUED)
        if continued:
            record = read_record(destination, continued)
        else:
            record = earlier_record(destination, span, log_fingerprint(examples))
        source = "" if record is None else f"{record_folder(destination, record.fingerprint)}/{MODEL_RUN}"
        is_found = bool(source) and _copy(source, f"{folder}/{MODEL_RUN}")
        print(f"model to start from: {source if is_found else f'none in {destination}'}")
        return is_found


def _copy(source: str, target: str) -> bool:
    """Copies the files below a folder; returns whether there are any."""
    names = files_below(source)
    for name in names:
        copy_file(f"{source}/{name}", f"{target}/{name}")
    return bool(names)


class ServedModelSpec(ComponentSpec):
    """Inputs, outputs and parameters of `ServedModel`."""

    PARAMETERS = {  # noqa: RUF012
        "destination": ExecutionParameter(type=str),
        ROOT: ExecutionParameter(type=str, optional=True),
        "has_spans": ExecutionParameter(type=int),
        "warm_start": ExecutionParameter(type=int),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {_EXAMPLES: ChannelParameter(type=standard_artifacts.Examples)}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        BASELINE: ChannelParameter(type=standard_artifacts.Model),
        START: ChannelParameter(type=standard_artifacts.Model),
        ACCEPTED_STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        ACCEPTED_EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
    }


class ServedModel(base_component.BaseComponent):
    """Component that finds the model with which a new one is compared, and the one that a training starts from.

    The first is the newest complete version at the push destination. The second is the newest model that was pushed,
    was not rolled back and was not trained on the data of this run (`pipelines.pushing.model_record.earlier_record`).
    The log of the first is that with which the log of this run is compared.

    Args:
        examples: Examples of `ClusterExampleGen`.
        destination: Folder with one folder per version.
        root: Root of the run.
        has_spans: Whether the pattern of the log has placeholders.
        warm_start: Whether the training starts from an earlier model.
    """

    SPEC_CLASS = ServedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(ServedModelExecutor)

    def __init__(self, examples: BaseChannel, destination: str, root: object, has_spans: bool, warm_start: bool):
        super().__init__(
            ServedModelSpec(
                examples=examples,
                destination=destination,
                root=root,
                has_spans=int(has_spans),
                warm_start=int(warm_start),
                code=code_hash("pipelines.components.served_model"),
                **{name: Channel(type=parameter.type) for name, parameter in ServedModelSpec.OUTPUTS.items()},
            )
        )
