"""PLE: levels of shared experts and experts of each task, each of which reads the output of the level below."""

from collections.abc import Mapping
from typing import Any

from tfmtl import introspection
from tfmtl.layers import ExtractionNetwork, Tower
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.options.ple import INFO, PLEOptions
from tfmtl.models.registry import register_model
from tfmtl.spec import DatasetSpec
from tfmtl.types import Features, Tensor


@register_model("ple")
class PLE(MultiTaskModel):
    """Progressive Layered Extraction (PLE).

    Several levels of experts follow each other. On each level, every task has experts that no other task uses, and uses
    the shared experts; a gate for each task weights both, and a further gate weights the experts of all tasks and the
    shared ones for the shared part of the next level. The last level has no shared part:

    `y_k = tower_k(x_{k,N})` with `x_{k,l} = g_{k,l}(x_{k,l-1}) [E_{k,l}(x_{k,l-1}), E_{s,l}(x_{s,l-1})]`,

    where `x_{k,0} = x_{s,0}` are the embeddings of the fields. With one level this is `CustomizedGateControl`. A level
    is a layer `tfmtl.layers.ExtractionNetwork`. The weights of the gates are recorded as `gate/<task>/<level>` and
    `gate/shared-part/<level>`.

    Choices where the papers are not specific:

    - All levels have the same numbers of experts, with the same widths.
    - MAN compares with a PLE of "8 experts, where 4 shared experts and 4 task-specific experts for fair comparison".
      The preset has 4 for each task, as MAN itself has, so that a gate weights 8 experts as in OMoE and MMoE.
    - AdaFTR sets "the number of experts to three for all". The preset has one shared expert and one for each of its two
      tasks.
    - Neither paper gives the number of levels. The presets have two, because one level is CGC, which M2M lists
      separately.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters. Defaults to `PLEOptions()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name, each `(batch,)` or `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import PLE, PLEOptions
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user"), CategoricalFeature("item"))
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> options = PLEOptions(embedding_dim=4, num_shared=1, num_per_task=1, expert_units=(8,))
        >>> model = PLE(DatasetSpec("shop", features, tasks), {"user": 100, "item": 50}, options)
        >>> scores = model.score({"user": np.array([3, 7]), "item": np.array([1, 0])})
        >>> {name: tuple(values.shape) for name, values in scores.items()}
        {'click': (2,), 'buy_given_click': (2,), 'buy': (2,)}

    References:
        - [Tang et al., 2020, Progressive Layered Extraction](https://doi.org/10.1145/3383313.3412236), section 4.2
    """

    options_class = PLEOptions
    paper = INFO.paper
    equations = INFO.equations
    defaults = INFO.defaults
    presets = INFO.presets

    options: PLEOptions

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: PLEOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or PLEOptions()
        super().__init__(spec, vocabulary_sizes, options, **kwargs)
        names, sizes = [task.name for task in spec.tasks], (options.num_shared, options.num_per_task)
        self.levels = [
            ExtractionNetwork(
                names,
                *sizes,
                options.expert_units,
                dropout=options.dropout,
                is_last=level == options.num_levels - 1,
                name=f"level_{level}",
            )
            for level in range(options.num_levels)
        ]
        self.towers = {name: Tower(options.tower_units, dropout=options.dropout, name=name) for name in names}

    def call(self, features: Features, training: bool | None = None) -> dict[str, Tensor]:
        shared = self.embed_flat(features)
        extracted = dict.fromkeys(self.towers, shared)
        for index, level in enumerate(self.levels):
            with introspection.collect() as taps:
                outputs = level(extracted, shared, training=training)
            for name, value in taps.items():  # A gate has the name of its task on every level.
                introspection.record(f"{name}/{index}", value)
            extracted, shared = (outputs, None) if level.is_last else outputs
        return {name: tower(extracted[name], training=training) for name, tower in self.towers.items()}
