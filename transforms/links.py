"""One file in two folders, without its bytes being there twice where that can be."""

import os

import tensorflow as tf


def link(path: str, final: str) -> None:
    """Makes `final` the file `path`: by a hard link, or by a copy where there can be none."""
    tf.io.gfile.makedirs(os.path.dirname(final))
    if tf.io.gfile.exists(final):
        tf.io.gfile.remove(final)  # It may be a link to `path`, into which nothing must be copied.
    try:
        os.link(path, final)
    except OSError:  # Another disk, or an object store.
        tf.io.gfile.copy(path, final)
