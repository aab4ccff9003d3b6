"""Check that the columns of a spec have names with which a model can be exported and evaluated."""

import keyword

from tfmtl.config import FieldError, Path
from tfmtl.features import MultiValuedFeature
from tfmtl.spec import DatasetSpec

EXAMPLES = "examples"
"""Input of the signature of tf.Examples, in whose place TFMA passes a column of this name."""
_ADVICE = "use another name, and give that of the file's column in `data.columns`"


def is_refused_input(name: str) -> bool:
    """Returns True if TensorFlow refuses a name of a signature's input: a keyword of Python, or self.

    Args:
        name: Name of the input.
    """
    return keyword.iskeyword(name) or name == "self"


def check_names(spec: DatasetSpec) -> None:
    """Checks the names of columns against the rules of SavedModel's signatures and of TFMA.

    Features and weights are inputs of a signature: TensorFlow accepts no keyword of Python and not `self`, and does not
    tell names apart that differ in case only. No column may have the name `examples`.

    Args:
        spec: Spec of the dataset.

    Raises:
        FieldError: If a name is not possible.

    Example:
        >>> from pipelines.exported_names import check_names
        >>> from tfmtl import DatasetSpec
        >>> check_names(DatasetSpec.from_yaml('''
        ... name: shop
        ... features: [{name: class, kind: categorical}]
        ... tasks: [{name: click, label: clicked}]
        ... '''))
        Traceback (most recent call last):
            ...
        tfmtl.config.errors.FieldError: features[0].name: should not be a keyword of Python or self; \
use another name, and give that of the file's column in `data.columns`. Received: 'class'
    """
    inputs = _inputs(spec)
    labels: dict[Path, str] = {("tasks", i, "label"): task.label for i, task in enumerate(spec.tasks)}
    for i, task in enumerate(spec.tasks):
        if task.open_labels is not None:
            labels |= {("tasks", i, "open", name): name for name in task.open_labels.columns}
    for role, column in (("group_key", spec.group_key), ("weight", spec.weight)):
        if column is not None:
            labels[role,] = column
    for path, name in (inputs | labels).items():
        _refuse(name == EXAMPLES, path, f"not be {EXAMPLES}, which is an input of the exported model", name)
    seen: dict[str, str] = {}
    for path, name in inputs.items():
        _refuse(is_refused_input(name), path, "not be a keyword of Python or self", name)
        other = seen.setdefault(name.lower(), name)
        _refuse(other != name, path, f"differ from {other} in more than case", name)


def _refuse(condition: bool, path: Path, expected: str, name: str) -> None:
    if condition:
        raise FieldError(path, f"should {expected}; {_ADVICE}. Received: {name!r}")


def _inputs(spec: DatasetSpec) -> dict[Path, str]:
    """Returns the names of features and weights by the path of their field."""
    names: dict[Path, str] = {}
    for i, feature in enumerate(spec.features):
        names["features", i, "name"] = feature.name
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            names["features", i, "weights"] = feature.weights
    return names
