"""One comparison in a folder at a time: from its log to its report; and each run on the data of its key."""

import json

import pytest

from pipelines.commands import compare as command
from pipelines.compare.data.prepared import PREPARED, Prepared
from pipelines.compare.runs.store import RunStore
from pipelines.compare.runs.subprocesses import RunFailedError, run_in_subprocess
from tests.pipelines.compare.cases import SPEC, job
from tests.pipelines.compare.test_end_to_end import write
from tfmtl.config import ConfigError


def test_another_comparison_changes_no_data_of_the_one_that_runs(tmp_path, monkeypatch):
    prepared = []
    monkeypatch.setattr(command, "_data", lambda *given: prepared.append(given))
    out = tmp_path / "out"
    with exclusive_lock(out / command.RUNS), pytest.raises(ConfigError, match="should be of one comparison at a time"):
        command.compare(str(write(tmp_path)), command.CompareArguments(out=str(out)))
    assert prepared == []


@pytest.mark.parametrize("step", ["_data", "_show"])
def test_the_folder_is_its_own_from_first_to_last(tmp_path, monkeypatch, step):
    out = tmp_path / "out"

    def another(*_):
        with exclusive_lock(out / command.RUNS):
            pytest.fail("another comparison ran")

    data = Prepared(tmp_path, SPEC, "f00d", {})
    monkeypatch.setattr(command, "_data", lambda comparison, root: (comparison, data))
    monkeypatch.setattr(command, "_table", lambda *_: None)
    monkeypatch.setattr(command, step, another)
    with pytest.raises(ConfigError, match="should be of one comparison at a time"):
        command.compare(str(write(tmp_path)), command.CompareArguments(out=str(out), kept_only=True))


def test_a_run_on_other_data_than_its_key_says_fails(tmp_path):
    (tmp_path / PREPARED).write_text(json.dumps({"spec": SPEC.to_dict(), "fingerprint": "other", "rows": {}}))
    store = RunStore(tmp_path / "runs", "f00d")
    with pytest.raises(RunFailedError, match=r"should hold the data f00d\. Received: other"):
        run_in_subprocess(job("base", 1), Prepared(tmp_path, SPEC, "f00d", {}), store, lambda line: None)
    assert store.get(job("base", 1)) is None
