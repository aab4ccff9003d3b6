"""PLE: levels of shared and task-specific experts, each of which reads what the level below extracted."""

import dataclasses
from typing import Any, ClassVar

from tfmtl import introspection
from tfmtl.config import require
from tfmtl.layers import ExtractionNetwork, Tower
from tfmtl.models.cgc import CGCOptions
from tfmtl.models.core.multi_task_model import MultiTaskModel
from tfmtl.models.registry import register_model


@dataclasses.dataclass(frozen=True)
class PLEOptions(CGCOptions):
    """Options of `PLE`: those of `CustomizedGateControl`, for each level, and how many levels there are.

    Attributes:
        num_levels: how many extraction networks stand one on the other.
    """

    num_levels: int = 2

    def __post_init__(self):
        super().__post_init__()
        require(self.num_levels >= 1, "num_levels", "at least 1", self.num_levels)


@register_model("ple")
class PLE(MultiTaskModel):
    """`y_k = tower_k(x_{k,N})`, `x_{k,l} = g_{k,l}(x_{k,l-1}) [E_{k,l}(x_{k,l-1}), E_{s,l}(x_{s,l-1})]`.

    `x_{k,0} = x_{s,0}` are the embeddings, and the shared part x_{s,l} mixes the experts of all tasks and the shared
    ones; the last level, N, has none. One level is `CustomizedGateControl`. A level is
    `tfmtl.layers.ExtractionNetwork`; the gates' weights are recorded as `gate/<task>/<level>` and
    `gate/shared-part/<level>`.

    Decisions where the papers leave room:

    - All levels have the same numbers of experts, of the same widths.
    - MAN gives its PLE "8 experts, where 4 shared experts and 4 task-specific experts for fair comparison": 4 for each
      task, as MAN itself has, so that a gate sees 8 as OMoE's and MMoE's do.
    - AdaFTR sets "the number of experts to three for all": a shared one and one for each of its two tasks.
    - Neither says how many levels there are: two, for with one it would be CGC, which M2M lists by its own name.

    References:
        - [Tang et al., 2020, Progressive Layered Extraction](https://doi.org/10.1145/3383313.3412236), section 4.2
    """

    options_class = PLEOptions
    paper = "Tang et al., 2020, Progressive Layered Extraction (RecSys)"
    equations = "section 4.2"
    presets: ClassVar = {
        "man_ali_ccp": {
            "embedding_dim": 5,
            "embedding_l2": 5e-7,
            "weight_decay": 1e-6,
            "num_shared": 4,
            "num_per_task": 4,
            "expert_units": [256, 128],
            "tower_units": [128, 16, 32],
        },
        "adaftr_ali_ccp": {
            "embedding_dim": 8,
            "space": "conditional",
            "num_shared": 1,
            "num_per_task": 1,
            "expert_units": [64],
            "tower_units": [64, 32, 16],
        },
        "adaftr_ecomm_ads": {
            "embedding_dim": 8,
            "space": "conditional",
            "num_shared": 1,
            "num_per_task": 1,
            "expert_units": [128],
            "tower_units": [128, 64, 32],
        },
    }

    def __init__(self, spec: Any, vocabulary_sizes: Any, options: PLEOptions, **kwargs: Any):
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

    def call(self, features, training=None):
        shared = self.embed_flat(features)
        extracted = dict.fromkeys(self.towers, shared)
        for index, level in enumerate(self.levels):
            with introspection.collect() as taps:
                outputs = level(extracted, shared, training=training)
            for name, value in taps.items():  # A gate's name is the task's on every level.
                introspection.record(f"{name}/{index}", value)
            extracted, shared = (outputs, None) if level.is_last else outputs
        return {name: tower(extracted[name], training=training) for name, tower in self.towers.items()}
