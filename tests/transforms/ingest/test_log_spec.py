"""Log specs: two specs ingest a log identically exactly if their log specs are equal."""

import dataclasses

import pytest

from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, RandomSplit, Task
from transforms.ingest.ingest_files import ingest
from transforms.ingest.log_spec import log_spec

SPEC = DatasetSpec(
    "shop",
    (
        CategoricalFeature("user", min_frequency=3, required=True),
        NumericalFeature("price"),
        MultiValuedFeature("tags", weights="weights"),
        NumberSequenceFeature("days"),
    ),
    (Task("click", "clicked", output="ctr"), Task("buy", "bought", follows="click")),
    scenario="user",
    group_key="user",
    groups={"profile": ("user",)},
)


def changed(i, **changes):
    features = list(SPEC.features)
    features[i] = dataclasses.replace(features[i], **changes)
    return dataclasses.replace(SPEC, features=tuple(features))


@pytest.mark.parametrize(
    "other",
    [
        changed(1, scale=2.0, min_bucket=-8, max_bucket=12),
        changed(2, max_length=3, num_oov=4),
        changed(3, max_length=3, scale=1.0),
        dataclasses.replace(SPEC, scenario=None, groups={}, name="another"),
        dataclasses.replace(SPEC, tasks=(Task("click", "clicked"), Task("buy", "bought", follows="click", output="p"))),
    ],
)
def test_log_spec_ignores_fields_of_transform_and_model(other):
    assert other != SPEC
    assert log_spec(other) == log_spec(SPEC)


@pytest.mark.parametrize(
    "other",
    [
        changed(0, required=False),
        changed(0, default="nobody"),
        changed(2, separator=";"),
        changed(2, weights=None),
        dataclasses.replace(SPEC, split=RandomSplit(eval=0.3)),
        dataclasses.replace(SPEC, group_key=None),
        dataclasses.replace(SPEC, features=SPEC.features[:3]),
        dataclasses.replace(SPEC, tasks=SPEC.tasks[:1]),
        dataclasses.replace(SPEC, tasks=(SPEC.tasks[0], Task("buy", "bought"))),
        dataclasses.replace(SPEC, tasks=(Task("click", "clicked", positive=(">= 2",)), SPEC.tasks[1])),
    ],
)
def test_log_spec_keeps_fields_that_change_rows(other):
    assert log_spec(other) != log_spec(SPEC)
    assert log_spec(other, pruned=False) != log_spec(SPEC, pruned=False)


def test_log_spec_ignores_the_offset_of_a_count():
    counts = [Task("visits", "visits", kind="count", offset=offset) for offset in (None, "price")]
    plain, other = (dataclasses.replace(SPEC, tasks=(task,)) for task in counts)
    assert other != plain
    assert log_spec(other) == log_spec(plain)


def test_log_spec_keeps_frequencies_only_if_vocabularies_are_pruned():
    other = changed(0, min_frequency=9, max_tokens=5)
    assert log_spec(other) != log_spec(SPEC)
    assert log_spec(other, pruned=False) == log_spec(SPEC, pruned=False)


def test_log_spec_ingests_the_same_rows_as_the_whole_spec(tmp_path):
    path = tmp_path / "log.csv"
    lines = [f"u{i},{i}.5,a|b|c,1|{i}|3,{'|'.join('123456789' * 3)},{i % 2},{i % 4 // 3}" for i in range(40)]
    path.write_text(
        "\n".join(["user,price,tags,weights,days,clicked,bought", *lines, ",1,a,1,1,1,0", "u,1,a,1|2,1,0,0"])
    )
    (whole,), (reduced,) = (list(ingest([str(path)], spec)) for spec in (SPEC, log_spec(SPEC)))
    assert whole.examples == reduced.examples
    assert whole.rejects == reduced.rejects
    assert {reject.reason for reject in whole.rejects} == {"missing_required", "invalid_weights"}
