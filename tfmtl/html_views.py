"""HTML of a spec, of a model and of the health of its mechanisms, which their classes show in a notebook."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfmtl.health.health import Health
from tfmtl.health.measure_kinds import MEASURES
from tfmtl.html_tables import html_block, html_table
from tfmtl.tasks import ENTIRE, Output

if TYPE_CHECKING:
    from tfmtl.spec import DatasetSpec


def chains(spec: "DatasetSpec") -> list[str]:
    """Returns a line for each last task of a chain, with the tasks that lead to it.

    Args:
        spec: Spec of a dataset.

    Example:
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.html_views import chains
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> chains(DatasetSpec("shop", (CategoricalFeature("user"),), tasks))
        ['click → buy']
    """
    followed = {task.follows for task in spec.tasks}
    lines = []
    for task in spec.tasks:
        if task.name not in followed:
            names = [task.name]
            while (previous := spec.task(names[0]).follows) is not None:
                names.insert(0, previous)
            lines.append(" → ".join(names))
    return lines


def spec_html(spec: "DatasetSpec") -> str:
    """Returns the tasks with their outputs, the chain, and the features.

    Args:
        spec: Spec of a dataset.
    """
    tasks = [[task.name, task.label, task.kind, _outputs_text(spec, task.name)] for task in spec.tasks]
    features = [[feature.name, feature.kind, _settings_text(feature)] for feature in spec.features]
    features += [[cross.name, "cross", _settings_text(cross)] for cross in spec.crosses]
    others = {"scenario": spec.scenario, "group key": spec.group_key, "weight": spec.weight, "split": spec.split.kind}
    notes = ["; ".join(f"{name}: {value}" for name, value in others.items() if value)]
    parts = [
        html_table(["task", "label", "kind", "outputs"], tasks, "; ".join(chains(spec))),
        html_table(["feature", "kind", "settings"], features),
    ]
    return html_block(f"DatasetSpec {spec.name}", parts, notes)


def model_html(model: Any) -> str:
    """Returns the outputs of a model with their spaces, and the number of its parameters.

    Args:
        model: Model of `tfmtl.models`.
    """
    heads = model.spaces
    rows = [[one.name, one.task, _space_text(model.spec, one), heads[one.task]] for one in model.spec.outputs]
    table = html_table(["output", "task", "probability or rate on", "space of the head"], rows)
    parameters = f"{model.count_params():,} parameters" if model.built else "not built"
    return html_block(f"{type(model).__name__} {model.name} of {model.spec.name}", [table], [parameters])


def health_html(healths: Sequence[Health]) -> str:
    """Returns the measures of the mechanisms of a model with their bounds.

    Args:
        healths: Result of `model_health`.
    """
    rows = [[one.mechanism, MEASURES[one.measure].text(one.value), str(one.bound), _state(one)] for one in healths]
    notes = [f"DEAD: {one.sentence}" for one in healths if not one.alive]
    if not rows:
        notes = ["The model has no mechanism that is measured."]
    table = html_table(["mechanism", "measure", "alive if", "state"], rows)
    return html_block("Health of mechanisms", [table] if rows else [], notes)


def _state(health: Health) -> str:
    if not str(health.bound):
        return ""
    return "alive" if health.alive else "DEAD"


def _outputs_text(spec: "DatasetSpec", task: str) -> str:
    texts = [f"{one.name} on {_space_text(spec, one)}" for one in spec.outputs if one.task == task]
    return ", ".join(texts)


def _space_text(spec: "DatasetSpec", output: Output) -> str:
    return "all rows" if output.space == ENTIRE else f"rows with {spec.task(output.task).follows} = 1"


def _settings_text(feature: Any) -> str:
    """Returns the fields of a feature that differ from their defaults."""
    fields = [field for field in dataclasses.fields(feature) if field.name not in ("name", "kind")]
    values = {field.name: getattr(feature, field.name) for field in fields}
    return ", ".join(f"{field.name}: {values[field.name]}" for field in fields if values[field.name] != field.default)
