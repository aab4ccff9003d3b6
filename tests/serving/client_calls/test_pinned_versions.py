"""All parts of a call are answered by one version, whose signature they have."""

import grpc
import pytest

from serving.client import PredictionError


def versions(fake):
    return [request.model_spec.version.value for request in fake.requests]


def test_parts_are_pinned_to_the_version_that_answers_the_first(fake, asker):
    fake.version = 5
    scores = asker.predict({"age": [float(age) for age in range(10)]})
    assert scores.version == 5
    assert versions(fake) == [0, 5, 5]
    assert asker.predict([{"age": 1.0}]).version == 5
    assert versions(fake)[3:] == [0]


@pytest.mark.parametrize("swap_at", [1, 2, 3, 4])
def test_no_call_mixes_two_versions(fake, asker, swap_at):
    """The model is swapped before a request; a pinned version that was unloaded answers NOT_FOUND, as a server does."""
    asker.predict([{"age": 1.0}])
    fake.requests.clear()
    fake.swap_at, fake.unload = swap_at, True
    ages = [float(age) for age in range(14)]
    scores = asker.predict({"age": ages})
    assert scores.version in (1, 2)
    assert scores["score"].tolist() == [age + 100.0 * scores.version for age in ages]
    assert scores.version == (2 if swap_at < 5 else 1)


def test_second_attempt_is_the_last(fake, asker):
    fake.failures = [grpc.StatusCode.NOT_FOUND] * 5
    with pytest.raises(PredictionError, match="NOT_FOUND: not now"):
        asker.predict([{"age": 1.0}])
    assert versions(fake) == [0, 1]


def test_signature_of_a_new_version(fake, asker):
    """The rows are converted again to the inputs of the version that answers."""
    asker.predict([{"age": 1.0}])
    fake.version, fake.extra_input = 2, "visits"
    scores = asker.predict([{"age": 1.0, "visits": 3}])
    assert scores.version == 2
    assert "visits" in fake.requests[-1].inputs
    assert versions(fake) == [0, 2]
    fake.version, fake.extra_input = 3, None
    fake.failures = [grpc.StatusCode.INVALID_ARGUMENT]  # As a server answers that has fewer inputs than were sent.
    assert asker.predict([{"age": 1.0, "visits": 3}], extra="ignore").version == 3
    assert "visits" not in fake.requests[-1].inputs
    with pytest.raises(ValueError, match=r"row 0: a feature should be one of the model's.*'visits'"):
        asker.predict([{"visits": 3}])


def test_version_that_answers_with_another_signature(fake, asker):
    """A server that accepts a request of the former signature does not give scores of rows that were read by it."""
    asker.predict([{"age": 1.0}])
    fake.version, fake.extra_input = 2, "visits"
    with pytest.raises(ValueError, match="feature 'visits' should be an integer"):
        asker.predict([{"age": 1.0}])
    assert asker.predict([{"age": 1.0, "visits": 1}]).version == 2


def test_versions_in_turn_are_asked_for_their_signatures_once(fake, asker):
    """As behind a balancer during a rollout."""
    for version in (1, 2, 1, 2, 1):
        fake.version = version
        assert asker.predict([{"age": 1.0}]).version == version
    assert fake.metadata_calls == 2
