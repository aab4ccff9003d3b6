"""Driver of ExampleGen: resolves the span to read and the fingerprint of its files."""

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf import struct_pb2
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.input_processor import FileBasedInputProcessor
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from transforms.readers.file_selection import expand
from transforms.readers.log_format import FOLDER_READERS, NAMES
from transforms.readers.spans import SpanPattern, has_spans
from transforms.storage.files import find_files, fingerprint


def read_options(exec_properties: dict[str, Any]) -> dict[str, Any]:
    """Returns the options that `LogExampleGen` packed into its parameters.

    Args:
        exec_properties: Parameters of the component.
    """
    custom = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], custom)
    value = struct_pb2.Value()
    custom.custom_config.Unpack(value)
    return dict(json.loads(value.string_value))


class LogDriver(FileBasedDriver):
    """Driver that finds files as the readers do (`transforms.storage.files.find_files`), which supports `**`."""

    def resolve_exec_properties(
        self, exec_properties: dict[str, Any], pipeline_info: Any, component_info: Any
    ) -> dict[str, Any]:
        """Adds the span, version and fingerprint of the input files to the parameters, as TFX's driver does.

        Args:
            exec_properties: Parameters of the component.
            pipeline_info: Pipeline of the component.
            component_info: Component in the pipeline.

        Returns:
            The parameters with the input's span, version and fingerprint.
        """
        self._reader = read_options(exec_properties)["reader"]
        return dict(super().resolve_exec_properties(exec_properties, pipeline_info, component_info))

    def get_input_processor(
        self, splits: Iterable[Any], range_config: Any = None, input_base_uri: str = ""
    ) -> FileBasedInputProcessor:
        """Creates the processor that resolves the span to read.

        Args:
            splits: The one input split, with the pattern of the log's files.
            range_config: Range of spans to read; None for the most recent one.
            input_base_uri: Folder of the log.
        """
        return _LogInputProcessor(self._reader, input_base_uri, splits, range_config)


class _LogInputProcessor(FileBasedInputProcessor):
    def __init__(self, reader: str, base: str, splits: Iterable[Any], range_config: Any):
        super().__init__(base, splits, range_config)
        self._reader = reader
        self._base = base
        (self._split,) = splits

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        """Returns the requested span, or the most recent one, and its highest version."""
        if not has_spans(self._split.pattern):
            return 0, None
        pattern, requested = SpanPattern(self._split.pattern), None
        if self._range_config is not None and self._range_config.HasField("static_range"):
            requested = self._range_config.static_range.start_span_number
        found = pattern.find(self._base, requested)
        span = max(found, default=0) if requested is None else requested
        if span not in found:
            raise FileNotFoundError(f"{self._split.pattern} should match files of span {span} in {self._base}")
        return span, found[span]

    def get_pattern_for_span_version(self, pattern: str, span: int, version: int | None) -> str:
        return SpanPattern(pattern).span_files(span, version) if has_spans(pattern) else pattern

    def get_input_fingerprint(self, span: int, version: int | None) -> str:
        path = f"{self._base}/{self.get_pattern_for_span_version(self._split.pattern, span, version)}"
        reads_single_files = self._reader in NAMES and self._reader not in FOLDER_READERS
        return fingerprint(expand(self._reader, path) if reads_single_files else find_files(path))
