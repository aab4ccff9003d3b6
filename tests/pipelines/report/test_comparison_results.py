"""results.json read back, and its HTML."""

import doctest
import json
from pathlib import Path

import pytest

from pipelines.report import comparison_results
from pipelines.report.comparison_results import read_comparison
from tests.html_check import texts_of
from tfmtl.config import ConfigError

FOLDER = Path(__file__).parents[3] / "docs" / "results" / "kuairand"


def test_result_is_read_from_a_folder_or_file():
    result = read_comparison(FOLDER)
    assert result == read_comparison(FOLDER / "results.json")
    assert result.outputs == ("is_click", "long_view_given_is_click", "long_view")
    assert result.rows == {"train": 17038, "eval": 2132, "test": 2128}
    selected = result.select("auc", "long_view")
    assert [one["model"] for one in selected] == list(result.settings["models"])
    assert all(one["runs"] == len(one["values"]) for one in selected)


def test_html_has_every_model_and_says_what_is_level():
    result = read_comparison(FOLDER)
    texts = texts_of(result._repr_html_())
    assert set(result.settings["models"]) <= set(texts)
    assert "0.7571 ± 0.0019" in texts
    assert "0.0139 worse" in texts
    assert "1.0000 level" in texts
    assert "long_view on the entire space" in texts
    assert any("gain over logistic_regression" in text for text in texts)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"settings": {}}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ConfigError, match=r"should be the results\.json that `tfmtl compare` wrote\. Received: "):
        read_comparison(tmp_path)


def test_names_are_escaped(tmp_path):
    plain = json.loads((FOLDER / "results.json").read_text())
    for record in plain["records"]:
        record["model"] = "<b>"
    (tmp_path / "results.json").write_text(json.dumps(plain))
    assert "<b>" in texts_of(read_comparison(tmp_path)._repr_html_())


def test_example_runs():
    found = doctest.testmod(comparison_results)
    assert (found.failed, found.attempted > 0) == (0, True)
