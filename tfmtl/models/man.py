"""MAN: shared experts, experts of each task, attention along the chain, and losses weighted by uncertainty."""

from collections.abc import Mapping
from typing import Any

import keras

from tfmtl.layers import CGC, RawValues, TaskAttention, Tower
from tfmtl.model_inputs import dense_lengths, embedding_rows, multivalent_features
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.man import INFO, MANOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("man")
class MAN(MultiTaskModel):
    """Multi-task Attention Network (MAN).

    Shared experts and experts of each task read the embeddings x of the fields, and a gate for each task weights its
    own and the shared experts (CGC). Along the chain, the vector of a task attends to the fused vector C of its
    previous task, and a tower reads the result:

    `x_k = CGC_k(x)`, `C_k = attention_k(C_prev, x_k)`, `y_k = tower_k(C_k)`,

    where prev is the task that task k follows. The tasks form a chain or a tree. A task without a previous task attends
    to itself alone, `C_k = V_k(x_k)`. The weights of the attention differ by task. By default the losses of the tasks
    are weighted by uncertainty (equation 3); `loss_factors` returns the learned factors.

    The weights of the attention are recorded as `task_attention/<task>`, and those of the gates as `gate/<task>`.

    Choices where the paper is not specific:

    - The first task has no previous task and attends to itself alone, so its attention is a linear layer.
    - Section 3.3 mentions a tower of two layers, section 4.2 gives the widths [128, 16, 32]. A tower has these hidden
      layers and a linear unit.
    - A conversion is trained on all impressions (`space="entire"`), as the AUCs of the paper are computed.
    - "Without meta-att" in Table 2 trains on "the original feature data": the id of each field as one number, scaled to
      [0, 1], instead of its embedding. "Without meta" is training without `tfmtl.training.MetaLearning`.
    - Weight decay is the L2 term with the gradient `d * w`, which Adam's option of that name added in the libraries of
      the time. Only the embeddings of the batch are decayed.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `MANOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import MAN, MANOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = MANOptions(embedding_dim=4, num_shared=1, num_per_task=1, expert_units=(8,))
        >>> model = MAN(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Luo et al., 2023, Multi-Task Deep Learning with Task Attention for Post-Click Conversion Rate Prediction]
          (https://doi.org/10.32604/iasc.2023.036622), sections 3.2 and 3.3
    """

    options_class = MANOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: MANOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: MANOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or MANOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names = [task.name for task in spec.tasks]
        self.cgc = CGC(
            names, options.num_shared, options.num_per_task, options.expert_units, dropout=options.dropout, name="cgc"
        )
        self.attention = {
            name: TaskAttention(options.attention_query, name=name) for name in names if options.attention
        }
        self.towers = {name: Tower(options.tower_units, dropout=options.dropout, name=name) for name in names}

    def make_embedding(self) -> keras.layers.Layer:
        """Creates the embedding layer, or the layer of raw values if `inputs` is "raw"."""
        if self.options.inputs == "embedding":
            return super().make_embedding()
        rows = embedding_rows(self.spec, self.vocabulary_sizes)
        return RawValues(
            rows,
            multivalent_features(self.spec),
            self.options.unpooled_sequences(self.spec),
            dense=dense_lengths(self.spec),
            name="raw_values",
        )

    @property
    def upper_layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that the second stage of `tfmtl.training.TwoStage` trains: attention, towers, weights of losses."""
        return (*self.attention.values(), *super().upper_layers)

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        fused = self.cgc(self.embed_flat(features), training=training)
        for task in self.spec.tasks if self.attention else ():  # A spec lists a task after its previous task.
            previous = fused[task.follows] if task.follows else None
            fused[task.name] = self.attention[task.name](fused[task.name], previous)
        return {name: tower(fused[name], training=training) for name, tower in self.towers.items()}
