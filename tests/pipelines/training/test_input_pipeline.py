"""The input path: every row once an epoch, with its labels, in an order that the seed alone decides."""

import itertools
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from pipelines.training import input_pipeline as input_module
from pipelines.training.input_pipeline import InputPipeline, cache_folder, choose_cache
from tfmtl.spec import DatasetSpec
from tfmtl.training import InputWait

SPEC = DatasetSpec.from_yaml("""
name: log
features:
  - {name: row, kind: categorical, required: true}
  - {name: price, kind: numerical}
  - {name: tags, kind: multi_valued, weights: tag_weights, max_length: 3}
tasks:
  - {name: click, label: clicked}
  - {name: buy, label: bought, follows: click}
""")
FILES = (700, 1, 0, 333, 90)
"""Rows of each file."""
ROWS = sum(FILES)
CACHES = ("none", "memory", "disk")


def labels_of(row):
    return row % 3 == 0, row % 6 == 0


def tags_of(row):
    return [str(row + i) for i in range(row % 4)]


def example(row):
    def values(kind, numbers):
        return tf.train.Feature(**{f"{kind}_list": getattr(tf.train, f"{kind.title()}List")(value=numbers)})

    click, buy = labels_of(row)
    features = {
        "row": values("bytes", [str(row).encode()]),
        "price": values("float", [float(row)]),
        "tags": values("bytes", [tag.encode() for tag in tags_of(row)]),
        "tag_weights": values("float", [1.0 + row % 5] * len(tags_of(row))),
        "clicked": values("int64", [int(click)]),
        "bought": values("int64", [int(buy)]),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def transform(raw):
    """Numbers of texts; a bag's places as they stand."""

    def dense(sparse, width):
        shape = tf.stack([sparse.dense_shape[0], tf.constant(width, tf.int64)])
        return tf.sparse.to_dense(tf.sparse.reset_shape(tf.sparse.slice(sparse, [0, 0], shape), shape))

    def numbers(name):
        sparse = raw[name]
        return tf.SparseTensor(sparse.indices, tf.strings.to_number(sparse.values, tf.int64), sparse.dense_shape)

    return {
        "row": dense(numbers("row"), 1)[:, 0],
        "price": tf.cast(dense(raw["price"], 1)[:, 0], tf.int64),
        "tags": dense(numbers("tags"), 3),
        "tags__weights": dense(raw["tag_weights"], 3),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    rows, paths = itertools.count(), []
    for number, size in enumerate(FILES):
        paths.append(str(folder / f"{number}.gz"))
        with tf.io.TFRecordWriter(paths[-1], "GZIP") as writer:
            for row in itertools.islice(rows, size):
                writer.write(example(row))
    return paths


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(input_module, "_BLOCK_ROWS", 64)
    monkeypatch.setattr(input_module, "_EVALUATION_BATCH", 100)


def epoch(dataset):
    """The batches, in NumPy."""
    return [tf.nest.map_structure(lambda tensor: tensor.numpy(), batch) for batch in dataset]


def rows_of(batches):
    return np.concatenate([features["row"] for features, _ in batches])


def assert_whole(batches, batch_size):
    """Batches of that size but the last; the features and labels of each row are its own."""
    assert [len(labels["click"]) for _, labels in batches[:-1]] == [batch_size] * (len(batches) - 1)
    for features, labels in batches:
        assert {name: values.dtype.name for name, values in features.items()} == {
            "row": "int64",
            "price": "int64",
            "tags": "int64",
            "tags__weights": "float32",
        }
        np.testing.assert_array_equal(features["price"], features["row"])
        for i, row in enumerate(features["row"]):
            tags = [int(tag) for tag in tags_of(row)][:3]
            assert features["tags"][i].tolist() == tags + [0] * (3 - len(tags))
            assert features["tags__weights"][i].tolist() == [1.0 + row % 5] * len(tags) + [0.0] * (3 - len(tags))
            assert (labels["click"][i], labels["buy"][i]) == labels_of(row)


@pytest.mark.parametrize("cache", CACHES)
def test_each_row_once_an_epoch_in_another_order_each(files, cache):
    with cache_folder(cache) as folder:
        dataset = InputPipeline(SPEC, transform, 50, shuffle_rows=400, cache=cache, cache_dir=folder).training(files)
        epochs = [epoch(dataset) for _ in range(4)]
    for batches in epochs:
        assert_whole(batches, 50)
        np.testing.assert_array_equal(np.sort(rows_of(batches)), np.arange(ROWS))
    orders = [rows_of(batches) for batches in epochs]
    for one, other in itertools.combinations([*orders, np.arange(ROWS)], 2):
        assert np.mean(one == other) < 0.05


def test_the_seed_alone_decides_the_order(files):
    def orders(seed, cache, paths):
        with cache_folder(cache) as folder:
            dataset = InputPipeline(SPEC, transform, 50, 400, seed, cache, folder).training(paths)
            return [rows_of(epoch(dataset)) for _ in range(3)]

    wanted = orders(5, "none", files)
    for cache in CACHES:
        np.testing.assert_array_equal(orders(5, cache, files[::-1]), wanted)
    assert np.mean(np.equal(orders(6, "none", files), wanted)) < 0.05


@pytest.mark.parametrize(("shuffle_rows", "lowest", "highest"), [(1, 0, 0), (16, 0, 60), (1024, 150, ROWS)])
def test_rows_move_as_far_as_the_setting_says(files, shuffle_rows, lowest, highest):
    """Of one file, by how many places a row moves on average."""
    order = rows_of(epoch(InputPipeline(SPEC, transform, 50, shuffle_rows).training(files[:1])))
    moved = np.abs(order - np.arange(FILES[0]))
    assert lowest <= moved.mean() <= highest


def test_evaluation_keeps_the_order_of_the_rows(files):
    dataset = InputPipeline(SPEC, transform, 50).evaluation(files)
    for _ in range(2):
        batches = epoch(dataset)
        assert_whole(batches, 100)
        np.testing.assert_array_equal(rows_of(batches), np.arange(ROWS))


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_a_cache_reads_the_files_once(files, cache):
    reads = tf.Variable(0)

    def counted(raw):
        reads.assign_add(1)
        return transform(raw)

    with cache_folder(cache) as folder:
        dataset = InputPipeline(SPEC, counted, 50, cache=cache, cache_dir=folder).training(files)
        epoch(dataset)
        blocks = sum(-(-size // 64) for size in FILES)
        assert int(reads) == blocks
        epoch(dataset)
        assert int(reads) == blocks


def test_shares_of_replicas_are_of_the_same_batches(files):
    """Two replicas, each making the batches for itself and taking its half of them."""

    def half(replica):
        def share(batches):
            cut = slice(25 * replica, 25 * (replica + 1))
            return batches.map(lambda *batch: tf.nest.map_structure(lambda tensor: tensor[cut], batch))

        return [rows_of([batch]) for batch in epoch(InputPipeline(SPEC, transform, 50, 400).training(files, share))]

    whole = epoch(InputPipeline(SPEC, transform, 50, 400).training(files))
    joined = [np.concatenate(parts) for parts in zip(half(0), half(1), strict=True)]
    for batch, parts in zip(whole, joined, strict=True):
        np.testing.assert_array_equal(rows_of([batch]), parts)


def test_a_cache_on_disk_has_a_folder_of_its_own():
    with cache_folder("disk") as folder:
        assert tf.io.gfile.listdir(folder) == []
    assert not tf.io.gfile.exists(folder)
    with cache_folder("memory") as folder:
        assert folder is None
    with pytest.raises(ValueError, match="cache_dir"):
        InputPipeline(SPEC, transform, 50, cache="disk")


def test_small_files_are_kept_in_memory(files, monkeypatch):
    size = sum(pathlib.Path(file).stat().st_size for file in files)
    monkeypatch.setattr(input_module, "_SMALL_FILES_MB", size / 2**20)
    assert choose_cache("auto", files) == "memory"
    assert choose_cache("auto", [*files, files[0]]) == "none"
    assert [choose_cache(cache, files) for cache in CACHES] == list(CACHES)


def test_waiting_is_measured_on_the_same_batches(files):
    path = InputPipeline(SPEC, transform, 50, 400, seed=1)
    wait = InputWait()
    watched = epoch(wait.watch(path.training(files)))
    np.testing.assert_array_equal(rows_of(watched), rows_of(epoch(path.training(files))))
    assert wait.seconds > 0
