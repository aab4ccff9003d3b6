"""ExampleGen of a raw log: reads, checks by the spec, splits, and keeps what it rejects."""

import json
import os
from typing import Any

import apache_beam as beam
from google.protobuf import any_pb2, struct_pb2
from tfx.components import FileBasedExampleGen
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from pipelines.code_hash import code_hash
from pipelines.components.example_gen_driver import LogDriver, options_of
from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import SPLITS, Reject
from transforms.batches.report import IngestReport
from transforms.ingest import beam_ingest
from transforms.ingest.beam_adopt import AdoptIngested
from transforms.ingest.beam_ingest import SAMPLE, IngestPaths
from transforms.ingest.beam_vocabularies import WriteVocabularies
from transforms.ingest.log_spec import log_spec
from transforms.ingest.manifest import INGESTED, MANIFEST, Manifest
from transforms.ingest.sampling import sampling_step
from transforms.readers.registry import OF_FOLDERS, expand
from transforms.storage.atomic import UNFINISHED
from transforms.storage.files import size

REPORT = "ingest_report.json"
REJECTS = "rejects"
VOCABULARIES = "vocabularies"
COUNTS = "token_counts"
STEPS = "sampling_steps"
"""In the report: every how many rows one is in the sample, of which statistics are; for each span that was read."""


class LogExampleGenExecutor(BaseExampleGenExecutor):
    """Writes tf.Examples by split and a sample of them, `vocabularies/`, `ingest_report.json` and `rejects-*.jsonl`.

    A line of the last is a rejected row. Of a span, `token_counts/` is written too. The rows are written by the workers
    themselves (`IngestPaths`), so that none is left for TFX to write.
    """

    def GetInputSourceToExamplePTransform(self) -> Any:
        return IngestPaths

    def GenerateExamplesByBeam(self, pipeline, exec_properties):
        options = options_of(exec_properties)
        reader = options["reader"]
        spec = DatasetSpec.from_dict(options["spec"])
        if reader == INGESTED:
            self._adopt(pipeline, self._log(reader, exec_properties), spec)
            return {}
        paths = expand(reader, self._log(reader, exec_properties))
        step = sampling_step(sum(map(size, paths)))
        numbered = [(reader, path, number) for number, path in enumerate(paths)]
        read = pipeline | "Paths" >> beam.Create(numbered) | IngestPaths(spec, self._root, step)
        counts = os.path.join(self._root, COUNTS) if options["is_span"] else None
        _ = read[beam_ingest.COUNTS] | WriteVocabularies(spec, os.path.join(self._root, VOCABULARIES), counts)
        _ = (
            read[beam_ingest.REJECTS]
            | "RejectLines" >> beam.Map(Reject.to_json)
            | "WriteRejects" >> beam.io.WriteToText(os.path.join(self._root, REJECTS), file_name_suffix=".jsonl")
        )
        _ = (
            read[beam_ingest.REPORT]
            | "ReportLine" >> beam.Map(lambda report: json.dumps({**report.to_dict(), STEPS: [step]}))
            | "WriteReport" >> beam.io.WriteToText(os.path.join(self._root, REPORT), shard_name_template="")
        )
        return {}

    def _adopt(self, pipeline: beam.Pipeline, log: str, spec: DatasetSpec) -> None:
        """Takes what `tfmtl ingest` wrote as it is."""
        _ = pipeline | AdoptIngested(log, self._root, spec, os.path.join(self._root, VOCABULARIES))
        manifest = Manifest.load(log)
        with fileio.open(os.path.join(self._root, REPORT), "w") as file:
            json.dump({**manifest.report.to_dict(), STEPS: [manifest.notes["sampling_step"]]}, file)

    def Do(self, input_dict, output_dict, exec_properties):
        self._root = artifact_utils.get_single_uri(output_dict[standard_component_specs.EXAMPLES_KEY])
        super().Do(input_dict, output_dict, exec_properties)
        if fileio.exists(os.path.join(self._root, UNFINISHED)):
            fileio.rmtree(os.path.join(self._root, UNFINISHED))

    @staticmethod
    def _log(reader: str, exec_properties: dict[str, Any]) -> str:
        """What the reader takes: a folder of different files, or, of a CSV, a pattern of files alike."""
        base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        inputs = example_gen_pb2.Input()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], inputs)
        return base if reader in (*OF_FOLDERS, INGESTED) else os.path.join(base, inputs.splits[0].pattern)


class LogExampleGen(FileBasedExampleGen):
    """Reads a raw log by the spec, with the readers of `transforms.readers.registry`.

    Args:
        input_base: the folder of the log.
        pattern: which of its files are read; with the placeholders of `transforms.readers.spans`, those of one span.
        reader: one of `transforms.readers.registry.NAMES`, or `ingested` for a folder that `tfmtl ingest` wrote.
        spec: features, tasks and split of the log.
        span: which one; the newest by default.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(LogExampleGenExecutor)
    DRIVER_CLASS = LogDriver

    def __init__(self, input_base: str, pattern: str, reader: str, spec: DatasetSpec, span: int | None = None):
        pattern = MANIFEST if reader == INGESTED else pattern  # What there is else, it tells.
        options = {
            "spec": log_spec(spec, pruned=span is None).to_dict(),  # Of a span all tokens are counted.
            "reader": reader,
            "is_span": span is not None,
            "code": code_hash("pipelines.components.example_gen"),
        }
        packed = any_pb2.Any()
        packed.Pack(struct_pb2.Value(string_value=json.dumps(options, sort_keys=True)))
        splits = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=1) for name in (*SPLITS, SAMPLE)]
        super().__init__(
            input_base=input_base,
            input_config=example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="log", pattern=pattern)]),
            range_config=None if span is None else _only(span),
            output_config=example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits)),
            custom_config=example_gen_pb2.CustomConfig(custom_config=packed),
        )


def _only(span: int) -> range_config_pb2.RangeConfig:
    spans = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    return range_config_pb2.RangeConfig(static_range=spans)


def ingest_report(examples_uri: str) -> IngestReport:
    """The report that `LogExampleGen` wrote beside its examples."""
    with fileio.open(os.path.join(examples_uri, REPORT)) as file:
        return IngestReport.from_dict(json.load(file))


def sampling_steps(examples_uri: str) -> tuple[int, ...]:
    """`STEPS` of the report that `LogExampleGen` wrote."""
    with fileio.open(os.path.join(examples_uri, REPORT)) as file:
        return tuple(json.load(file)[STEPS])
