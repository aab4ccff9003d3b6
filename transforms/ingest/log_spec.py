"""What of a spec decides how a log is read; the rest is the transform's and the model's."""

import dataclasses
from typing import Any

from tfmtl.features import Feature
from tfmtl.spec import DatasetSpec

_OF_THE_TRANSFORM = ("scale", "min_bucket", "max_bucket", "max_length", "num_oov")
_OF_VOCABULARIES = ("min_frequency", "max_tokens")


def log_spec(spec: DatasetSpec, pruned: bool = True) -> DatasetSpec:
    """The spec with everything at its default that changes neither rows nor rejects nor vocabularies.

    Two specs of which these are equal read a log alike, so that it need not be read again where only the buckets of a
    number, an output's name, the scenario or the groups are others.

    Args:
        spec: of the data set.
        pruned: whether vocabularies are pruned when the log is read; else what prunes them is left out too.
    """
    left_out = _OF_THE_TRANSFORM if pruned else (*_OF_THE_TRANSFORM, *_OF_VOCABULARIES)
    return dataclasses.replace(
        spec,
        name="log",
        features=tuple(_without(feature, left_out) for feature in spec.features),
        tasks=tuple(dataclasses.replace(task, output="", conditional_output="") for task in spec.tasks),
        scenario=None,
        groups={},
    )


def _without(feature: Feature, names: tuple[str, ...]) -> Feature:
    defaults: dict[str, Any] = {one.name: one.default for one in dataclasses.fields(feature) if one.name in names}
    return dataclasses.replace(feature, **defaults)
