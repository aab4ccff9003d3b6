"""Profiles of the mechanisms of every model against the values that the model records."""

import numpy as np
import pytest

from tests.tfmtl.health.test_model_health import MEASURED
from tests.tfmtl.tiny_models import rows_of, tiny, tiny_randomized
from tfmtl.health import MECHANISMS, Profile, model_profile

ROWS = 150
CONSTANT = ("self_attention", "connection", "cross_stitch")


def expected(model, features):
    """Returns the mean and the standard deviation over the rows of each mechanism's values by its name."""
    found = {}
    for path, value in model.inspect(features).items():
        kind, *parts = path.split("/")
        values = np.asarray(value, np.float32)
        if kind == "temperature":
            found[f"temperature of {' and '.join(parts)}"] = (values.mean(), values.std())
        elif kind in MECHANISMS and kind != "shared_representation":
            is_constant = (kind == "self_attention" and parts == ["tasks"]) or kind in ("connection", "cross_stitch")
            mean, std = (values, 0 * values) if is_constant else (values.mean(0), values.std(0))
            while mean.ndim > 2:  # Heads and others before queries and keys.
                mean, std = mean.mean(0), std.mean(0)
            found[MECHANISMS[kind].name(*parts)] = (mean, std)
    return found


@pytest.mark.parametrize("name", sorted(MEASURED))
def test_profile_is_the_mean_of_what_the_model_records(name):
    model = tiny_randomized(name)
    features, labels = rows_of(name, ROWS)
    profiles = {one.mechanism: one for one in model_profile(model, [(features, labels)])}
    values = expected(model, features)
    assert set(profiles) == set(values)
    assert profiles
    for mechanism, (mean, std) in values.items():
        one = profiles[mechanism]
        assert one.mean.shape == one.std.shape == (one.mean.shape[0], len(one.keys))
        np.testing.assert_allclose(one.mean.ravel(), np.ravel(mean), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(one.std.ravel(), np.ravel(std), rtol=1e-3, atol=1e-5)
        if one.kind in ("gate", "attention", "task_attention", "meta_attention"):
            np.testing.assert_allclose(one.mean.sum(axis=1), 1, rtol=1e-4)


def test_a_model_without_a_mechanism_has_no_profile():
    assert model_profile(tiny("shared_bottom"), [rows_of("shared_bottom", ROWS)]) == ()
    assert model_profile(tiny("mmoe"), []) == ()


def test_attention_to_the_fields_names_them():
    model = tiny_randomized("apem")
    profiles = model_profile(model, [rows_of("apem", ROWS)])
    first = next(one for one in profiles if one.kind == "attention")
    assert first.keys == tuple(model.embedding.vocab_sizes)


def test_plain_data_give_the_profile_back():
    profile = Profile("gate", "gate of click", ("expert 1", "expert 2"), np.array([[0.7, 0.3]]), np.array([[0.1, 0.1]]))
    same = Profile.from_plain(profile.to_plain())
    assert (same.kind, same.mechanism, same.keys) == (profile.kind, profile.mechanism, profile.keys)
    np.testing.assert_array_equal(same.mean, profile.mean)
