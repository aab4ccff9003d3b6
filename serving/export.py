"""Export: a trained model and its transform as one SavedModel that TF Serving's C++ session runs."""

import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from serving import raw_features
from serving.raw_features import EXAMPLES
from serving.warmup import write_warmup
from tfmtl.model_inputs import transformed_inputs
from tfmtl.models import MultiTaskModel

SERVING_DEFAULT = "serving_default"
RAW = "raw"
TRANSFORMED = "transformed"
DESCRIPTION = "assets.extra/tfmtl_model.json"


class ServingModule(tf.Module):
    """What is saved: the model's variables, the transform with its vocabularies, and three signatures.

    It holds `tf.Variable`s rather than the Keras model: a SavedModel that tracks Keras's own variable objects loads
    in Python and then fails in a C++ session (`Could not find variable`).

    Args:
        model: a built model; its `serving_model` is what is saved.
        transform: maps raw features (`tf.SparseTensor`s by name) to transformed ones. It is tracked, so that its
            lookup tables and their vocabulary files are saved too.
    """

    def __init__(self, model: MultiTaskModel, transform: Callable[[dict], dict]):
        super().__init__()
        self._spec = model.spec
        self._score = model.serving_model().score
        self.model_variables = [variable.value for variable in model.serving_model().weights]
        self.transform = transform

    def transform_and_score(self, features: Mapping[str, tf.SparseTensor]) -> dict[str, tf.Tensor]:
        transformed = self.transform(dict(features))
        names = [i.name for i in transformed_inputs(self._spec)]
        return self._score({name: transformed[name] for name in names})

    def signatures(self) -> dict[str, Any]:
        """`serving_default` (tf.Examples of raw features), `raw` (a tensor each), `transformed` (what a model sees)."""
        spec = self._spec

        @tf.function(autograph=False)
        def serving_default(examples):
            return self.transform_and_score(raw_features.parse_examples(spec, examples))

        @tf.function(autograph=False)
        def raw(**tensors):
            return self.transform_and_score(raw_features.from_tensors(spec, tensors))

        @tf.function(autograph=False)
        def transformed(**tensors):
            return self._score(tensors)

        raw_specs = {i.name: tf.TensorSpec(i.shape, i.dtype, i.name) for i in raw_features.raw_inputs(spec)}
        transformed_specs = {i.name: tf.TensorSpec([None, *i.shape], i.dtype, i.name) for i in transformed_inputs(spec)}
        return {
            SERVING_DEFAULT: serving_default.get_concrete_function(tf.TensorSpec([None], tf.string, EXAMPLES)),
            RAW: raw.get_concrete_function(**raw_specs),
            TRANSFORMED: transformed.get_concrete_function(**transformed_specs),
        }


def export(
    model: MultiTaskModel,
    transform: Any,
    directory: str,
    *,
    warmup_examples: Sequence[bytes] = (),
    model_name: str = "tfmtl",
) -> str:
    """Writes the SavedModel with its warm-up requests and a description of itself.

    Args:
        model: a built model.
        transform: a callable and trackable such as `tft.TFTransformOutput.transform_features_layer()`.
        directory: to write to.
        warmup_examples: serialized tf.Examples of raw features; some rows of the log.
        model_name: under which a server will know the model.

    Returns:
        The model's fingerprint (see `fingerprint`).
    """
    module = ServingModule(model, transform)
    tf.saved_model.save(module, directory, signatures=module.signatures())
    write_warmup(model.spec, transform, directory, list(warmup_examples) or [b""], model_name)
    digest = fingerprint(model, directory)
    description = {
        "fingerprint": digest,
        "model": type(model).__name__,
        "spec_hash": model.spec.hash,
        "spec": model.spec.to_dict(),
        "outputs": [output.name for output in model.spec.outputs],
    }
    with tf.io.gfile.GFile(f"{directory}/{DESCRIPTION}", "w") as file:
        json.dump(description, file, indent=1)
    return digest


def fingerprint(model: MultiTaskModel, directory: str) -> str:
    """SHA-256 of what decides a score: configuration, weights, vocabularies. Two exports of one model have the same."""
    model = model.serving_model()
    digest = hashlib.sha256(json.dumps(model.get_config(), sort_keys=True).encode())
    for variable in model.weights:
        digest.update(variable.path.encode() + variable.numpy().tobytes())
    for asset in sorted(tf.io.gfile.listdir(f"{directory}/assets")):
        with tf.io.gfile.GFile(f"{directory}/assets/{asset}", "rb") as file:
            digest.update(asset.encode() + file.read())
    return digest.hexdigest()


def describe(directory: str | pathlib.Path) -> dict[str, Any]:
    """What `export` wrote of the model: fingerprint, class, spec, outputs; empty where another program exported it."""
    path = f"{directory}/{DESCRIPTION}"
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as file:
        return json.load(file)
