"""Records of pushed models: what is found by a later run, also after a rollback and an interrupted push."""

import pytest

from pipelines.pushing.destination import newest_version, versions
from pipelines.pushing.model_record import (
    RECORD,
    ModelRecord,
    earlier_record,
    read_record,
    record_folder,
    remove_unneeded_records,
    served_model,
    write_record,
)
from pipelines.pushing.push import push
from pipelines.pushing.rollback import roll_back
from tests.pipelines.pushing.test_push import write_model
from tests.s3_server import BUCKET
from transforms.storage import files


def make_record(name, span=0, log=""):
    return ModelRecord(
        name, "spec", span, log, "2026-11-29", {"ctr": {"auc": 0.7}}, [{"name": "auc", "status": "passed"}]
    )


@pytest.fixture(params=["local", "minio"])
def base(request, tmp_path):
    if request.param == "local":
        return str(tmp_path / "serving")
    request.getfixturevalue("s3")
    return f"minio://{BUCKET}/{tmp_path.name}/serving"


def push_recorded(tmp_path, base, name, **record):
    model = write_model(tmp_path / f"model_{name}", name)
    write_record(base, make_record(name, **record), {"model_run/tokens": f"{model}/assets/tokens"})
    return push(model, base)


def test_a_record_is_read_as_it_was_written_and_is_no_version(tmp_path, base):
    version = push_recorded(tmp_path, base, "a", span=3, log="x")
    assert read_record(base, "a") == make_record("a", 3, "x")
    assert files.read_text(f"{record_folder(base, 'a')}/model_run/tokens") == "x\ny\n"
    assert list(versions(base)) == [version]
    assert read_record(base, "b") is None
    assert read_record(base, None) is None


def test_files_of_an_interrupted_push_do_not_remain(tmp_path, base):
    files.write_text(f"{record_folder(base, 'a')}/model_run/left", "over")
    push_recorded(tmp_path, base, "a")
    assert files.files_below(record_folder(base, "a")) == ["model_run/tokens", RECORD]


def test_the_earlier_model_of_a_span_is_the_newest_one_before_it(tmp_path, base):
    assert earlier_record(base, 9, "") is None
    for name, span in (("a", 1), ("b", 2), ("c", 3)):
        push_recorded(tmp_path, base, name, span=span)
    found = {span: earlier_record(base, span, "") for span in (1, 2, 3, 9)}
    assert {span: one and one.fingerprint for span, one in found.items()} == {1: None, 2: "a", 3: "b", 9: "c"}
    roll_back(base)
    assert earlier_record(base, 9, "").fingerprint == "b", "c was rolled back"


def test_without_spans_the_earlier_model_is_one_of_another_log(tmp_path, base):
    push_recorded(tmp_path, base, "a", log="x")
    push_recorded(tmp_path, base, "b", log="y")
    assert earlier_record(base, None, "y").fingerprint == "a"
    assert earlier_record(base, None, "z").fingerprint == "b"


def test_the_served_model_is_the_newest_complete_version(tmp_path, base):
    assert served_model(base) is None
    push_recorded(tmp_path, base, "a")
    first = newest_version(base)
    push_recorded(tmp_path, base, "b")
    files.remove(f"{newest_version(base)}/saved_model.pb")
    assert served_model(base) == first
    assert earlier_record(base, 1, "").fingerprint == "a"


def test_records_without_a_version_are_removed(tmp_path, base):
    push_recorded(tmp_path, base, "a")
    write_record(base, make_record("gone"), {})
    remove_unneeded_records(base)
    assert read_record(base, "gone") is None
    assert read_record(base, "a") is not None
