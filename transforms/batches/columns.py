"""Names of the columns of a log."""

from tfmtl.features import MultiValuedFeature
from tfmtl.spec import DatasetSpec, RandomSplit, TimeSplit


def raw_columns(spec: DatasetSpec) -> tuple[str, ...]:
    """Returns the names of the columns that are read: `typed_columns`, and those that assign the split or are hashed.

    Args:
        spec: Spec of the dataset.
    """
    split: tuple[str, ...] = ()
    if isinstance(spec.split, TimeSplit):
        split = (spec.split.column,)
    elif isinstance(spec.split, RandomSplit):
        split = spec.split.key
    sampling = () if spec.sampling is None else spec.sampling.key
    return tuple(dict.fromkeys([*typed_columns(spec), *split, *sampling]))


def typed_columns(spec: DatasetSpec) -> tuple[str, ...]:
    """Returns the names of the columns that are written.

    They are the features with their weights, the labels, the columns of open labels, the row weight, and the group key.

    Args:
        spec: Spec of the dataset.
    """
    others = [name for name in (spec.weight, spec.group_key) if name]
    names = [*feature_columns(spec), *spec.labels, *spec.maturity_columns, *others]
    return tuple(dict.fromkeys(names))


def feature_columns(spec: DatasetSpec) -> list[str]:
    """Returns the names of a spec's features, each followed by the column of its weights, if it has one.

    Args:
        spec: Spec of the dataset.
    """
    names = []
    for feature in spec.features:
        names.append(feature.name)
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            names.append(feature.weights)
    return list(dict.fromkeys(names))
