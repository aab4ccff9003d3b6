"""Beam transform that uses an ingested log as the output of ExampleGen, without reading its rows."""

import os

import apache_beam as beam

from tfmtl.model_inputs import vocabularies
from tfmtl.spec import DatasetSpec
from transforms.ingest.beam_vocabularies import WriteVocabularies, pack
from transforms.ingest.manifest import Manifest
from transforms.ingest.token_counts import counted_features, merge
from transforms.storage.files import link_or_copy


class AdoptIngested(beam.PTransform):
    """Links the files of an ingested log into another folder, and writes the vocabularies of a spec from its counts.

    Files are linked within one disk, and copied otherwise.

    Args:
        source: Folder of the ingested log.
        folder: Folder in which `Split-*` and the files of rejected rows are created.
        spec: Spec by which the log will be read.
        vocabularies: Folder in which the vocabularies are written.
    """

    def __init__(self, source: str, folder: str, spec: DatasetSpec, vocabularies: str):
        super().__init__()
        self._source = source
        self._folder = folder
        self._spec = spec
        self._vocabularies = vocabularies

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        """Applies the transform.

        Args:
            begin: Beginning of a pipeline.

        Returns:
            The output of `WriteVocabularies`.

        Raises:
            FileNotFoundError: If `source` is not the folder of an ingested log.
            FieldError: If the spec does not match the columns of the log.
        """
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
    """Links or copies a file from one folder to another.

    Args:
        name: Path of the file within both folders.
        source: Folder that holds the file.
        folder: Folder in which it is created.
    """
    link_or_copy(os.path.join(source, name), os.path.join(folder, name))


def _counts(name: str, source: str, spec: DatasetSpec) -> tuple[str, bytes]:
    manifest = Manifest.load(source)
    counted = [feature for feature, owner in counted_features(spec) if owner == name]
    return name, pack(merge([manifest.token_counts(source, feature) for feature in counted]))
