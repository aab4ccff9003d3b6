"""Checks of the features of a `tfmtl.spec.DatasetSpec` that refer to others: shared vocabularies and crosses."""

from typing import TYPE_CHECKING

from tfmtl.config import require
from tfmtl.features import TOKENS, CategoricalFeature, NumericalFeature

if TYPE_CHECKING:
    from tfmtl.spec import DatasetSpec


def check_shared_vocabularies(spec: "DatasetSpec") -> None:
    """Checks that each shared vocabulary is that of a feature which has its own.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    owners = {one.name: one for one in spec.features if isinstance(one, TOKENS) and one.vocabulary is None}
    for i, feature in enumerate(spec.features):
        if not isinstance(feature, TOKENS) or feature.vocabulary is None:
            continue
        path = ("features", i, "vocabulary")
        expected = f"a feature of tokens with its own vocabulary: {', '.join(owners) or 'there is none'}"
        require(feature.vocabulary in owners, path, expected, feature.vocabulary)
        is_served = feature.vocabulary not in [one.name for one in spec.training_only_features]
        require(is_served, path, "a feature that is known where the model is served", feature.vocabulary)


def check_crosses(spec: "DatasetSpec") -> None:
    """Checks that the members of crosses are features with one value per row.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    kinds = (CategoricalFeature, NumericalFeature)
    known = [feature.name for feature in spec.features if isinstance(feature, kinds)]
    for i, cross in enumerate(spec.crosses):
        for j, name in enumerate(cross.features):
            expected = f"a categorical or numerical feature: {', '.join(known)}"
            require(name in known, ("crosses", i, "features", j), expected, name)
