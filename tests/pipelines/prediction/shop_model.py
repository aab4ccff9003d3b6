"""Rows of a shop with features of all kinds, in several forms, and a model of them with random weights."""

import pathlib
from unittest import mock

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from serving.export import export
from tfmtl import DatasetSpec
from tfmtl.models import SharedBottom
from transforms.preprocessing import make_preprocessing_fn

SPEC = DatasetSpec.from_yaml("""
name: shop
features:
  - {name: user, kind: categorical}
  - {name: shop, kind: categorical, default: null, num_oov: 3}
  - {name: price, kind: numerical, min_bucket: -8}
  - {name: tags, kind: multi_valued, separator: ";", weights: tag_weights, max_length: 4, num_oov: 2}
  - {name: topics, kind: multi_valued, max_length: 3}
  - {name: history, kind: sequence, separator: " ", max_length: 3}
  - {name: days, kind: number_sequence, max_length: 3}
  - {name: device, kind: categorical, hashed: {buckets: 20, seed: 4}}
  - {name: users, kind: sequence, max_length: 2, vocabulary: user}
  - {name: paid, kind: numerical, quantiles: 3}
  - {name: title, kind: dense, length: 2}
crosses:
  - {name: user_device, features: [user, device], buckets: 40}
  - {name: shop_paid, features: [shop, paid, price], buckets: 30}
tasks:
  - {name: click, label: clicked, output: ctr}
  - {name: buy, label: bought, follows: click, output: ctcvr, conditional_output: cvr}
""")
VOCABULARY_FEATURES = ("user", "shop", "tags", "topics", "history")
VOCABULARY = ("1", "2", "3", "u1", "u2", "u3", "ü")
NAMES = (
    "user",
    "shop",
    "price",
    "tags",
    "tag_weights",
    "topics",
    "history",
    "days",
    "device",
    "users",
    "paid",
    "title",
)
OUTPUTS = ("ctr", "cvr", "ctcvr")


def draw_rows(rng, count, valid=False):
    """Returns rows with missing values, lists of any length, empty tokens, and weights; valid ones fit their tokens."""

    def tokens(most):
        return [str(rng.choice(["", "1", "2", "3", "7", "new", "ü"])) for _ in range(rng.integers(0, most))]

    def numbers(number):
        return [float(np.float32(rng.normal(0, 2))) for _ in range(number)]

    rows = []
    for _ in range(count):
        row = {"user": f"u{rng.integers(9)}", "shop": str(rng.integers(9)), "price": float(rng.integers(-9, 99))}
        row |= {"tags": tokens(7), "topics": tokens(6), "history": tokens(6), "days": numbers(rng.integers(0, 6))}
        row |= {
            "device": f"d{rng.integers(99)}",
            "users": tokens(4),
            "paid": float(rng.integers(99)),
            "title": numbers(2),
        }
        if valid and row["tags"] == [""]:  # A file has no such list: an empty text is a missing value.
            row["tags"] = ["1"]
        row["tag_weights"] = numbers(len(row["tags"]))
        kind = rng.integers(4)
        if not valid and kind == 0:
            row["tag_weights"] = []
        elif not valid and kind == 1:
            row["tag_weights"] = numbers(rng.integers(0, 7))
        elif not valid and kind == 2:
            row["tag_weights"] = [w if rng.random() < 0.6 else float("nan") for w in row["tag_weights"]]
        if rng.random() < 0.3:
            row["days"] = [day if rng.random() < 0.6 else float("nan") for day in row["days"]]
        missing = [name for name in row if rng.random() < 0.1]
        missing += ["tag_weights"] if "tags" in missing else ["tags"] if "tag_weights" in missing and valid else []
        rows.append({name: value for name, value in row.items() if name not in missing})
    return rows


def to_example(row):
    feature = {}
    for name, value in row.items():
        values = value if isinstance(value, list) else [value]
        if name in ("price", "tag_weights", "days", "paid", "title"):
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[item.encode() for item in values]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def to_csv(rows):
    """Returns the fields of each row as texts, as a CSV file has them."""

    def text(name, value):
        if not isinstance(value, list):
            return str(value)
        separator = {"tags": ";", "tag_weights": ";", "history": " "}.get(name, "|")
        return separator.join("" if item != item else str(item) for item in value)

    return [{name: text(name, row[name]) if name in row else "" for name in NAMES} for row in rows]


class Transform(tf.Module):
    """The transform of `SPEC` with given vocabularies, as Transform saves it, without an analysis of rows."""

    def __init__(self, folder):
        super().__init__()
        for name in VOCABULARY_FEATURES:
            (folder / name).write_text("".join(f"{token}\n" for token in VOCABULARY))
        (folder / "paid").write_text("20.0\n60.0\n")
        (folder / "title").write_text("0.5 2.0\n-0.25 1.5\n")
        self.tables = {}
        self._preprocess = make_preprocessing_fn(SPEC, str(folder))

    def __call__(self, features):
        with mock.patch.object(tft, "make_and_track_object", self._track):
            return self._preprocess(features)

    def _track(self, make, name):
        if name not in self.tables:
            with tf.init_scope():
                self.tables[name] = make()
        return self.tables[name]


def export_model(folder: pathlib.Path, version: int = 1) -> None:
    """Exports a model, whose random weights depend on the version, to `folder/served/VERSION`."""
    sizes = dict.fromkeys(VOCABULARY_FEATURES, len(VOCABULARY))
    model = SharedBottom.from_spec(SPEC, sizes, embedding_dim=4, bottom_units=[6], tower_units=[4])
    rng = np.random.default_rng(version)
    model.set_weights([rng.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    export(model, Transform(folder), str(folder / "served" / str(version)), warmup_examples=[b""])
