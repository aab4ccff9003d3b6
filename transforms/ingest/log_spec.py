"""The part of a spec that determines how a log is ingested; the rest concerns the transform and the model."""

import dataclasses
from typing import Any

from tfmtl.features import Feature, Hashing
from tfmtl.spec import DatasetSpec

_TRANSFORM_FIELDS = ("scale", "min_bucket", "max_bucket", "max_length", "num_oov")
_VOCABULARY_FIELDS = ("min_frequency", "max_tokens")
_ANY_HASH = Hashing(buckets=2)


def log_spec(spec: DatasetSpec, pruned: bool = True) -> DatasetSpec:
    """Resets all fields of a spec that change neither rows nor rejects nor vocabularies to their defaults.

    If the results for two specs are equal, both specs ingest a log identically. A log is therefore not ingested again
    when only the buckets of a number or of a hash, the crosses, the name of an output, an offset, the scenario or the
    groups change.

    Args:
        spec: Spec of the dataset.
        pruned: True if vocabularies are pruned during ingestion; otherwise the fields that prune them are reset too.

    Returns:
        The spec with the remaining fields.
    """
    reset = _TRANSFORM_FIELDS if pruned else (*_TRANSFORM_FIELDS, *_VOCABULARY_FIELDS)
    return dataclasses.replace(
        spec,
        name="log",
        crosses=(),
        features=tuple(_with_defaults(feature, reset) for feature in spec.features),
        tasks=tuple(dataclasses.replace(task, output="", conditional_output="", offset=None) for task in spec.tasks),
        scenario=None,
        groups={},
    )


def _with_defaults(feature: Feature, names: tuple[str, ...]) -> Feature:
    defaults: dict[str, Any] = {one.name: one.default for one in dataclasses.fields(feature) if one.name in names}
    if getattr(feature, "hashed", None) is not None:
        defaults["hashed"] = _ANY_HASH
    return dataclasses.replace(feature, **defaults)
