"""Export of a trained model and its transform as one SavedModel for TensorFlow Serving's C++ session."""

import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from serving import description, raw_features
from serving.description import ModelDescription
from serving.graph_hash import graph_hash
from serving.raw_features import EXAMPLES
from serving.staging import complete_export
from serving.training_only import ServedTransform, served_transform
from serving.warmup import warmup_logs, write_warmup
from tfmtl.model_inputs import transformed_inputs
from tfmtl.models import MultiTaskModel

SERVING_DEFAULT = "serving_default"
RAW = "raw"
TRANSFORMED = "transformed"
ROWS = "rows"
MAX_DESCRIPTION_ROWS = 4096
"""Largest number of rows for which a server returns the description; usual batches of joined requests are smaller."""
DESCRIPTION_FILE = "assets.extra/tfmtl_model.json"


class ServingModule(tf.Module):
    """Module of the SavedModel: the model's variables, the transform with its vocabularies, and four signatures.

    The module holds `tf.Variable`s instead of the Keras model. A SavedModel that tracks Keras's variable objects loads
    in Python, but fails in a C++ session (`Could not find variable`).

    Args:
        model: Built model; its `serving_model` is saved.
        transform: Callable that maps raw features (`tf.SparseTensor`s by name) to transformed features. It is tracked,
            so that its lookup tables and their vocabulary files are saved too.
        log_format: Format of the files of the training log, which is part of the description.
    """

    def __init__(
        self, model: MultiTaskModel, transform: Callable[[dict], dict], log_format: Mapping[str, Any] | None = None
    ):
        super().__init__()
        self._spec = model.spec
        hidden = tuple(feature.name for feature in model.spec.training_only_features)
        self._description = ModelDescription(model.spec.served, dict(log_format or {}), hidden)
        self._score = model.serving_model().score
        self.model_variables = [variable.value for variable in model.serving_model().weights]
        self.transform = served_transform(transform, model.spec)
        self.tfmtl_manifest = tf.Module()  # Read by `serving.manifest.has_marker`.

    def transform_and_score(self, features: Mapping[str, tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """Returns the outputs by name, `(batch,)` each, for raw features."""
        transformed = self.transform(dict(features))
        names = [i.name for i in transformed_inputs(self._spec)]
        scores: dict[str, tf.Tensor] = self._score({name: transformed[name] for name in names})
        return scores

    def signatures(self) -> dict[str, Any]:
        """Returns the concrete function of each signature by name.

        `serving_default` takes serialized tf.Examples of raw features, `raw` one tensor for each raw feature, and
        `transformed` the transformed features; features that are known in training only are no inputs. `description`
        returns a `serving.description.ModelDescription` as JSON, so that a client of a remote server can read rows as
        the training did. It has an input and returns one value for each of its rows, because TensorFlow Serving batches
        requests of all signatures. More than `MAX_DESCRIPTION_ROWS` rows are an error, as each of them takes some
        kilobytes of memory and a byte or two in a request.
        """
        spec, text = self._spec.served, self._description.to_json()
        fixed = self.transform.fixed_ids() if isinstance(self.transform, ServedTransform) else {}

        @tf.function(autograph=False)
        def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
            return self.transform_and_score(raw_features.parse_examples(spec, examples))

        @tf.function(autograph=False)
        def raw(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
            return self.transform_and_score(raw_features.from_tensors(spec, tensors))

        @tf.function(autograph=False)
        def transformed(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
            rows = tf.shape(next(iter(tensors.values())))[:1]
            scores: dict[str, tf.Tensor] = self._score(
                {**tensors, **{name: tf.fill(rows, value) for name, value in fixed.items()}}
            )
            return scores

        @tf.function(autograph=False)
        def describe_model(rows: tf.Tensor) -> dict[str, tf.Tensor]:
            message = f"`{ROWS}` should have at most {MAX_DESCRIPTION_ROWS} rows"
            with tf.control_dependencies([tf.debugging.Assert(tf.size(rows) <= MAX_DESCRIPTION_ROWS, [message])]):
                return {description.DESCRIPTION: tf.fill(tf.shape(rows), text)}

        raw_specs = {i.name: tf.TensorSpec(i.shape, i.dtype, i.name) for i in raw_features.raw_inputs(spec)}
        transformed_specs = {i.name: tf.TensorSpec([None, *i.shape], i.dtype, i.name) for i in transformed_inputs(spec)}
        return {
            SERVING_DEFAULT: serving_default.get_concrete_function(tf.TensorSpec([None], tf.string, EXAMPLES)),
            RAW: raw.get_concrete_function(**raw_specs),
            TRANSFORMED: transformed.get_concrete_function(**transformed_specs),
            description.DESCRIPTION: describe_model.get_concrete_function(tf.TensorSpec([None], tf.string, ROWS)),
        }


@complete_export
def export(
    model: MultiTaskModel,
    transform: Any,
    directory: str,
    *,
    warmup_examples: Sequence[bytes] = (),
    model_name: str = "tfmtl",
    log_format: Mapping[str, Any] | None = None,
) -> str:
    """Writes the SavedModel with warm-up requests, a description of the model and a manifest of all files.

    The folder appears as a whole (`serving.staging`).

    Args:
        model: Built model.
        transform: Callable and trackable object such as `transforms.graph.transform_graph.TransformGraph`.
        directory: Folder to write to.
        warmup_examples: Serialized tf.Examples of raw features, usually some rows of the log, for the warm-up requests.
            Without any that has the values which the spec requires, their only row has placeholders for these.
        model_name: Name under which a server serves the model.
        log_format: Format of the files of the training log, as plain data without default values (see
            `serving.description.ModelDescription`), by which clients and `tfmtl predict` read rows.

    Returns:
        The model's fingerprint (see `fingerprint`).
    """
    module = ServingModule(model, transform, log_format)
    score = model.serving_model().score
    logs = warmup_logs(model.spec, module.transform, score, warmup_examples, model_name)  # Before anything is written.
    tf.saved_model.save(module, directory, signatures=module.signatures())
    write_warmup(directory, logs)
    digest = fingerprint(model, directory)
    described = {
        "fingerprint": digest,
        "model": type(model).__name__,
        "spec_hash": model.spec.hash,
        "spec": model.spec.to_dict(),
        "outputs": [output.name for output in model.spec.outputs],
    }
    tf.io.gfile.makedirs(f"{directory}/{DESCRIPTION_FILE}".rpartition("/")[0])
    with tf.io.gfile.GFile(f"{directory}/{DESCRIPTION_FILE}", "w") as file:
        json.dump(described, file, indent=1)
    return digest


def fingerprint(model: MultiTaskModel, directory: str) -> str:
    """Returns the SHA-256 hash of everything that decides a score: configuration, weights, and the exported graph.

    The graph is that of the signature `serving_default`, with the transform and its vocabularies (see
    `serving.graph_hash`). All exports of one model and one transform have the same fingerprint.

    Args:
        model: Model that was exported.
        directory: Folder of the SavedModel.
    """
    model = model.serving_model()
    digest = hashlib.sha256(json.dumps(model.get_config(), sort_keys=True).encode())
    for variable in model.weights:
        digest.update(variable.path.encode() + variable.numpy().tobytes())
    digest.update(graph_hash(directory, SERVING_DEFAULT).encode())
    return digest.hexdigest()


def describe(directory: str | pathlib.Path) -> dict[str, Any]:
    """Returns the description that `export` wrote: fingerprint, class, spec and outputs.

    Args:
        directory: Folder of the SavedModel.

    Returns:
        The description; empty if another program wrote the SavedModel.
    """
    path = f"{directory}/{DESCRIPTION_FILE}"
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as file:
        described: dict[str, Any] = json.load(file)
        return described
