"""Options that every model has."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal, TypeAlias

from tfmtl.config import require
from tfmtl.model_inputs import sequences
from tfmtl.search_space import Choice, Dimension, Space
from tfmtl.spec import DatasetSpec

CalibrationMethod: TypeAlias = Literal["isotonic", "platt"]


@dataclasses.dataclass(frozen=True)
class ModelOptions:
    """Hyper-parameters that do not depend on the architecture.

    Attributes:
        embedding_dim: Width of each field's embedding.
        embedding_l2: Factor of the mean over the batch of `sum_f ||h_f||^2`, which is added to the loss. It decays only
            the rows of the embedding table that a batch looks up.
        sequences: Representation of a sequence, such as the values of the last days. "mean": one field, the mean over
            the positions that are present, without their order. "concat": one field for each position, from the oldest
            to the most recent, 0 where a position is absent. A model that treats the fields as a set sees the
            positions, but not their order.
        space: Rows on which the head of a task that follows another is trained. "entire": all rows; the head predicts
            P(y=1, z=1 | x). "conditional": rows where the label of the previous task is 1; the head predicts
            P(z=1 | y=1, x). The head of a value is always on the conditional space.
        weight_decay: Factor d of `d / 2 * sum w^2` over the trainable weights outside the embedding tables, whose
            gradient is `d * w`. This is what papers call the weight decay of Adam. Embeddings have `embedding_l2`, and
            the linear term has `wide_l2`.
        task_weights: Factor of each task's loss by task name; 1 for a task that is not named.
        weighting: Combination of the tasks' losses. "fixed": `sum_k w_k L_k`. "uncertainty": each `w_k L_k` is weighted
            by a trainable variance (`tfmtl.losses.UncertaintyWeighting`).
        focal_gamma: Exponent gamma of the focal loss of binary tasks, `(1 - p_t)^gamma` times the cross-entropy; 0
            gives the cross-entropy.
        positive_weights: Factor of the loss of the positive rows of a binary task by task name; 1 for a task that is
            not named. It moves predictions away from the frequencies in the data.
        negative_weights: Factor of the loss of the negative rows of a binary task by task name; 1 for a task that is
            not named.
        dependence: Strength of the penalty on `(f_prev - f) - (o_prev - o)` for each task that follows another, with
            predictions f and labels o on the entire space (`tfmtl.losses.SequentialDependenceLoss`): a number by task
            name (0 for a task that is not named), or one number for all of them. Values have no such penalty.
        calibrator: Strength of the penalty on `max(f - f_prev, 0)` for each task that follows another
            (`tfmtl.losses.behavioral_calibrator`).
        local_space: Whether a task that follows another is trained, and its `dependence` is taken, only on rows where
            the label of the previous task is 1, although its head predicts on the entire space. Importance weights
            (`tfmtl.losses.label_importance`) correct for the other rows, by Theorems 2.1 and 3.1 of APEM.
        max_weight: Upper bound of an importance weight.
        label_means: Mean m of each task's label over all rows by task name; of a value that follows another task, over
            the rows where the label of that task is 1; of a count or value with an offset, the sum of the labels over
            the sum of the exposures. The logit of the task has a constant with which a model without trained weights
            predicts m: `log m` of a count or value, `log(m / (1 - m))` of a binary task, in which m is divided by the
            mean of the previous task if the head predicts on the conditional space. The constant of a task that is not
            named is 0. The loss of a value is that of labels and predictions in units of m. The pipeline measures the
            means of counts and values on the training rows.
        count_loss: Loss of a count. "likelihood": the negative log-likelihood of a Poisson distribution. "relative":
            the same divided by the task's mean in `label_means`, so that large counts do not outweigh other tasks.
        wide: Whether a linear term is added to the logit of each task's head, whatever its space is: the sum over the
            fields of a trained weight for each id and task, initially 0. It is the wide part of Wide & Deep (Cheng et
            al., 2016) and the linear part of DeepFM (Guo et al., 2017). A multivalent field adds the weighted mean of
            the weights of its ids; a sequence with a field for each position adds the weights of all positions.
        calibration: Calibration of the heads of binary tasks after training, one method for all of them, or by task
            name: "isotonic" (`tfmtl.calibration.fit_isotonic`) or "platt" (`tfmtl.calibration.fit_platt`). The maps are
            fitted on the rows that `calibrate` is given, those of the eval split in the pipeline, and are a part of
            `score`. Outputs that are derived, such as `ctcvr = ctr * cvr`, are derived from the calibrated heads.
        calibration_rows: Number of positive and of negative rows from which a value of the spec's scenario has a map of
            its own; other values share the map of all rows. None is 200.
        wide_l2: Factor of the mean over the batch of the squared weights of the linear term that a row looks up, summed
            over its fields and the tasks: what `embedding_l2` is for embeddings.

    Example:
        >>> from tfmtl.models import ModelOptions
        >>> ModelOptions(embedding_dim=8, task_weights={"buy": 2.0}).task_weights
        {'buy': 2.0}
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"max_importance": "max_weight"}
    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {"space": {"previous": "conditional"}}

    search_space: ClassVar[Space] = {
        "embedding_dim": Choice((4, 8, 16, 32)),
        "embedding_l2": Choice((0.0, 1e-6, 1e-5, 1e-4, 1e-3)),
        "wide": Choice((False, True)),
    }

    embedding_dim: int = 16
    embedding_l2: float = 0.0
    sequences: Literal["mean", "concat"] = "mean"
    space: Literal["entire", "conditional"] = "entire"
    weight_decay: float = 0.0
    task_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    weighting: Literal["fixed", "uncertainty"] = "fixed"
    focal_gamma: float = 0.0
    positive_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    negative_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    dependence: float | Mapping[str, float] = 0.0
    calibrator: float = 0.0
    local_space: bool = False
    max_weight: float = 100.0
    label_means: Mapping[str, float] = dataclasses.field(default_factory=dict)
    count_loss: Literal["likelihood", "relative"] = "likelihood"
    wide: bool = False
    wide_l2: float = 0.0
    calibration: CalibrationMethod | Mapping[str, CalibrationMethod] = dataclasses.field(default_factory=dict)
    calibration_rows: int | None = None

    def __post_init__(self) -> None:
        require(self.embedding_dim >= 1, "embedding_dim", "at least 1", self.embedding_dim)
        self._check_choices()
        for name in ("embedding_l2", "weight_decay", "focal_gamma", "calibrator", "wide_l2"):
            require(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))
        for name in ("task_weights", "positive_weights", "negative_weights"):
            for task, weight in getattr(self, name).items():
                require(weight >= 0, (name, task), "at least 0", weight)
        for task, mean in self.label_means.items():
            require(mean > 0, ("label_means", task), "above 0", mean)
        for task, weight in self.task_weights.items():
            is_valid = self.weighting == "fixed" or weight > 0  # The best variance of a loss of 0 is 0.
            require(is_valid, ("task_weights", task), "above 0 where `weighting` is uncertainty", weight)
        strengths = self.dependence if isinstance(self.dependence, Mapping) else {"": self.dependence}
        for task, strength in strengths.items():
            require(strength >= 0, ("dependence", task) if task else "dependence", "at least 0", strength)
        is_entire = not self.local_space or self.space == "entire"
        require(is_entire, "local_space", "false where `space` is conditional", True)
        require(self.max_weight >= 1, "max_weight", "at least 1", self.max_weight)
        is_positive = self.calibration_rows is None or self.calibration_rows >= 1
        require(is_positive, "calibration_rows", "at least 1", self.calibration_rows)
        methods = self.calibration.items() if isinstance(self.calibration, Mapping) else [("", self.calibration)]
        for task, method in methods:
            path = ("calibration", task) if task else "calibration"
            require(method in ("isotonic", "platt"), path, "isotonic or platt", method)

    def _check_choices(self) -> None:
        choices = {
            "sequences": ("mean", "concat"),
            "space": ("entire", "conditional"),
            "weighting": ("fixed", "uncertainty"),
            "count_loss": ("likelihood", "relative"),
        }
        for name, values in choices.items():
            value = getattr(self, name)
            renamed = self.renamed_values.get(name, {}).get(value)
            hint = f" (`{value}` was renamed; write `{renamed}` instead)" if renamed else ""
            require(value in values, name, f"one of {', '.join(values)}{hint}", value)

    def declared_space(self) -> dict[str, Dimension]:
        """Returns the hyper-parameters that a search varies by default, by the names of the options."""
        return dict(self.search_space)

    def calibration_methods(self, spec: DatasetSpec) -> dict[str, CalibrationMethod]:
        """Returns the method of calibration of each head that has one, by task name.

        Args:
            spec: Tasks of the dataset.
        """
        if isinstance(self.calibration, Mapping):
            return dict(self.calibration)
        return {task.name: self.calibration for task in spec.tasks if task.kind == "binary"}

    def unpooled_sequences(self, spec: DatasetSpec) -> tuple[str, ...]:
        """Returns the names of the sequences that have a field for each position.

        Args:
            spec: Features of the dataset.
        """
        return sequences(spec) if self.sequences == "concat" else ()

    def check_tasks(self, spec: DatasetSpec) -> None:
        """Checks that the options fit the features and tasks of a dataset.

        Args:
            spec: Features and tasks.

        Raises:
            FieldError: If an option names a task that the spec does not have, or a task of a wrong kind.
        """
        tasks = {task.name: task for task in spec.tasks}
        for name in ("task_weights", "positive_weights", "negative_weights", "label_means"):
            for task in getattr(self, name):
                require(task in tasks, (name, task), "a task of the spec", task)
        for name in ("positive_weights", "negative_weights"):
            for task in getattr(self, name):
                require(tasks[task].kind == "binary", (name, task), "a binary task", task)
        for task, mean in self.label_means.items():
            is_valid = tasks[task].kind != "binary" or mean < 1
            require(is_valid, ("label_means", task), "below 1 for a binary task", mean)
        for task in self.calibration if isinstance(self.calibration, Mapping) else ():
            is_binary = task in tasks and tasks[task].kind == "binary"
            require(is_binary, ("calibration", task), "a binary task of the spec", task)
        for task in self.dependence if isinstance(self.dependence, Mapping) else ():
            follows = task in tasks and tasks[task].follows is not None and tasks[task].kind == "binary"
            require(follows, ("dependence", task), "a binary task of the spec that follows another", task)
        late = [task.name for task in spec.tasks if task.open_labels is not None and task.open_labels.trains_open_rows]
        for name in late:
            expected = f"omitted with `maturity: {tasks[name].open_labels.maturity}` of {name}"  # type: ignore[union-attr]
            for option in ("positive_weights", "negative_weights"):
                require(name not in getattr(self, option), (option, name), expected, getattr(self, option).get(name))
            require(not self.focal_gamma, "focal_gamma", expected, self.focal_gamma)
            require(not (self.local_space and tasks[name].follows), "local_space", expected, self.local_space)


def require_widths(name: str, widths: Iterable[int], minimum: int = 0) -> None:
    """Raises a `FieldError` unless an option holds positive widths of layers.

    Args:
        name: Name of the option.
        widths: Widths of the layers.
        minimum: Number of layers there must be at least, 0 or 1.
    """
    widths = tuple(widths)
    expected = "one or more positive widths" if minimum else "positive widths"
    require(len(widths) >= minimum and all(width >= 1 for width in widths), name, expected, widths)


def require_rate(name: str, rate: float) -> None:
    """Raises a `FieldError` unless an option is a dropout rate.

    Args:
        name: Name of the option.
        rate: Share of the units that is dropped.
    """
    require(0 <= rate < 1, name, "in [0, 1)", rate)
