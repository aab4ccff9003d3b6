"""MultiTaskModel: the base class of all models."""

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras

from tfmtl import config, introspection
from tfmtl.html_views import model_html
from tfmtl.losses.uncertainty import UncertaintyWeighting
from tfmtl.models.core.batches import prepare_features
from tfmtl.models.core.calibrated_heads import CalibratedHeads
from tfmtl.models.core.chain_losses import ChainLosses
from tfmtl.models.core.construction import build_after, check_options, from_spec_with_options, saved_options
from tfmtl.models.core.heads import head_space, task_outputs
from tfmtl.models.core.logit_terms import LogitTerms
from tfmtl.models.core.trained_model import TrainedModel
from tfmtl.models.options.base import ModelOptions
from tfmtl.models.options.info import find_preset
from tfmtl.precision import dtype_policy
from tfmtl.spec import DatasetSpec
from tfmtl.types import Config, Features, Tensor


class MultiTaskModel(CalibratedHeads, LogitTerms, TrainedModel):
    """Model of the tasks of a dataset: an embedding of the transformed features, and one logit for each task.

    A subclass defines `options_class` and `call(features, training)`, which returns logits by task name. `spaces` gives
    the meaning of the logits: a head on the *entire* space predicts P(label = 1 | x), and a head on the *conditional*
    space predicts P(label = 1 | previous label = 1, x). The logit of a count is the logarithm of its rate, and that of
    a value the logarithm of its mean, of a value that follows another task on the conditional space. The linear term of
    the option `wide` and the offsets (`tfmtl.spec.Offset`) are added to the logits that `call` returns.

    `predict` and `score` return all outputs of the spec under their served names, on both spaces, whichever the space
    of the heads is. A model is built when its constructor returns.

    `fit` and `evaluate` accept labels by task name or by label column, each `(batch,)` or `(batch, 1)`, and
    `sample_weight` as one array for all tasks or as a dict by task name. A label may be NaN:

    - If the label of the previous task is 0, NaN counts as 0, because the event cannot have happened.
    - Otherwise the label is not known, for example because the conversion may still happen. The row has weight 0 in the
      losses and metrics of this label.

    Args:
        spec: Features and tasks of the dataset.
        vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
        options: Hyper-parameters, an instance of `options_class`. Defaults to `options_class()`.
        **kwargs: `name` and `dtype` of `keras.Model`.

    Call arguments:
        features: Transformed features by name (`tfmtl.model_inputs.transformed_inputs`), each `(batch,)` or
            `(batch, length)`.
        training: Whether dropout is applied.

    Returns:
        Logits by task name, each `(batch,)` float32.

    Raises:
        ConfigError: If an option names a task that the spec does not have.
        ValueError: If the options are of another class, or the size of a vocabulary is missing.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.layers import Tower
        >>> from tfmtl.models import MultiTaskModel
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> class Towers(MultiTaskModel):
        ...     def __init__(self, spec, vocabulary_sizes, options=None, **kwargs):
        ...         super().__init__(spec, vocabulary_sizes, options, **kwargs)
        ...         self.towers = {task.name: Tower((8,), name=task.name) for task in spec.tasks}
        ...
        ...     def call(self, features, training=None):
        ...         inputs = self.embed_flat(features)
        ...         return {name: tower(inputs, training=training) for name, tower in self.towers.items()}
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = Towers.from_spec(spec, {"user": 100}, embedding_dim=4)
        >>> model.compile("adam")
        >>> history = model.fit({"user": np.arange(64)}, {"click": np.arange(64) % 2}, verbose=0).history
        >>> sorted(history)
        ['click_auc', 'click_loss', 'loss']
    """

    options_class: ClassVar[type[ModelOptions]] = ModelOptions
    paper: ClassVar[str] = ""
    equations: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, Any]] = {}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = build_after(cls.__init__)  # type: ignore[method-assign]
        if "from_spec" not in cls.__dict__:
            cls.from_spec = from_spec_with_options(cls)  # type: ignore[method-assign]

    def __init__(
        self,
        spec: DatasetSpec,
        vocabulary_sizes: Mapping[str, int],
        options: ModelOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = check_options(type(self), options, kwargs)
        super().__init__(**kwargs)
        try:
            options.check_tasks(spec)
        except config.FieldError as error:
            raise config.Document(None).error(error.path, error.message) from error
        self.spec = spec
        self.vocabulary_sizes = dict(vocabulary_sizes)
        self.options: Any = options
        self.embedding = self.make_embedding()
        self.wide = self.make_wide()
        self.delay_rates = self.make_delay_rates()
        self.calibrations = self.make_calibrations()
        self.uncertainty = None
        if options.weighting == "uncertainty":
            self.uncertainty = UncertaintyWeighting([task.name for task in spec.tasks], name="uncertainty")
            self.uncertainty.build()
        self.chain_losses = ChainLosses(spec, options)
        self.make_metrics((*self.chain_losses.names, *self.extra_loss_names))

    @classmethod
    def from_spec(cls, spec: DatasetSpec, vocabulary_sizes: Mapping[str, int], **options: Any) -> Self:
        """Creates a model from options that are given as keyword arguments.

        Args:
            spec: Features and tasks of the dataset.
            vocabulary_sizes: Number of tokens in the vocabulary of each feature that has one.
            **options: Fields of `options_class`.

        Returns:
            A built model.

        Raises:
            ConfigError: If an option is unknown or has a wrong value, or names a task that the spec does not have.
        """
        return cls(spec, vocabulary_sizes, config.build(cls.options_class, config.Document(options)))

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """Returns the options of a preset, for `from_spec`.

        Args:
            name: `default`, with which a settings file starts, or the name of an experiment in the model's paper.

        Raises:
            ValueError: If the model has no preset of this name; the message lists the presets.
        """
        return find_preset(cls.__name__, cls.defaults, cls.presets, name)

    @property
    def decayed_variables(self) -> list[keras.Variable]:
        """Variables that the option `weight_decay` decays, except embedding tables and the weights of losses."""
        return list(self.trainable_variables)

    @property
    def architecture_variables(self) -> list[keras.Variable]:
        """Variables that `tfmtl.training.ArchitectureSearch` trains on separate rows; none by default."""
        return []

    @property
    def upper_layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that the second stage of `tfmtl.training.TwoStage` trains: towers, and the weights of losses."""
        weights = () if self.uncertainty is None else (self.uncertainty,)
        return (*getattr(self, "towers", {}).values(), *weights)

    @property
    def spaces(self) -> dict[str, str]:
        """Space of the head of each task, `entire` or `conditional`, by task name."""
        return {task.name: head_space(task, self.options.space) for task in self.spec.tasks}

    def score(self, features: Features) -> dict[str, Tensor]:
        """Computes the served outputs.

        Args:
            features: Transformed features by name.

        Returns:
            Probabilities, rates and means of values by output name, on both spaces, each `(batch,)` float32.
        """
        features = prepare_features(self.spec, features)
        logits = self.calibrated(self(features, training=False), features)
        return task_outputs(self.spec, self.spaces, logits)

    def inspect(self, features: Features) -> dict[str, Tensor]:
        """Returns what the layers of the model record in a forward pass.

        Args:
            features: Transformed features by name.

        Returns:
            Tensors by path, such as `gate/click` (see `tfmtl.introspection`).
        """
        with introspection.collect() as taps:
            self(prepare_features(self.spec, features), training=False)
        return taps

    def _repr_html_(self) -> str:
        return model_html(self)

    @functools.wraps(keras.Model.export)
    def export(self, *args: Any, **kwargs: Any) -> Any:
        # Keras derives a signature from the shapes of the inputs alone, in which all of them are floats.
        if kwargs.get("input_signature") is None and len(args) < 4:
            kwargs["input_signature"] = [self.input_signature]
        return super().export(*args, **kwargs)

    def get_config(self) -> Config:
        """Returns the arguments of `from_config`."""
        return {
            "name": self.name,
            "spec": self.spec.to_dict(),
            "vocabulary_sizes": self.vocabulary_sizes,
            # All values, so that a model stays as it was saved if a default changes.
            "options": {**config.defaults_of(self.options_class, {}), **config.to_plain(self.options)},
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Creates a model as it was saved; former names of options and values are accepted.

        Args:
            config: Result of `get_config`.
        """
        options = saved_options(cls.options_class, config["options"])
        with dtype_policy(keras.saving.deserialize_keras_object(config["dtype"])):
            spec = DatasetSpec.from_dict(config["spec"])
            model = cls(spec, config["vocabulary_sizes"], options)
        model.name = config["name"]
        return model
