"""What Transform imports: the `preprocessing_fn` of the spec in its parameters."""

from collections.abc import Mapping
from typing import Any

from tfmtl.spec import DatasetSpec
from transforms.preprocessing import make_preprocessing_fn


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, Any]:
    """Transformed features and labels of a batch.

    `custom_config` holds the spec as plain data, and `vocabularies`, the folder of those that ExampleGen counted.
    """
    spec = DatasetSpec.from_dict(custom_config["spec"])
    return make_preprocessing_fn(spec, custom_config["vocabularies"])(inputs)
