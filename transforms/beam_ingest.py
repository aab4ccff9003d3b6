"""The same ingestion as a Beam transform: one path is one unit of parallel work."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from tfmtl.spec import DatasetSpec
from transforms.batch import SPLITS, IngestReport
from transforms.ingest import ingest

REJECTS, REPORT = "rejects", "report"


class IngestPaths(beam.PTransform):
    """Turns a PCollection of `(reader, path)` into a dict of PCollections.

    The keys are those of `SPLITS`, with serialized tf.Examples; `rejects`, with a `Reject` for each row that is in
    none; and `report`, with one `IngestReport` of all paths together.

    Args:
        spec: of the data set.
    """

    def __init__(self, spec: DatasetSpec):
        super().__init__()
        self._spec = spec.to_json()

    def expand(self, paths: beam.PCollection) -> Any:
        """Called by Beam."""
        outputs = (
            paths
            | "Spread" >> beam.Reshuffle()
            | "Ingest" >> beam.ParDo(_Ingest(self._spec)).with_outputs(*SPLITS, REJECTS, REPORT)
        )
        reports = outputs[REPORT] | "MergeReports" >> beam.CombineGlobally(_MergeReports())
        return {**{name: outputs[name] for name in (*SPLITS, REJECTS)}, REPORT: reports}


class _Ingest(beam.DoFn):
    def __init__(self, spec: str):
        self._spec_text = spec

    def setup(self) -> None:
        self._spec = DatasetSpec.from_yaml(self._spec_text)

    def process(self, element: tuple[str, str]) -> Iterator[Any]:
        reader, path = element
        for batch in ingest([path], self._spec, reader):
            for split, examples in batch.examples.items():
                for example in examples:
                    yield beam.pvalue.TaggedOutput(split, example)
            for reject in batch.rejects:
                yield beam.pvalue.TaggedOutput(REJECTS, reject)
            yield beam.pvalue.TaggedOutput(REPORT, batch.report)


class _MergeReports(beam.CombineFn):
    def create_accumulator(self) -> IngestReport:
        return IngestReport()

    def add_input(self, mutable_accumulator: IngestReport, element: IngestReport) -> IngestReport:
        return mutable_accumulator.merge(element)

    def merge_accumulators(self, accumulators: Iterable[IngestReport]) -> IngestReport:
        merged = IngestReport()
        for report in accumulators:
            merged = merged.merge(report)
        return merged

    def extract_output(self, accumulator: IngestReport) -> IngestReport:
        return accumulator
