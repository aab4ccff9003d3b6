"""Assertion about a settings file with one mistake, which tests of settings share."""

import pytest

from pipelines.settings_file import load_settings
from tfmtl.config import ConfigError


def assert_names_line_and_field(example, folder, right, wrong, field, message):
    """Asserts that `example` with `wrong` in place of `right` raises an error that gives the line and the field."""
    text = example.read_text()
    assert right in text
    path = folder / "settings.yaml"
    path.write_text(text.replace(right, wrong, 1))
    line = next(i for i, line in enumerate(path.read_text().splitlines(), 1) if wrong.strip() in line)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}:{line}: {field}: ")
    assert message in str(caught.value)
