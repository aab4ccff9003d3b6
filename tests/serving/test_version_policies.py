"""Versions that a policy chooses, and what happens beside broken or missing ones."""

import logging
import shutil

import pytest
import tensorflow as tf

from serving.errors import StatusError
from serving.versions import ModelVersions, VersionPolicy
from tfmtl.config import FieldError

START, AVAILABLE, UNLOADING, END = 10, 30, 40, 50
X = tf.make_tensor_proto([10.0], tf.float32)


def poll(model):
    """Polls three times: for the newest version, for those behind it, and until their files rest."""
    for _ in range(3):
        model.poll()


def states(model):
    return {status.version: status.state for status in model.statuses()}


def available(model):
    return sorted(version for version, state in states(model).items() if state == AVAILABLE)


def answer(model, version=None):
    with model.lease(version) as (number, servable):
        return number, float(servable.predict("serving_default", {"x": X})["y"][0])


@pytest.fixture
def versions(tmp_path, line_exports, publish):
    """Folder with the versions 1 to 4, whose slopes are 3, 2, 3 and 2."""
    for version in range(1, 5):
        publish(line_exports[2 + version % 2], tmp_path / str(version))
    return tmp_path


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        (VersionPolicy.latest(), [4]),
        (VersionPolicy.latest(2), [3, 4]),
        (VersionPolicy.latest(9), [1, 2, 3, 4]),
        (VersionPolicy.all(), [1, 2, 3, 4]),
        (VersionPolicy.specific([1, 3]), [1, 3]),
        (VersionPolicy.specific([2, 7]), [2]),
        (VersionPolicy.specific([7]), []),
    ],
)
def test_policies(versions, policy, served):
    model = ModelVersions("m", versions, policy)
    model.poll()
    model.poll()
    assert available(model) == served == sorted(states(model))
    for version in served:
        assert answer(model, version) == (version, 31.0 if version % 2 else 21.0)
    if served:
        assert answer(model)[0] == max(served)
    for version in {1, 2, 3, 4} - set(served):
        with pytest.raises(StatusError, match=rf"NOT_FOUND: Servable not found for request: Specific\(m, {version}\)"):
            answer(model, version)


def test_count_of_a_policy():
    with pytest.raises(FieldError, match="count: should be at least 1"):
        VersionPolicy.latest(0)


def test_latest_two_follow_new_versions_one_at_a_time(versions, line_exports, publish):
    model = ModelVersions("m", versions, VersionPolicy.latest(2))
    poll(model)
    publish(line_exports[3], versions / "5")
    model.poll()
    assert available(model) == [3, 4]
    model.poll()
    assert states(model) == {3: END, 4: AVAILABLE, 5: AVAILABLE}
    shutil.rmtree(versions / "5")
    poll(model)
    assert available(model) == [3, 4]


def test_policy_changes_while_versions_are_served(versions):
    model = ModelVersions("m", versions)
    poll(model)
    model.configure(versions, VersionPolicy.specific([1]), {})
    model.poll()
    assert available(model) == [4], "the old version stays until a wanted one is loaded"
    model.poll()
    assert states(model) == {1: AVAILABLE, 4: END}
    model.configure(versions, VersionPolicy.all(), {})
    poll(model)
    assert available(model) == [1, 2, 3, 4]
    model.configure(versions, VersionPolicy.specific([9]), {})
    model.poll()
    assert available(model) == []


@pytest.mark.parametrize("policy", [VersionPolicy.latest(), VersionPolicy.latest(2), VersionPolicy.all()])
def test_broken_newest_version_is_passed_over_at_the_start(versions, policy, caplog):
    (versions / "4" / "saved_model.pb").write_bytes(b"\x0a\xff\xff")
    shutil.rmtree(versions / "3" / "variables")
    model = ModelVersions("m", versions, policy)
    with caplog.at_level(logging.ERROR):
        for _ in range(6):
            model.poll()
    assert available(model) == ([2] if policy.count == 1 else [1, 2])
    assert answer(model)[0] == 2
    assert (states(model)[4], states(model)[3]) == (END, END)
    assert [message.split(" cannot be loaded")[0] for message in caplog.messages] == [
        "model m: version 4",
        "model m: version 3",
    ]


def test_broken_version_is_served_once_it_is_repaired(versions):
    graph = (versions / "4" / "saved_model.pb").read_bytes()
    (versions / "4" / "saved_model.pb").write_bytes(b"\x0a\xff\xff")
    model = ModelVersions("m", versions)
    for _ in range(6):
        model.poll()
    assert available(model) == [3]
    (versions / "4" / "saved_model.pb").write_bytes(graph)
    poll(model)
    assert states(model) == {3: END, 4: AVAILABLE}


def test_nothing_is_served_where_nothing_can_be_loaded(tmp_path):
    (tmp_path / "m" / "1").mkdir(parents=True)
    model = ModelVersions("m", tmp_path / "m")
    model.poll()
    assert not model.settled
    model.poll()
    assert (model.settled, model.available) == (True, False)
    assert model.problem.startswith("version 1: Could not find SavedModel .pb or .pbtxt at supplied export directory")
    for base, problem in (("m/1", "no version folder in "), ("gone", "cannot read ")):
        other = ModelVersions("m", tmp_path / base)
        other.poll()
        assert other.settled
        assert other.problem.startswith(f"{problem}{tmp_path / base}")


def test_folder_of_an_unfinished_copy_that_vanishes_is_forgotten(tmp_path):
    (tmp_path / "1").mkdir()
    model = ModelVersions("m", tmp_path)
    model.poll()
    assert states(model) == {1: START}
    (tmp_path / "1").rmdir()
    model.poll()
    assert states(model) == {}


def test_labels(versions):
    model = ModelVersions("m", versions, VersionPolicy.specific([1, 4]), {"stable": 1, "next": 4, "gone": 3})
    poll(model)
    assert [answer(model, model.version_of(label))[0] for label in ("stable", "next")] == [1, 4]
    with pytest.raises(StatusError, match=r"Servable not found for request: Specific\(m, 3\)"):
        answer(model, model.version_of("gone"))
    with pytest.raises(StatusError, match="INVALID_ARGUMENT: Unrecognized servable version label: zz"):
        model.version_of("zz")
