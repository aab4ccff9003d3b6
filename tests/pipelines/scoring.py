"""Reads rows and scores them, for tests that compare the scores of one row."""

import glob

import numpy as np
import tensorflow as tf


def read_examples(end_to_end, split: str) -> list[bytes]:
    """Returns the serialized tf.Examples of a split."""
    files = sorted(glob.glob(f"{end_to_end.run.uri('LogExampleGen', 'examples')}/Split-{split}/*"))
    return list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())


def graph_session_scores(directory: str, signature: str, inputs: dict) -> dict[str, np.ndarray]:
    """Runs a signature as TensorFlow Serving does: in a session, with the tables initialized by the loader."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(directory))
        definition = graph.signature_def[signature]
        assert set(definition.inputs) == set(inputs)
        feeds = {definition.inputs[name].name: value for name, value in inputs.items()}
        return session.run({name: tensor.name for name, tensor in definition.outputs.items()}, feeds)
