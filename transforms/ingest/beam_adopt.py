"""An ingested log as ExampleGen's output: its files as they are, and the vocabularies of a spec from its counts."""

import os

import apache_beam as beam

from tfmtl.model_inputs import vocabularies
from tfmtl.spec import DatasetSpec
from transforms.ingest.beam_vocabularies import WriteVocabularies, pack
from transforms.ingest.manifest import Manifest
from transforms.storage.files import link_or_copy


class AdoptIngested(beam.PTransform):
    """Puts the files of an ingested log into another folder, and writes the vocabularies of a spec; reads no row.

    Files on one disk are linked, others are copied.

    Args:
        source: the folder of the ingested log.
        folder: gets `Split-*` and the rejected rows.
        spec: by which the log will be read.
        vocabularies: the folder for these.
    """

    def __init__(self, source: str, folder: str, spec: DatasetSpec, vocabularies: str):
        super().__init__()
        self._source = source
        self._folder = folder
        self._spec = spec
        self._vocabularies = vocabularies

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        """Called by Beam."""
        manifest = Manifest.load(self._source)
        manifest.check_spec(self._spec)
        files = [*(name for names in manifest.shards.values() for name in names), *manifest.rejects]
        _ = (
            begin
            | "Files" >> beam.Create(files)
            | "Spread" >> beam.Reshuffle()
            | "Link" >> beam.Map(link_file, self._source, self._folder)
        )
        return (
            begin
            | "Features" >> beam.Create(vocabularies(self._spec))
            | "Counts" >> beam.Map(_counts, self._source, self._spec)
            | WriteVocabularies(self._spec, self._vocabularies)
        )


def link_file(name: str, source: str, folder: str) -> None:
    """Makes `folder/name` the file `source/name`."""
    link_or_copy(os.path.join(source, name), os.path.join(folder, name))


def _counts(name: str, source: str, spec: DatasetSpec) -> tuple[str, bytes]:
    return name, pack(Manifest.load(source).token_counts(source, spec.feature(name)))
