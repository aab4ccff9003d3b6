"""Warm start: embedding rows matched by token, other weights copied, equal scores, and models that do not fit."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.tfmtl import cases
from tests.tfmtl.tiny_models import data_of, rows_of, tiny
from tfmtl.models import MODELS
from tfmtl.spec import DatasetSpec
from tfmtl.training.vocabularies import read_vocabularies, write_vocabularies
from tfmtl.training.warm_start import FieldRows, warm_start

SPEC = cases.pair()


def tokens(sizes):
    """Returns the tokens `<feature>0`, `<feature>1` ... of each feature."""
    return {name: [f"{name}{i}".encode() for i in range(size)] for name, size in sizes.items()}


def grown(vocabularies, seed=0):
    """Returns vocabularies in another order, without token 2, with three new tokens."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, old in vocabularies.items():
        kept = [token for i, token in enumerate(old) if i != 2] + [f"{name} new {i}".encode() for i in range(3)]
        found[name] = [kept[i] for i in rng.permutation(len(kept))]
    return found


def sizes(vocabularies):
    return {name: len(found) for name, found in vocabularies.items()}


def trained(name, spec, vocabularies, seed=8, **options):
    """Returns a model with random weights, including counters."""
    model = tiny(name, spec, sizes(vocabularies), **options)
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        whole = "int" in str(weight.dtype)
        weight.assign(rng.integers(1, 9, weight.shape) if whole else rng.normal(0, 0.5, weight.shape))
    return model


def translated(features, spec, old, new):
    """Returns the same rows with the ids of other vocabularies; ids below num_oov are unchanged."""
    found = dict(features)
    for name, before in old.items():
        oov = spec.feature(name).num_oov
        new_ids = np.array([*range(oov), *(oov + new[name].index(t) if t in new[name] else -1 for t in before)])
        found[name] = new_ids[features[name]]
        assert np.all(found[name] >= 0)
    return found


def without(features, old_id, names):
    """Returns rows in which an id is replaced by the id before it."""
    return {k: np.where(v == old_id, old_id - 1, v) if k in names else v for k, v in features.items()}


WIDE = [pytest.param(name, {"wide": True}, id=f"{name}-wide") for name in ("mmoe", "adaftr", "m2m")]


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in MODELS), *WIDE])
def test_rows_of_old_tokens_have_the_same_scores(name, options):
    """The features are single tokens, weighted lists, sequences and numbers; for `m2m` also sequences of numbers."""
    spec, counts = data_of(name)
    before = tokens(counts)
    after = grown(before)
    old = trained(name, spec, before, **options)
    model = tiny(name, spec, sizes(after), **options)
    features = without(rows_of(name, 200)[0], 3, before)  # Id 3 is token 2, which is removed.
    wanted = old.score(features)
    found_before = model.score(translated(features, spec, before, after))
    report = warm_start(model, after, old, before)
    found = model.score(translated(features, spec, before, after))
    for output, scores in wanted.items():
        np.testing.assert_array_equal(found[output], scores)
        assert np.mean(np.abs(found_before[output] - scores)) > 1e-3
    for feature, size in counts.items():
        assert report.fields[feature] == FieldRows(kept=size - 1, new=3, removed=1)
    assert report.weights == len(model.weights) - (2 if options else 1)


def test_each_row_of_the_table_is_copied_from_its_token():
    before = tokens(cases.SIZES)
    after = grown(before)
    old = trained("mmoe", SPEC, before)
    model = tiny("mmoe", SPEC, sizes(after))
    fresh = np.array(model.embedding.table)
    warm_start(model, after, old, before)
    table, old_table = np.array(model.embedding.table), np.array(old.embedding.table)
    start, old_start = 0, 0
    for feature, ids in cases.ROWS.items():
        new_ids = ids + 2 if feature in before else ids
        for row in range(new_ids):
            token = after[feature][row - 1] if feature in before and row else None
            place = start + row
            if token is None:
                np.testing.assert_array_equal(table[place], old_table[old_start + row])
            elif token in before[feature]:
                np.testing.assert_array_equal(table[place], old_table[old_start + 1 + before[feature].index(token)])
            else:
                np.testing.assert_array_equal(table[place], fresh[place])
        start, old_start = start + new_ids, old_start + ids
    assert (start, old_start) == (len(table), len(old_table))


def with_feature(spec, name, **changes):
    """Returns the spec with one of its features changed."""
    features = [dataclasses.replace(f, **changes) if f.name == name else f for f in spec.features]
    return dataclasses.replace(spec, features=tuple(features))


def test_buckets_beyond_the_old_bounds_take_the_outermost_row():
    """Price has buckets 0 .. 8 in the old model and -2 .. 10 in the new one."""
    vocabularies = tokens(cases.SIZES)
    old = trained("mmoe", SPEC, vocabularies)
    spec = with_feature(SPEC, "price", min_bucket=-2, max_bucket=10)
    model = tiny("mmoe", spec, cases.SIZES)
    report = warm_start(model, vocabularies, old, vocabularies)
    assert report.fields["price"] == FieldRows(kept=9, new=4, removed=0)
    features = {k: np.repeat(v[:1], 14, axis=0) for k, v in cases.features(1).items()}
    missing_then_buckets = np.arange(14)
    before = [0, *(int(np.clip(bucket, 0, 8)) + 1 for bucket in range(-2, 11))]
    wanted = old.score({**features, "price": np.array(before)})["ctr"]
    np.testing.assert_array_equal(model.score({**features, "price": missing_then_buckets})["ctr"], wanted)


@pytest.mark.parametrize(("num_oov", "rows"), [(4, [0, 1, 0, 1]), (1, [None]), (3, [None] * 3)])
def test_rows_of_unseen_tokens_are_copied_if_num_oov_is_a_multiple(num_oov, rows):
    """The id of an unseen token is its hash modulo num_oov."""
    old_spec, spec = (with_feature(SPEC, "user", num_oov=number) for number in (2, num_oov))
    vocabularies = tokens(cases.SIZES)
    old = trained("mmoe", old_spec, vocabularies)
    model = tiny("mmoe", spec, cases.SIZES)
    fresh = np.array(model.embedding.table)
    warm_start(model, vocabularies, old, vocabularies)
    table, before = np.array(model.embedding.table), np.array(old.embedding.table)
    for row, source in enumerate(rows):
        np.testing.assert_array_equal(table[row], fresh[row] if source is None else before[source])
    np.testing.assert_array_equal(table[num_oov : num_oov + 20], before[2:22])


def test_counter_of_steps_is_copied():
    vocabularies = tokens(cases.SIZES)
    old = trained("apem", SPEC, vocabularies)
    model = tiny("apem", SPEC, cases.SIZES)
    steps = [weight for weight in model.weights if weight.name == "step"]
    assert steps
    assert all(int(step) == 0 for step in steps)
    warm_start(model, vocabularies, old, vocabularies)
    assert [int(step) for step in steps] == [int(weight) for weight in old.weights if weight.name == "step"]
    assert all(int(step) > 0 for step in steps)


def test_warm_start_from_files_copies_all_weights(tmp_path):
    before = {**tokens(cases.SIZES), "user": [b"", "größe".encode(), b"\xff", b" a ", *(b"%d" % i for i in range(16))]}
    trained("mmoe", SPEC, before).save(tmp_path / "model.keras")
    write_vocabularies(str(tmp_path), before)
    read = read_vocabularies(str(tmp_path))
    assert read == before
    old = keras.saving.load_model(tmp_path / "model.keras")
    model = tiny("mmoe", SPEC, sizes(before))
    warm_start(model, before, old, read)
    for weight, old_weight in zip(model.weights, old.weights, strict=True):
        np.testing.assert_array_equal(weight, old_weight)


def test_rejects_missing_vocabularies_and_tokens_of_several_lines(tmp_path):
    with pytest.raises(FileNotFoundError, match="should contain a folder `vocabularies`"):
        read_vocabularies(str(tmp_path))
    with pytest.raises(ValueError, match="single lines"):
        write_vocabularies(str(tmp_path), {"user": [b"a\nb"]})


def reordered(spec):
    return dataclasses.replace(spec, features=(spec.features[1], spec.features[0], *spec.features[2:]))


def more(spec):
    extra = DatasetSpec.from_yaml(cases.FEATURES.replace("user", "shop") + cases.CLICK).features[0]
    return dataclasses.replace(spec, features=(*spec.features, extra))


def refusal(spec=SPEC, name="mmoe", vocabularies=None, old_spec=SPEC, **options):
    """Returns the error of a warm start of a model that does not fit, after checking that no weight was copied."""
    before = tokens(cases.SIZES)
    after = tokens({**cases.SIZES, "shop": 2})
    old = trained("mmoe", old_spec, before)
    known = {feature.name for feature in spec.features} & set(after)
    model = trained(name, spec, {feature: after[feature] for feature in known}, seed=5, **options)
    weights = [np.array(weight) for weight in model.weights]
    with pytest.raises(ValueError) as caught:
        warm_start(model, after if vocabularies is None else vocabularies, old, before)
    for weight, was in zip(model.weights, weights, strict=True):
        np.testing.assert_array_equal(weight, was)
    return str(caught.value)


def test_rejects_models_that_do_not_fit():
    assert "`old` should be a SharedBottom. Received: a MMoE" in refusal(name="shared_bottom")
    assert "should have the name and shape" in refusal(embedding_dim=8)
    assert "should have the name and shape" in refusal(expert_units=[7, 5])
    assert "option `wide` should be False, as in the old model. Received: True" in refusal(wide=True)
    assert "weights, as the new model has" in refusal(expert_units=[6, 5, 5])
    assert "where a feature was added" in refusal(more(SPEC))
    assert "feature `user` should be at position 0 of the spec" in refusal(reordered(SPEC))
    assert "scale of `price` should be 4.0" in refusal(with_feature(SPEC, "price", scale=2.0))
    assert "should have the tasks" in refusal(cases.chain())
    other = {"entire": "conditional", "conditional": "entire"}[MODELS["mmoe"].options_class().space]
    assert "should have the tasks" in refusal(space=other)
    *tasks, views = cases.chain().tasks
    offset = dataclasses.replace(cases.chain(), tasks=(*tasks, dataclasses.replace(views, offset="price")))
    assert "offset of `views` should be None, as in the old model" in refusal(offset, old_spec=cases.chain())
    assert "should be in the groups of the old model" in refusal(dataclasses.replace(SPEC, scenario="user"))
    message = "vocabulary of `user` should have the 20 tokens of the new model. Received: 2"
    assert message in refusal(vocabularies={**tokens(cases.SIZES), "user": [b"a", b"b"]})
    assert "of the new model. Received: none" in refusal(vocabularies={})


def test_rows_of_a_replaced_feature_keep_their_initial_values():
    spec = dataclasses.replace(SPEC, features=(dataclasses.replace(SPEC.features[0], name="shop"), *SPEC.features[1:]))
    before = tokens(cases.SIZES)
    after = tokens({"shop": 5, "tags": 9, "history": 14})
    old = trained("mmoe", SPEC, before)
    model = tiny("mmoe", spec, sizes(after))
    fresh = np.array(model.embedding.table)
    report = warm_start(model, after, old, before)
    table = np.array(model.embedding.table)
    np.testing.assert_array_equal(table[:6], fresh[:6])
    np.testing.assert_array_equal(table[6:], np.array(old.embedding.table)[21:])
    assert report.fields["shop"] == FieldRows(kept=0, new=5, removed=0)
    assert report.fields["user"] == FieldRows(kept=0, new=0, removed=20)
