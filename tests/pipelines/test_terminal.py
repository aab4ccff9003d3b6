"""Terminal output: warnings about renamed settings, and the lines of components."""

import re
import warnings

import numpy as np
import pytest
from rich.console import Console

from pipelines.progress import peak_memory
from pipelines.terminal import ComponentProgress, show_renamed_settings
from tfmtl.config import RenamedWarning


def test_renamed_settings_are_shown_once_whatever_the_filters_are(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with show_renamed_settings():
            for message in ("a.yaml:1: old", "a.yaml:2: old", "a.yaml:1: old"):
                warnings.warn(message, RenamedWarning, stacklevel=1)
        warnings.warn("a.yaml:3: old", RenamedWarning, stacklevel=1)
    assert capsys.readouterr().err.splitlines() == ["Warning: a.yaml:1: old", "Warning: a.yaml:2: old"]


def test_other_warnings_are_not_affected():
    with pytest.warns(UserWarning, match="other"), show_renamed_settings():
        warnings.warn("other", UserWarning, stacklevel=1)


def test_component_progress_prints_a_line_with_seconds_and_peak_memory(capsys):
    """The peak is that of the component: memory which an earlier one needed does not count."""
    progress = ComponentProgress(Console(width=60))
    for name, size in (("Transform", 400), ("Trainer", 100)):
        progress(name, "start")
        held = np.ones(size << 20, np.uint8)
        del held
        progress(name, "end")
    assert re.search(r"^  Trainer +\d+\.\d s +\d+\.\d GB$", capsys.readouterr().out, re.MULTILINE)
    assert progress.seconds["Trainer"] >= 0
    assert progress.memory["Transform"] - progress.memory["Trainer"] > 250 << 20


def test_without_proc_the_line_has_no_memory(capsys, monkeypatch, tmp_path):
    for name in ("_STATUS", "_RESET"):
        monkeypatch.setattr(peak_memory, name, tmp_path / "none" / name)
    progress = ComponentProgress(Console(width=60))
    progress("Trainer", "start")
    progress("Trainer", "end")
    assert re.search(r"^  Trainer +\d+\.\d s$", capsys.readouterr().out, re.MULTILINE)
