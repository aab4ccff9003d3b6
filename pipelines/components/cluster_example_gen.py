"""ExampleGen that finds the files and spans of a log when it runs, for runners without a driver."""

import dataclasses
import json
import os
from typing import Any

from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import Artifact, Channel, artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from pipelines.code_hash import code_hash
from pipelines.components.example_gen import LogExampleGen, LogExampleGenExecutor
from pipelines.components.example_gen_driver import LogDriver
from pipelines.components.root import ROOT, with_root
from pipelines.components.span_merge import EARLIER, EXAMPLES, KEEP_DAYS, SPANS, SpanMergeExecutor
from pipelines.pushing.model_record import earlier_record, record_folder
from pipelines.raw_log import locate_data, newest_spans
from pipelines.settings import DataSettings
from tfmtl.config import Document, build, to_plain
from tfmtl.spec import DatasetSpec
from transforms.readers.spans import SpanPattern, has_spans

CONTINUED = "continued_model"
"""Property of the examples: fingerprint of the model whose vocabularies theirs continue."""
FINGERPRINT = "input_fingerprint"
"""Property of the examples, which TFX's driver sets as well: fingerprint of the files that were read."""
_PARTS = ".parts"


class ClusterExampleGenExecutor(base_beam_executor.BaseBeamExecutor):
    """Reads the log as `LogExampleGen` does: one span after the other, which `SpanMerge` merges."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Finds the newest spans up to the date of the run, and reads their files."""
        spec = DatasetSpec.from_yaml(exec_properties["spec"])
        settings: DataSettings = build(DataSettings, Document(json.loads(exec_properties["format"])))
        keep_days = exec_properties.get(KEEP_DAYS)
        data = locate_data(dataclasses.replace(settings, path=exec_properties["data"]), spec, keep_days)
        examples = artifact_utils.get_single_instance(output_dict[EXAMPLES])
        spans = newest_spans(data, exec_properties.get("date") or "")
        if not spans:
            self._read(data, spec, None, examples)
            return
        parts = []
        for span in spans:
            print(f"span {SpanPattern(data.pattern).name(span)}")
            part = standard_artifacts.Examples()
            part.uri = os.path.join(examples.uri, _PARTS, str(span))
            self._read(data, spec, span, part)
            parts.append(part)
        inputs = {SPANS: parts}
        destination = with_root(exec_properties["destination"], exec_properties)
        record = earlier_record(destination, max(spans), "") if keep_days else None
        if record is not None:
            earlier = standard_artifacts.Examples()
            earlier.uri = record_folder(destination, record.fingerprint)
            inputs[EARLIER] = [earlier]
            examples.set_string_custom_property(CONTINUED, record.fingerprint)
        merge = {"spec": exec_properties["spec"], KEEP_DAYS: keep_days}
        SpanMergeExecutor(self._context).Do(inputs, output_dict, merge)
        fileio.rmtree(os.path.join(examples.uri, _PARTS))

    def _read(self, data: DataSettings, spec: DatasetSpec, span: int | None, examples: Artifact) -> None:
        component = LogExampleGen(data.path, data.pattern, data.log_format, spec, span)
        properties = LogDriver(None).resolve_exec_properties(dict(component.exec_properties), None, None)
        LogExampleGenExecutor(self._context).Do({}, {EXAMPLES: [examples]}, properties)
        examples.set_int_custom_property("span", span or 0)
        examples.set_string_custom_property(FINGERPRINT, properties[FINGERPRINT])


class ClusterExampleGenSpec(ComponentSpec):
    """Outputs and parameters of `ClusterExampleGen`."""

    PARAMETERS = {  # noqa: RUF012
        "data": ExecutionParameter(type=str),
        "date": ExecutionParameter(type=str, optional=True),
        "format": ExecutionParameter(type=str),
        "spec": ExecutionParameter(type=str),
        "destination": ExecutionParameter(type=str),
        ROOT: ExecutionParameter(type=str, optional=True),
        KEEP_DAYS: ExecutionParameter(type=int, optional=True),
        "code": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {EXAMPLES: ChannelParameter(type=standard_artifacts.Examples)}  # noqa: RUF012


class ClusterExampleGen(base_beam_component.BaseBeamComponent):
    """Component that reads a log with the same result as the components of a local run.

    Files and spans are found when it runs, so that one compiled pipeline reads each day's log. With `keep_days`, the
    counts of tokens of earlier days are those of the record of an earlier model at the push destination.

    Args:
        data: Folder of the log, or a file: a path that the container sees, or a URI.
        date: Last day to read (`2026-11-29`), or number of the last span; empty for the newest one that exists.
        settings: Pattern and format of the log's files.
        spec: Features, tasks and split of the log.
        destination: Folder of the served model's versions.
        root: Root of the run.
        keep_days: Number of days whose tokens the vocabularies keep; None for those of the spans that are read.
    """

    SPEC_CLASS = ClusterExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(ClusterExampleGenExecutor)

    def __init__(
        self,
        data: object,
        date: object,
        settings: DataSettings,
        spec: DatasetSpec,
        destination: str,
        root: object,
        keep_days: int | None = None,
    ):
        plain = {name: value for name, value in to_plain(settings).items() if name != "path"}
        super().__init__(
            ClusterExampleGenSpec(
                data=data,
                date=date if has_spans(settings.pattern) else None,
                format=json.dumps(plain, sort_keys=True),
                spec=spec.to_json(),
                destination=destination,
                root=root,
                keep_days=keep_days,
                code=code_hash("pipelines.components.cluster_example_gen"),
                examples=Channel(type=standard_artifacts.Examples),
            )
        )


def log_fingerprint(examples: Artifact) -> str:
    """Returns the fingerprint of the files of a log; empty if several spans were read.

    Args:
        examples: Examples of the log.
    """
    return str(examples.get_string_custom_property(FINGERPRINT) or "")
