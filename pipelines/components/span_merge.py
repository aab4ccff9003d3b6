"""Merge of the spans of a log, which were read separately, to the examples of one log."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import Artifact, BaseChannel, Channel, artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from pipelines.code_hash import code_hash
from pipelines.components.example_gen import REPORT, STEPS, VOCABULARIES, ingest_report, sampling_steps
from pipelines.components.kept_counts import keep_counts
from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import SPLITS
from transforms.batches.report import IngestReport
from transforms.examples.shards import ShardWriter
from transforms.ingest.beam_vocabularies import KeptCounts, WriteVocabularies
from transforms.ingest.manifest import REJECTS
from transforms.ingest.sampling import SAMPLE, thin
from transforms.storage.atomic import UNFINISHED
from transforms.storage.files import link_or_copy

SPANS, EARLIER, EXAMPLES, KEEP_DAYS = "spans", "earlier", "examples", "keep_days"


class SpanMergeExecutor(base_beam_executor.BaseBeamExecutor):
    """Links the files of all spans, and writes their joint vocabularies, sample and report; it reads no other rows.

    The folder `token_counts/` receives the counts of each span, and those of earlier days that the vocabularies keep.
    """

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Merges the examples of the spans."""
        merged = artifact_utils.get_single_instance(output_dict[EXAMPLES])
        parts = sorted(input_dict[SPANS], key=_span)
        merged.split_names = artifact_utils.encode_split_names([*SPLITS, SAMPLE])
        merged.set_int_custom_property("span", _span(parts[-1]))
        examples_utils.set_payload_format(merged, examples_utils.get_payload_format(parts[0]))
        for part in parts:
            _link_span(part.uri, merged.uri, f"{_span(part):06d}")
        _write_sample([part.uri for part in parts], merged.uri)
        _write_report([part.uri for part in parts], merged.uri)
        spec = DatasetSpec.from_yaml(exec_properties["spec"])
        earlier = next((one.uri for one in input_dict.get(EARLIER, [])), None)
        spans = {_span(part): part.uri for part in parts}
        counts = keep_counts(spans, earlier, merged.uri, exec_properties.get(KEEP_DAYS))
        with self._make_beam_pipeline() as pipeline:
            _ = pipeline | KeptCounts(counts) | WriteVocabularies(spec, os.path.join(merged.uri, VOCABULARIES))


class SpanMergeSpec(ComponentSpec):
    """Inputs, outputs and parameters of `SpanMerge`."""

    PARAMETERS = {  # noqa: RUF012
        "spec": ExecutionParameter(type=str),
        KEEP_DAYS: ExecutionParameter(type=int, optional=True),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        SPANS: ChannelParameter(type=standard_artifacts.Examples),
        EARLIER: ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }
    OUTPUTS = {EXAMPLES: ChannelParameter(type=standard_artifacts.Examples)}  # noqa: RUF012


class SpanMerge(base_beam_component.BaseBeamComponent):
    """Component that merges the examples of spans, with the same result as reading all their files at once.

    With `keep_days`, the vocabularies are those of the last days: the tokens of days before the spans count as well.

    Args:
        spans: Examples of `LogExampleGen`, one artifact per span.
        spec: Spec of the dataset.
        earlier: Merged examples of an earlier run, or none, whose token counts are continued; None for no look-up.
        keep_days: Number of days, or spans, whose tokens the vocabularies keep, those of `spans` included; None for
            `spans` alone.
    """

    SPEC_CLASS = SpanMergeSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(SpanMergeExecutor)

    def __init__(
        self, spans: BaseChannel, spec: DatasetSpec, earlier: BaseChannel | None = None, keep_days: int | None = None
    ):
        examples = Channel(type=standard_artifacts.Examples)
        code = code_hash("pipelines.components.span_merge")
        arguments = {"spec": spec.to_json(), KEEP_DAYS: keep_days, "code": code}
        super().__init__(SpanMergeSpec(spans=spans, earlier=earlier, examples=examples, **arguments))


def _span(examples: Artifact) -> int:
    return int(examples.get_int_custom_property("span"))


def _link_span(source: str, folder: str, name: str) -> None:
    for split in SPLITS:
        for path in _files(source, f"Split-{split}", "data_tfrecord-"):
            link_or_copy(path, _renamed(path, f"{folder}/Split-{split}", "data_tfrecord-", name))
    for path in _files(source, "", REJECTS):
        link_or_copy(path, _renamed(path, folder, REJECTS, f"-{name}"))


def _files(source: str, folder: str, prefix: str) -> list[str]:
    return sorted(fileio.glob(os.path.join(source, folder, f"{prefix}*")))


def _renamed(path: str, folder: str, prefix: str, name: str) -> str:
    """Returns the file's path in another folder, with the span's name inserted after the prefix of the file name."""
    return os.path.join(folder, f"{prefix}{name}-{os.path.basename(path).removeprefix(prefix).removeprefix('-')}")


def _write_sample(sources: Sequence[str], folder: str) -> None:
    """Writes a sample of all spans, of about as many rows as the sample of one span."""
    writer = ShardWriter(folder, "merged")
    writer.write({SAMPLE: thin(_read_samples(sources), len(sources))})
    writer.finish()
    if fileio.exists(os.path.join(folder, UNFINISHED)):
        fileio.rmtree(os.path.join(folder, UNFINISHED))


def _read_samples(sources: Iterable[str]) -> Iterator[bytes]:
    for source in sources:
        files = _files(source, f"Split-{SAMPLE}", "data_tfrecord-")
        if files:
            yield from tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()


def _write_report(sources: Sequence[str], folder: str) -> None:
    report = IngestReport()
    steps: list[int] = []
    for source in sources:
        report = report.merge(ingest_report(source))
        steps += [step * len(sources) for step in sampling_steps(source)]
    with fileio.open(os.path.join(folder, REPORT), "w") as file:
        json.dump({**report.to_dict(), STEPS: steps}, file)
