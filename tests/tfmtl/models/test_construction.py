"""Construction of every model: by its constructor and by `from_spec`, with signatures that list the arguments."""

import dataclasses
import importlib
import inspect
from collections.abc import Mapping

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmtl.models
from tests.tfmtl import cases
from tests.tfmtl.tiny_models import OPTIONS, data_of, rows_of
from tfmtl import DatasetSpec, config
from tfmtl.config import ConfigError
from tfmtl.models import MODELS, CGCOptions, CustomizedGateControl, MMoE, MMoEOptions, MultiTaskModel, SharedBottom

EVERY = pytest.mark.parametrize("name", MODELS)


def tiny_options(name):
    """Options object of a small model."""
    return config.build(MODELS[name].options_class, config.Document({"embedding_dim": 4, **OPTIONS[name]}))


@EVERY
def test_constructor_builds_the_same_model_as_from_spec(name):
    spec, sizes = data_of(name)
    keras.utils.set_random_seed(3)
    constructed = MODELS[name](spec, sizes, options=tiny_options(name))
    keras.utils.set_random_seed(3)
    from_spec = MODELS[name].from_spec(spec, sizes, **{"embedding_dim": 4, **OPTIONS[name]})
    assert constructed.built
    assert from_spec.built
    assert constructed.options == from_spec.options
    assert len(constructed.weights) > 4
    for one, other in zip(constructed.get_weights(), from_spec.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    features, _ = rows_of(name, 5)
    for output, values in constructed.score(features).items():
        np.testing.assert_array_equal(values, from_spec.score(features)[output])


@pytest.mark.parametrize("name", ["mmoe", "m2m", "adaftr"])
def test_constructor_calls_the_model_once_with_values(name, monkeypatch):
    """A symbolic call, which Keras makes for a model that is not built, takes several times as long."""
    eager = []

    class Counted(MODELS[name]):
        def call(self, features, training=None):
            eager.append(tf.executing_eagerly())
            return super().call(features, training=training)

    model = Counted.from_spec(*data_of(name), **{"embedding_dim": 4, **OPTIONS[name]})
    assert eager == [True]
    assert all(layer.built for layer in model._flatten_layers())


@pytest.mark.parametrize("name", ["mmoe", "esmm", "escm2_dr", "aitm", "adaftr"])
def test_options_are_optional(name):
    spec, sizes = data_of(name)
    model = MODELS[name](spec, sizes)
    assert model.built
    assert model.options == MODELS[name].options_class()


@EVERY
def test_signature_of_the_constructor(name):
    parameters = inspect.signature(MODELS[name]).parameters
    assert list(parameters) == ["spec", "vocabulary_sizes", "options", "kwargs"]
    assert parameters["spec"].annotation is DatasetSpec
    assert parameters["vocabulary_sizes"].annotation == Mapping[str, int]
    assert parameters["options"].default is None
    options_class = MODELS[name].options_class
    assert parameters["options"].annotation == options_class | None
    assert getattr(tfmtl.models, options_class.__name__) is options_class


@EVERY
def test_signature_and_docstring_of_from_spec_list_the_options(name):
    model = MODELS[name]
    signature = inspect.signature(model.from_spec)
    fields = {field.name: field for field in dataclasses.fields(model.options_class)}
    assert list(signature.parameters) == ["spec", "vocabulary_sizes", *fields]
    assert signature.return_annotation is model
    defaults = model.options_class()
    for field in fields:
        parameter = signature.parameters[field]
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default == getattr(defaults, field)
        assert parameter.annotation is not inspect.Parameter.empty
        assert f"\n    {field}: " in inspect.getdoc(model.from_spec)
    assert "Option of the model." not in model.from_spec.__doc__
    assert "**options" not in model.from_spec.__doc__
    assert max(len(line) for line in model.from_spec.__doc__.splitlines()) <= 120


def test_from_spec_has_the_defaults_of_its_class():
    text = str(inspect.signature(MMoE.from_spec))
    assert "num_experts: int = 8" in text
    assert "space: Literal['entire', 'conditional'] = 'entire'" in text
    assert "expert_units: tuple[int, ...] = (256, 128)" in text
    assert "num_experts: Number of experts, which all tasks share. Defaults to `8`." in MMoE.from_spec.__doc__


def test_constructor_of_a_subclass_builds_once_it_has_returned():
    class Doubled(SharedBottom):
        def __init__(self, spec, vocabulary_sizes, options=None, **kwargs):
            super().__init__(spec, vocabulary_sizes, options, **kwargs)
            assert not self.built
            self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

        def call(self, features, training=None):
            return {name: self.factor * logit for name, logit in super().call(features, training).items()}

    model = Doubled.from_spec(cases.pair(), cases.SIZES, embedding_dim=4, bottom_units=[4])
    assert model.built
    assert any(weight is model.factor for weight in model.weights)

    class Renamed(Doubled):
        """Subclass without a constructor."""

    assert Renamed(cases.pair(), cases.SIZES).built


def test_own_from_spec_of_a_subclass_is_kept():
    class Fixed(MMoE):
        @classmethod
        def from_spec(cls, spec, vocabulary_sizes):
            return cls(spec, vocabulary_sizes, MMoEOptions(num_experts=2, expert_units=(4,)))

    assert Fixed.from_spec(cases.pair(), cases.SIZES).options.num_experts == 2
    assert list(inspect.signature(Fixed.from_spec).parameters) == ["spec", "vocabulary_sizes"]


def test_constructor_passes_name_and_dtype_on():
    options = MMoEOptions(embedding_dim=4, num_experts=2, expert_units=(4,))
    model = MMoE(cases.pair(), cases.SIZES, options, name="shop_model", dtype="float32")
    assert model.name == "shop_model"
    assert keras.models.clone_model(model).name == "shop_model"


def test_rejects_options_of_another_model():
    expected = r"`options` should be an instance of MMoEOptions\. Received: CGCOptions\("
    with pytest.raises(ValueError, match=expected):
        MMoE(cases.pair(), cases.SIZES, CGCOptions())
    with pytest.raises(
        ValueError, match=r"`options` should be an instance of CGCOptions\. Received: \{'num_shared': 1\}"
    ):
        CustomizedGateControl(cases.pair(), cases.SIZES, {"num_shared": 1})


def test_rejects_an_option_as_an_argument_of_the_constructor():
    expected = r"as `options=MMoEOptions\(num_experts=\.\.\.\)` or `MMoE\.from_spec\(\.\.\., num_experts=\.\.\.\)`"
    with pytest.raises(ValueError, match=expected):
        MMoE(cases.pair(), cases.SIZES, num_experts=2)


def test_rejects_options_that_name_an_unknown_task():
    with pytest.raises(ConfigError, match=r"task_weights\.klick: should be a task of the spec\. Received: 'klick'"):
        MMoE(cases.pair(), cases.SIZES, MMoEOptions(task_weights={"klick": 1.0}))


@EVERY
def test_the_registry_describes_the_class(name):
    """The description is made without the class; a class with another model as its base inherits nothing else."""
    info, model = MODELS.info(name), MODELS[name]
    assert (info.name, info.class_name, info.module) == (name, model.__name__, model.__module__)
    assert info.options_class is model.options_class
    assert (info.paper, info.equations) == (model.paper, model.equations)
    assert (info.defaults, info.presets) == (model.defaults, model.presets)
    assert 0 < len(info.summary) <= 39
    for preset in info.presets:
        assert info.preset(preset) == model.preset(preset)
        config.build(info.options_class, config.Document(config.to_plain(info.preset(preset))))


def test_public_names():
    classes = {model.__name__ for model in MODELS.values()} | {
        model.options_class.__name__ for model in MODELS.values()
    }
    others = {"MODELS", "ModelOptions", "MultiTaskModel", "RowWeights", "model_class", "register_model"}
    assert set(tfmtl.models.__all__) == classes | others
    assert all(hasattr(tfmtl.models, name) for name in tfmtl.models.__all__)
    assert all(issubclass(model, MultiTaskModel) for model in MODELS.values())


def test_import_on_another_backend_raises_one_clear_error(monkeypatch):
    module = importlib.import_module("tfmtl.models._requires_tensorflow")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    expected = r"`tfmtl\.models` should be used with the TensorFlow backend of Keras .*\. Received: jax"
    with pytest.raises(RuntimeError, match=expected):
        importlib.reload(module)
