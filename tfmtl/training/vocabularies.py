"""Files with the tokens of a model's vocabularies, stored next to the model."""

import os
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import tensorflow as tf

FOLDER = "vocabularies"
"""Name of the folder with the files."""

Tokens: TypeAlias = Mapping[str, Sequence[bytes]]
"""Tokens of each feature that has a vocabulary by the feature's name, in the order of their ids."""


def write_vocabularies(folder: str, vocabularies: Tokens) -> None:
    """Writes a file `<folder>/vocabularies/<feature>` for each feature, with one token per line.

    Args:
        folder: Folder of the model.
        vocabularies: Tokens of each feature in the order of their ids.

    Raises:
        ValueError: If a token contains a line break.

    Example:
        >>> import tempfile
        >>> from tfmtl.training.vocabularies import read_vocabularies, write_vocabularies
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_vocabularies(folder, {"user": [b"ann", b"bob"]})
        ...     read_vocabularies(folder)
        {'user': [b'ann', b'bob']}
    """
    path = os.path.join(folder, FOLDER)
    tf.io.gfile.makedirs(path)
    for name, tokens in vocabularies.items():
        broken = [token for token in tokens if b"\n" in token]
        if broken:
            raise ValueError(f"tokens of `{name}` should be single lines. Received: {broken[0]!r}")
        with tf.io.gfile.GFile(os.path.join(path, name), "wb") as file:
            file.write(b"".join(token + b"\n" for token in tokens))


def read_vocabularies(folder: str) -> dict[str, list[bytes]]:
    """Reads the files that `write_vocabularies` wrote.

    Args:
        folder: Folder of the model.

    Returns:
        Tokens of each feature in the order of their ids.

    Raises:
        FileNotFoundError: If the folder has no folder `vocabularies`.

    Example:
        >>> import tempfile
        >>> from tfmtl.training.vocabularies import read_vocabularies, write_vocabularies
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_vocabularies(folder, {"user": []})
        ...     read_vocabularies(folder)
        {'user': []}
    """
    path = os.path.join(folder, FOLDER)
    if not tf.io.gfile.isdir(path):
        raise FileNotFoundError(
            f"{folder} should contain a folder `{FOLDER}`, written with the trained model. Received: none"
        )
    vocabularies = {}
    for name in sorted(tf.io.gfile.listdir(path)):
        with tf.io.gfile.GFile(os.path.join(path, name), "rb") as file:
            vocabularies[name] = file.read().split(b"\n")[:-1]
    return vocabularies
