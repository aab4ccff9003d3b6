"""Spec of the dataset on which a served model was trained."""

from collections.abc import Iterable, Sequence

from serving.client import RAW, TfmtlClient
from serving.rows import Feature, features_of
from tfmtl.config import ConfigError, FieldError
from tfmtl.features import (
    CategoricalFeature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.features import Feature as SpecFeature
from tfmtl.spec import DatasetSpec, GivenSplit, Task

_MAX_LENGTH = 1 << 20


def signature_spec(client: TfmtlClient, model: str) -> DatasetSpec:
    """Derives a spec from the inputs of a model's signature `raw`, for exports without a spec.

    Every feature is optional, lists have the default separator, and weights are lists of numbers of their own.

    Args:
        client: Client of the model.
        model: Name of the model, for errors.

    Raises:
        ConfigError: If the model is none of tfmtl.
        PredictionError: If the server fails.
    """
    signatures = client.metadata().signatures
    if RAW not in signatures:
        expected = f"should be an export of tfmtl, with a signature {RAW}"
        raise ConfigError(f"model {model!r} {expected}. Received: {', '.join(sorted(signatures))}")
    try:
        features = tuple(_spec_feature(feature) for _, feature in sorted(features_of(signatures[RAW]).items()))
        return features_spec(model, features)
    except (FieldError, ValueError) as error:
        raise ConfigError(f"model {model!r} should be an export of tfmtl. Received: {error}") from error


def features_spec(name: str, features: Sequence[SpecFeature], columns: Iterable[str] = ()) -> DatasetSpec:
    """Returns a spec of features. Since every spec has a task, it has one whose label is none of the columns.

    Args:
        name: Name of the dataset.
        features: Features.
        columns: Names of other columns of the rows.
    """
    taken = {*columns, *(column for feature in features for column in (feature.name, getattr(feature, "weights", "")))}
    label = "label"
    while label in taken:
        label += "_"
    return DatasetSpec(name, tuple(features), (Task("unused", label=label),), split=GivenSplit())


def _spec_feature(feature: Feature) -> SpecFeature:
    if not feature.multivalent:
        return NumericalFeature(feature.name) if feature.kind == "number" else CategoricalFeature(feature.name)
    if feature.kind == "number":
        return NumberSequenceFeature(feature.name, max_length=feature.width or _MAX_LENGTH)
    if feature.width is not None:
        return SequenceFeature(feature.name, max_length=feature.width)
    return MultiValuedFeature(feature.name)
