"""Multi-task models: a dict of transformed features in, a dict of outputs by name out.

Each model is a Keras model with a class of options. `register_model` adds further models.

`import tfmtl.models` gives the options and the registry, and imports neither Keras nor TensorFlow. The class of a model
is imported when it is first used. A saved model can be loaded after `import tfmtl.models` alone, because the classes
are announced to Keras (`tfmtl.models.saved_classes`).

Example:
    >>> from tfmtl.models import MMoEOptions
    >>> MMoEOptions(num_experts=4).embedding_dim
    16
"""

import importlib
from typing import TYPE_CHECKING, Any

import tfmtl.models.catalogue  # noqa: F401  Fills the registry.
from tfmtl.models import saved_classes
from tfmtl.models.options.adaftr import AdaFTROptions
from tfmtl.models.options.aitm import AITMOptions
from tfmtl.models.options.apem import APEMOptions
from tfmtl.models.options.autoheri import AutoHERIOptions
from tfmtl.models.options.base import ModelOptions
from tfmtl.models.options.cgc import CGCOptions
from tfmtl.models.options.cross_stitch import CrossStitchOptions
from tfmtl.models.options.escm2_dr import ESCM2DROptions
from tfmtl.models.options.escm2_ips import ESCM2Options
from tfmtl.models.options.esmm import ESMMOptions
from tfmtl.models.options.m2m import M2MOptions
from tfmtl.models.options.man import MANOptions
from tfmtl.models.options.mmoe import MMoEOptions
from tfmtl.models.options.mran import MRANOptions
from tfmtl.models.options.omoe import OMoEOptions
from tfmtl.models.options.ple import PLEOptions
from tfmtl.models.options.shared_bottom import SharedBottomOptions
from tfmtl.models.options.single_task import SingleTaskOptions
from tfmtl.models.registry import MODELS, model_class, register_model

if TYPE_CHECKING:
    from tfmtl.models.adaftr import AdaFTR
    from tfmtl.models.aitm import AITM
    from tfmtl.models.apem import APEM
    from tfmtl.models.autoheri import AutoHERI
    from tfmtl.models.cgc import CustomizedGateControl
    from tfmtl.models.core.batches import RowWeights
    from tfmtl.models.core.multi_task_model import MultiTaskModel
    from tfmtl.models.cross_stitch import CrossStitchNetwork
    from tfmtl.models.escm2_dr import ESCM2DR
    from tfmtl.models.escm2_ips import ESCM2IPS
    from tfmtl.models.esmm import ESMM
    from tfmtl.models.m2m import M2M
    from tfmtl.models.man import MAN
    from tfmtl.models.mmoe import MMoE
    from tfmtl.models.mran import MRAN
    from tfmtl.models.omoe import OMoE
    from tfmtl.models.ple import PLE
    from tfmtl.models.shared_bottom import SharedBottom
    from tfmtl.models.single_task import SingleTask

__all__ = [
    "AITM",
    "APEM",
    "ESCM2DR",
    "ESCM2IPS",
    "ESMM",
    "M2M",
    "MAN",
    "MODELS",
    "MRAN",
    "PLE",
    "AITMOptions",
    "APEMOptions",
    "AdaFTR",
    "AdaFTROptions",
    "AutoHERI",
    "AutoHERIOptions",
    "CGCOptions",
    "CrossStitchNetwork",
    "CrossStitchOptions",
    "CustomizedGateControl",
    "ESCM2DROptions",
    "ESCM2Options",
    "ESMMOptions",
    "M2MOptions",
    "MANOptions",
    "MMoE",
    "MMoEOptions",
    "MRANOptions",
    "ModelOptions",
    "MultiTaskModel",
    "OMoE",
    "OMoEOptions",
    "PLEOptions",
    "RowWeights",
    "SharedBottom",
    "SharedBottomOptions",
    "SingleTask",
    "SingleTaskOptions",
    "model_class",
    "register_model",
]

_MODULES = {
    "MultiTaskModel": "tfmtl.models.core.multi_task_model",
    "RowWeights": "tfmtl.models.core.batches",
    **{MODELS.info(name).class_name: MODELS.info(name).module for name in MODELS},
}

saved_classes.announce()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
