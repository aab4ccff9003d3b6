"""Scored rows of a small log, and SavedModels that return them."""

import numpy as np
import tensorflow as tf

from pipelines.evaluation.scored_batch import ScoredBatch
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task

PAGES = ("home", "search", "only clicks", "")
SPEC = DatasetSpec(
    "shop",
    (CategoricalFeature("page"),),
    (Task("click", "clicked", output="ctr"), Task("buy", "bought", follows="click"), Task("pay", "paid", kind="count")),
    scenario="page",
    group_key="user",
)
OUTPUTS = tuple(output.name for output in SPEC.outputs)


def batch(rows=3000, seed=0, has_baseline=True):
    """Returns rows of four pages, of which one has clicks only and one has no name, with scores of two models."""
    rng = np.random.default_rng(seed)
    pages = rng.choice([page.encode() for page in PAGES], rows).astype(object)
    users = rng.integers(0, 150, rows)
    logits = rng.normal(-1, 1, rows) + rng.normal(0, 1, 150)[users]
    logits[pages == b"only clicks"] = 8.0
    clicked = (rng.random(rows) < 1 / (1 + np.exp(-logits))) | (pages == b"only clicks")
    likes = rng.normal(-1, 1, rows)
    bought = clicked & (rng.random(rows) < 1 / (1 + np.exp(-likes)))
    labels = {name: values.astype(float) for name, values in (("clicked", clicked), ("bought", bought))}
    labels["paid"] = rng.poisson(3.0, rows).astype(float)

    def scores(noise):
        ctr, cvr = (1 / (1 + np.exp(-(one + rng.normal(0, noise, rows)))) for one in (logits, likes))
        found = {"ctr": ctr, "buy_given_click": cvr, "buy": ctr * cvr, "pay": rng.gamma(30.0, 0.1, rows)}
        return {name: values.astype(np.float32).astype(float) for name, values in found.items()}

    return ScoredBatch(labels, scores(0.5), scores(1.0) if has_baseline else {}, pages, users.astype(np.int64))


def part(whole, rows):
    """Returns some rows of a batch."""

    def take(columns):
        return {name: values[rows] for name, values in columns.items()}

    return ScoredBatch(
        take(whole.labels), take(whole.scores), take(whole.baseline), whole.scenarios[rows], whole.groups[rows]
    )


def write_examples(whole, folder, files=3):
    """Writes the rows as tf.Examples, which hold the scores of both models, and returns the paths."""
    paths = []
    for number, rows in enumerate(np.array_split(np.arange(len(whole.groups)), files)):
        paths.append(str(folder / f"rows-{number}.gz"))
        with tf.io.TFRecordWriter(paths[-1], tf.io.TFRecordOptions("GZIP")) as writer:
            for row in rows:
                writer.write(_example(whole, row))
    return paths


def save_model(folder, name):
    """Saves a model that returns the scores which tf.Examples hold under a name, and returns the folder."""
    columns = {f"{name} {output}": tf.io.FixedLenFeature([], tf.float32) for output in OUTPUTS}
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")], autograph=False)
    def score(examples):
        parsed = tf.io.parse_example(examples, columns)
        return {output: parsed[f"{name} {output}"] for output in OUTPUTS}

    module.score = score
    tf.saved_model.save(module, str(folder), signatures={"serving_default": score})
    return str(folder)


def _example(whole, row):
    example = tf.train.Example()
    for label, values in whole.labels.items():
        example.features.feature[label].int64_list.value.append(int(values[row]))
    if whole.scenarios[row]:
        example.features.feature["page"].bytes_list.value.append(whole.scenarios[row])
    example.features.feature["user"].bytes_list.value.append(str(whole.groups[row]).encode())
    for name, scores in (("new", whole.scores), ("old", whole.baseline)):
        for output, values in scores.items():
            example.features.feature[f"{name} {output}"].float_list.value.append(values[row])
    return example.SerializeToString()
