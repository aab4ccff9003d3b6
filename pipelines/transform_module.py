"""What Transform imports: the `preprocessing_fn` of the spec in its parameters."""

from collections.abc import Mapping
from typing import Any

from tfmtl.spec import DatasetSpec
from transforms.preprocessing import make_preprocessing_fn


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, Any]:
    """Transformed features and labels of a batch; `custom_config["spec"]` is the spec as plain data."""
    return make_preprocessing_fn(DatasetSpec.from_dict(custom_config["spec"]))(inputs)
