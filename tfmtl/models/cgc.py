"""CGC: shared experts, experts of each task, and a gate for each task."""

from collections.abc import Mapping
from typing import Any

from tfmtl.layers import CGC, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.cgc import INFO, CGCOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("cgc")
class CustomizedGateControl(MultiTaskModel):
    """Customized Gate Control (CGC), the single-level version of PLE.

    Each task has experts E_k that no other task uses, and all tasks share the experts E_s; they read the embeddings x
    of the fields. The gate of a task weights its own and the shared experts for each row, and its tower reads the
    weighted sum:

    `y_k = tower_k(g_k(x) [E_k(x), E_s(x)])` with `g_k(x) = softmax(W_k x)`.

    `PLE` with one level is this model, and so is `MAN` without attention. The weights of the gates are recorded as
    `gate/<task>`, `(batch, num_per_task + num_shared)`, with the task's own experts first.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `CGCOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import CustomizedGateControl, CGCOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = CGCOptions(embedding_dim=4, num_shared=1, num_per_task=1, expert_units=(8,))
        >>> model = CustomizedGateControl(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Tang et al., 2020, Progressive Layered Extraction](https://doi.org/10.1145/3383313.3412236), section 4.1
    """

    options_class = CGCOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults

    options: CGCOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: CGCOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or CGCOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [task.name for task in spec.tasks]
        self.cgc = CGC(
            names, options.num_shared, options.num_per_task, options.expert_units, dropout=options.dropout, name="cgc"
        )
        self.towers = {name: Tower(options.tower_units, dropout=options.dropout, name=name) for name in names}

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        mixed = self.cgc(self.embed_flat(features), training=training)
        return {name: tower(mixed[name], training=training) for name, tower in self.towers.items()}
