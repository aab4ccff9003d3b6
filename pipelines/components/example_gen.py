"""ExampleGen of a raw log: reads the rows, validates them by the spec, splits them, and keeps the rejected ones."""

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
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from pipelines.beam_workers import reading_threads
from pipelines.code_hash import code_hash
from pipelines.components.example_gen_driver import LogDriver, read_options
from pipelines.progress.reading import ReadingProgress
from tfmtl import config
from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import SPLITS
from transforms.batches.report import IngestReport
from transforms.ingest import beam_ingest
from transforms.ingest.beam_adopt import AdoptIngested
from transforms.ingest.beam_ingest import IngestPaths
from transforms.ingest.beam_vocabularies import WriteVocabularies
from transforms.ingest.log_spec import log_spec
from transforms.ingest.manifest import MANIFEST, Manifest
from transforms.ingest.sampling import SAMPLE, sampling_step
from transforms.readers.divide_file import choose_range_bytes
from transforms.readers.file_groups import group_small_files
from transforms.readers.file_selection import expand
from transforms.readers.log_format import FOLDER_READERS, INGESTED, LogFormat
from transforms.storage.atomic import UNFINISHED
from transforms.storage.files import size, sizes, write_text

REPORT = "ingest_report.json"
VOCABULARIES = "vocabularies"
COUNTS = "token_counts"
STEPS = "sampling_steps"
"""Key of the report's sampling steps, one per span: the sample for statistics holds one row in `step`."""


class LogExampleGenExecutor(BaseExampleGenExecutor):
    """Writes tf.Examples by split and a sample of them, `vocabularies/`, `ingest_report.json` and `rejects-*.jsonl`.

    Each line of `rejects-*.jsonl` is a rejected row. The component of one span also writes `token_counts/`. Beam's
    workers write examples and rejected rows themselves (`IngestPaths`), so that TFX has none to write.
    """

    def GetInputSourceToExamplePTransform(self) -> Any:
        """Returns the transform that reads the log, which TFX's base class requires."""
        return IngestPaths

    def GenerateExamplesByBeam(self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]) -> dict[str, Any]:
        """Adds the steps that read the log and write all outputs to a Beam pipeline.

        Args:
            pipeline: Beam pipeline to add the steps to.
            exec_properties: Parameters of the component.

        Returns:
            An empty dictionary, as no examples are left for TFX to write.
        """
        options = read_options(exec_properties)
        reader = options["reader"]
        spec = DatasetSpec.from_dict(options["spec"])
        if reader == INGESTED:
            self._adopt(pipeline, self._log(reader, exec_properties), spec)
            return {}
        paths = expand(reader, self._log(reader, exec_properties))
        bytes_of_files = [size(paths[0])] if reader in FOLDER_READERS else sizes(paths)
        groups, total = group_small_files(paths, bytes_of_files), sum(bytes_of_files)
        step = sampling_step(total)
        root = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        log_format = config.build(LogFormat, config.Document(options["format"]))
        progress, range_bytes = ReadingProgress(total), choose_range_bytes(total)
        threads = reading_threads(self._beam_pipeline_args or ())
        ingest = IngestPaths(spec, self._root, log_format, root, step, progress, range_bytes, threads)
        read = pipeline | "Paths" >> beam.Create([(group, i) for i, group in enumerate(groups)]) | ingest
        counts = os.path.join(self._root, COUNTS) if options["is_span"] else None
        _ = read[beam_ingest.COUNTS] | WriteVocabularies(spec, os.path.join(self._root, VOCABULARIES), counts)
        _ = read[beam_ingest.REPORT] | "WriteReport" >> beam.Map(_write_report, os.path.join(self._root, REPORT), step)
        return {}

    def _adopt(self, pipeline: beam.Pipeline, log: str, spec: DatasetSpec) -> None:
        """Links the files that `tfmtl ingest` wrote, without reading their rows."""
        _ = pipeline | AdoptIngested(log, self._root, spec, os.path.join(self._root, VOCABULARIES))
        manifest = Manifest.load(log)
        with fileio.open(os.path.join(self._root, REPORT), "w") as file:
            json.dump({**manifest.report.to_dict(), STEPS: [manifest.notes["sampling_step"]]}, file)

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads the log and writes all outputs to the folder of the examples."""
        self._root = artifact_utils.get_single_uri(output_dict[standard_component_specs.EXAMPLES_KEY])
        super().Do(input_dict, output_dict, exec_properties)
        if fileio.exists(os.path.join(self._root, UNFINISHED)):
            fileio.rmtree(os.path.join(self._root, UNFINISHED))

    @staticmethod
    def _log(reader: str, exec_properties: dict[str, Any]) -> str:
        """Returns the reader's argument: the folder for readers of folders, else the pattern of the files."""
        base: str = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        inputs = example_gen_pb2.Input()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], inputs)
        return base if reader in (*FOLDER_READERS, INGESTED) else os.path.join(base, inputs.splits[0].pattern)


class LogExampleGen(FileBasedExampleGen):
    """Component that converts a raw log to tf.Examples, with the readers of `transforms.readers.registry`.

    Args:
        input_base: Folder of the log.
        pattern: Glob pattern of the files to read; one with placeholders (`transforms.readers.spans`) selects the files
            of one span.
        log_format: Format of the files.
        spec: Features, tasks and split of the log.
        span: Span to read; None for the most recent one that exists when the component runs.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(LogExampleGenExecutor)
    DRIVER_CLASS = LogDriver

    def __init__(
        self, input_base: str, pattern: str, log_format: LogFormat, spec: DatasetSpec, span: int | None = None
    ):
        # The manifest of an ingested log lists the other files.
        pattern = MANIFEST if log_format.reader == INGESTED else pattern
        options = {
            "spec": log_spec(spec, pruned=span is None).to_dict(),  # A span keeps the counts of all tokens.
            "reader": log_format.reader,
            "format": config.to_plain(log_format),
            "is_span": span is not None,
            "code": code_hash("pipelines.components.example_gen"),
        }
        packed = any_pb2.Any()
        packed.Pack(struct_pb2.Value(string_value=json.dumps(options, sort_keys=True)))
        splits = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=1) for name in (*SPLITS, SAMPLE)]
        super().__init__(
            input_base=input_base,
            input_config=example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="log", pattern=pattern)]),
            range_config=None if span is None else _range_config(span),
            output_config=example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits)),
            custom_config=example_gen_pb2.CustomConfig(custom_config=packed),
        )


def _write_report(report: IngestReport, path: str, step: int) -> None:
    write_text(path, json.dumps({**report.to_dict(), STEPS: [step]}) + "\n")


def _range_config(span: int) -> range_config_pb2.RangeConfig:
    spans = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    return range_config_pb2.RangeConfig(static_range=spans)


def ingest_report(examples_uri: str) -> IngestReport:
    """Reads the report of the rows that `LogExampleGen` read.

    Args:
        examples_uri: Folder of its examples.
    """
    with fileio.open(os.path.join(examples_uri, REPORT)) as file:
        return IngestReport.from_dict(json.load(file))


def sampling_steps(examples_uri: str) -> tuple[int, ...]:
    """Reads the sampling step of each span that `LogExampleGen` read; see `STEPS`.

    Args:
        examples_uri: Folder of its examples.
    """
    with fileio.open(os.path.join(examples_uri, REPORT)) as file:
        return tuple(json.load(file)[STEPS])
