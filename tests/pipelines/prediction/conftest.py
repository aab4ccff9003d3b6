"""Server of a model whose score counts what it received, so that each row has a known score."""

import pytest
import tensorflow as tf

from serving.server import EmbeddedServer
from tfmtl import DatasetSpec

SPEC = DatasetSpec.from_yaml("""
name: shop
features:
  - {name: user, kind: categorical, required: true}
  - {name: price, kind: numerical}
  - {name: tags, kind: multi_valued, separator: ";", weights: tag_weights}
  - {name: history, kind: sequence, separator: " ", max_length: 3}
  - {name: days, kind: number_sequence, max_length: 2}
tasks:
  - {name: click, label: clicked, output: ctr}
  - {name: buy, label: bought, follows: click, output: ctcvr, conditional_output: cvr}
group_key: session
split: {kind: time, column: day, eval_from: "2026-11-18", test_from: "2026-11-19"}
""")


class CountingModel(tf.Module):
    """Module whose `ctr` is the price, whose `cvr` counts weights of tags, and whose `ctcvr` counts positions."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "user"),
            tf.TensorSpec([None], tf.float32, "price"),
            tf.TensorSpec([None, None], tf.string, "tags"),
            tf.TensorSpec([None, None], tf.float32, "tag_weights"),
            tf.TensorSpec([None, 3], tf.string, "history"),
            tf.TensorSpec([None, 2], tf.float32, "days"),
        ]
    )
    def raw(self, user, price, tags, tag_weights, history, days):
        weights = tf.where(tf.equal(tags, ""), tf.zeros_like(tag_weights), tag_weights)
        recent = 1000.0 * tf.cast(tf.strings.length(history[:, -1]), tf.float32)
        positions = tf.reduce_sum(tf.cast(tf.not_equal(history, ""), tf.float32), 1)
        days = tf.reduce_sum(tf.where(tf.math.is_nan(days), 0.0, days), 1)
        known = tf.cast(tf.not_equal(user, ""), tf.float32)
        missing = tf.math.is_nan(price)
        ctcvr = recent + 100.0 * positions + days
        return {"ctr": known * tf.where(missing, -1.0, price), "cvr": tf.reduce_sum(weights, 1), "ctcvr": ctcvr}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "rows")])
    def spec(self, rows):
        return {"spec": tf.fill(tf.shape(rows), SPEC.to_json())}


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Folder of `CountingModel` as `shop`, and without its spec as `old`."""
    root = tmp_path_factory.mktemp("served")
    model = CountingModel()
    tf.saved_model.save(model, str(root / "shop" / "1"), signatures={"raw": model.raw, "spec": model.spec})
    tf.saved_model.save(model, str(root / "old" / "1"), signatures={"raw": model.raw})
    return root


@pytest.fixture(scope="session")
def address(served):
    with EmbeddedServer({"shop": served / "shop", "old": served / "old"}) as server:
        yield server.address
