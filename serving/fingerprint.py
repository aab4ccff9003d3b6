"""Fingerprint of a model: a hash of everything that decides a score."""

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from serving import raw_features
from serving.raw_features import RawInput
from tfmtl.model_inputs import transformed_inputs
from tfmtl.models import MultiTaskModel

_PROBES = 256
_TOKENS = 16
_LARGEST_EXPONENT = 9.0


def fingerprint(model: MultiTaskModel, transform: Callable[[dict], dict[str, Any]], directory: str) -> str:
    """Computes the SHA-256 hash of configuration, weights, vocabularies, and what the transform makes of fixed rows.

    All exports of one model have the same fingerprint. A hash of the transform's graph would not be: names of nodes and
    paths of files differ between two traces. Its outputs are therefore hashed, for rows that cover the range of numbers
    in small steps, missing values, known and unknown tokens, and lists of all lengths.

    Args:
        model: Model that was exported.
        transform: Callable that maps raw features to transformed features.
        directory: Folder of the SavedModel, which holds the vocabularies.
    """
    model = model.serving_model()
    digest = hashlib.sha256(json.dumps(model.get_config(), sort_keys=True).encode())
    for variable in model.weights:
        digest.update(variable.path.encode() + variable.numpy().tobytes())
    tokens = [b"unseen"]
    for asset in sorted(tf.io.gfile.listdir(f"{directory}/assets")):
        with tf.io.gfile.GFile(f"{directory}/assets/{asset}", "rb") as file:
            content = file.read()
        digest.update(asset.encode() + content)
        tokens += content.split(b"\n")[:_TOKENS]
    probes = {i.name: tf.constant(_column(i, tokens)) for i in raw_features.raw_inputs(model.spec)}
    transformed = transform(dict(raw_features.from_tensors(model.spec, probes)))
    for i in transformed_inputs(model.spec):
        digest.update(i.name.encode() + np.asarray(transformed[i.name]).tobytes())
    return digest.hexdigest()


def _column(i: RawInput, tokens: Sequence[bytes]) -> np.ndarray:
    """Returns the values of one input in the probes: `(_PROBES,)`, or lists of all lengths as `(_PROBES, width)`."""
    width = 1 if not i.is_multivalent else i.length or 8
    count = _PROBES * width
    if i.dtype == tf.string:
        values = np.array(list(itertools.islice(itertools.cycle([token or b"0" for token in tokens]), count)), object)
        missing: Any = b""
    else:
        half = 10.0 ** np.linspace(-_LARGEST_EXPONENT, _LARGEST_EXPONENT, count // 2)
        values, missing = np.concatenate([-half[::-1], half]).astype(np.float32), np.float32("nan")
    values = values.reshape(_PROBES, width)
    lengths = np.arange(_PROBES) % (width + 1)
    if not i.is_multivalent:
        lengths = np.ones(_PROBES, int) if i.required else np.minimum(np.arange(_PROBES) % 5, 1)
    column = np.where(np.arange(width) < lengths[:, None], values, missing)
    return column if i.is_multivalent else column[:, 0]
