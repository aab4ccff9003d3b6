"""ExampleGen's driver: which span of the log is read, and whether its files are those that were read before."""

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf import struct_pb2
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.input_processor import FileBasedInputProcessor
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from transforms.storage.files import find_files, fingerprint
from transforms.readers.registry import NAMES, OF_FOLDERS, expand
from transforms.readers.spans import SpanPattern, has_spans


def options_of(exec_properties: dict[str, Any]) -> dict[str, Any]:
    """What `LogExampleGen` packed into its parameters."""
    custom = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], custom)
    value = struct_pb2.Value()
    custom.custom_config.Unpack(value)
    return json.loads(value.string_value)


class LogDriver(FileBasedDriver):
    """Finds files as the readers do (`transforms.storage.files.find_files`), where TFX's driver knows no `**`."""

    def resolve_exec_properties(self, exec_properties, pipeline_info, component_info):
        self._reader = options_of(exec_properties)["reader"]
        return super().resolve_exec_properties(exec_properties, pipeline_info, component_info)

    def get_input_processor(self, splits, range_config=None, input_base_uri=None):
        return _LogInputProcessor(self._reader, input_base_uri, splits, range_config)


class _LogInputProcessor(FileBasedInputProcessor):
    def __init__(self, reader: str, base: str, splits: Iterable[Any], range_config: Any):
        super().__init__(base, splits, range_config)
        self._reader = reader
        self._base = base
        (self._split,) = splits

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        """The span that is asked for, or the newest one; and the newest version of it."""
        if not has_spans(self._split.pattern):
            return 0, None
        pattern, given = SpanPattern(self._split.pattern), None
        if self._range_config is not None and self._range_config.HasField("static_range"):
            given = self._range_config.static_range.start_span_number
        found = pattern.find(self._base, given)
        span = max(found, default=0) if given is None else given
        if span not in found:
            raise FileNotFoundError(f"{self._split.pattern} should match files of span {span} in {self._base}")
        return span, found[span]

    def get_pattern_for_span_version(self, pattern, span, version):
        return SpanPattern(pattern).at(span, version) if has_spans(pattern) else pattern

    def get_input_fingerprint(self, span, version):
        path = f"{self._base}/{self.get_pattern_for_span_version(self._split.pattern, span, version)}"
        alike = self._reader in NAMES and self._reader not in OF_FOLDERS
        return fingerprint(expand(self._reader, path) if alike else find_files(path))
