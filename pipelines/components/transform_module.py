"""Module that Transform loads: the `preprocessing_fn` of the spec in its parameters."""

from collections.abc import Mapping
from typing import Any

from tfmtl.spec import DatasetSpec
from transforms.preprocessing import make_preprocessing_fn


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, Any]:
    """Transforms the raw features of a batch.

    Args:
        inputs: Raw features and labels by name.
        custom_config: The spec as plain data under `spec`, and the folder of ExampleGen's vocabularies under
            `vocabularies`.

    Returns:
        Transformed features and labels by name.
    """
    spec = DatasetSpec.from_dict(custom_config["spec"])
    return make_preprocessing_fn(spec, custom_config["vocabularies"])(inputs)
