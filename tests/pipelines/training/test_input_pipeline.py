"""Input pipeline: each row once per epoch, with its labels, in an order that only the seed determines."""

import dataclasses
import itertools
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from pipelines.training import input_pipeline, row_cache
from pipelines.training.input_pipeline import InputPipeline
from pipelines.training.row_cache import cache_folder, choose_cache
from tfmtl.spec import DatasetSpec
from tfmtl.training import InputWait
from tfmtl.training.data_position import DataPosition

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
"""Number of rows of each file."""
ROWS = sum(FILES)
CACHES = ("none", "memory", "disk")


def make_labels(row):
    return row % 3 == 0, row % 6 == 0


def make_tags(row):
    return [str(row + i) for i in range(row % 4)]


def example(row):
    def values(kind, numbers):
        return tf.train.Feature(**{f"{kind}_list": getattr(tf.train, f"{kind.title()}List")(value=numbers)})

    click, buy = make_labels(row)
    features = {
        "row": values("bytes", [str(row).encode()]),
        "price": values("float", [float(row)]),
        "tags": values("bytes", [tag.encode() for tag in make_tags(row)]),
        "tag_weights": values("float", [1.0 + row % 5] * len(make_tags(row))),
        "clicked": values("int64", [int(click)]),
        "bought": values("int64", [int(buy)]),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def transform(raw):
    """Converts strings to numbers, and keeps the positions of lists."""

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
    monkeypatch.setattr(input_pipeline, "_BLOCK_ROWS", 64)
    monkeypatch.setattr(input_pipeline, "_EVALUATION_BATCH", 100)


def epoch(dataset):
    """Returns the batches as NumPy arrays."""
    return [tf.nest.map_structure(lambda tensor: tensor.numpy(), batch) for batch in dataset]


def row_numbers(batches):
    return np.concatenate([features["row"] for features, _ in batches])


def assert_batches(batches, batch_size):
    """Asserts that all batches but the last have that size, and that each row has its own features and labels."""
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
            tags = [int(tag) for tag in make_tags(row)][:3]
            assert features["tags"][i].tolist() == tags + [0] * (3 - len(tags))
            assert features["tags__weights"][i].tolist() == [1.0 + row % 5] * len(tags) + [0.0] * (3 - len(tags))
            assert (labels["click"][i], labels["buy"][i]) == make_labels(row)


@pytest.mark.parametrize("cache", CACHES)
def test_each_epoch_has_each_row_once_in_a_different_order(files, cache):
    with cache_folder(cache) as folder:
        dataset = InputPipeline(SPEC, transform, 50, shuffle_rows=400, cache=cache, cache_dir=folder).training(files)
        epochs = [epoch(dataset) for _ in range(4)]
    for batches in epochs:
        assert_batches(batches, 50)
        np.testing.assert_array_equal(np.sort(row_numbers(batches)), np.arange(ROWS))
    orders = [row_numbers(batches) for batches in epochs]
    for one, other in itertools.combinations([*orders, np.arange(ROWS)], 2):
        assert np.mean(one == other) < 0.05


def test_the_order_depends_only_on_the_seed(files):
    def orders(seed, cache, paths):
        tf.random.set_seed(next(global_seeds))
        with cache_folder(cache) as folder:
            dataset = InputPipeline(SPEC, transform, 50, 400, seed, cache, folder).training(paths)
            return [row_numbers(epoch(dataset)) for _ in range(3)]

    global_seeds = itertools.count()
    wanted = orders(5, "none", files)
    for cache in CACHES:
        np.testing.assert_array_equal(orders(5, cache, files[::-1]), wanted)
    assert np.mean(np.equal(orders(6, "none", files), wanted)) < 0.05


@pytest.mark.parametrize(("shuffle_rows", "lowest", "highest"), [(1, 0, 0), (16, 0, 60), (1024, 150, ROWS)])
def test_shuffle_rows_determines_how_far_rows_move(files, shuffle_rows, lowest, highest):
    """The test measures the average number of positions by which a row of one file moves."""
    order = row_numbers(epoch(InputPipeline(SPEC, transform, 50, shuffle_rows).training(files[:1])))
    moved = np.abs(order - np.arange(FILES[0]))
    assert lowest <= moved.mean() <= highest


def test_evaluation_keeps_the_order_of_the_rows(files):
    dataset = InputPipeline(SPEC, transform, 50).evaluation(files)
    for _ in range(2):
        batches = epoch(dataset)
        assert_batches(batches, 100)
        np.testing.assert_array_equal(row_numbers(batches), np.arange(ROWS))


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


@pytest.mark.parametrize("is_small", [True, False])
def test_small_evaluation_files_are_read_once(files, monkeypatch, is_small):
    """The rows of larger files would take memory that grows with the log."""
    monkeypatch.setattr(row_cache, "_SMALL_FILES_MB", 256 if is_small else 0)
    reads = tf.Variable(0)

    def counted(raw):
        reads.assign_add(1)
        return transform(raw)

    dataset = InputPipeline(SPEC, counted, 50).evaluation(files)
    rows = [row_numbers(epoch(dataset)) for _ in range(2)]
    np.testing.assert_array_equal(*rows)
    blocks = sum(-(-size // 64) for size in FILES)
    assert int(reads) == (blocks if is_small else 2 * blocks)


def test_workers_share_the_same_batches(files):
    """Two workers create the batches independently, and each uses its half of every batch."""

    def half(replica):
        def share(batches):
            cut = slice(25 * replica, 25 * (replica + 1))
            return batches.map(lambda *batch: tf.nest.map_structure(lambda tensor: tensor[cut], batch))

        return [row_numbers([batch]) for batch in epoch(InputPipeline(SPEC, transform, 50, 400).training(files, share))]

    whole = epoch(InputPipeline(SPEC, transform, 50, 400).training(files))
    joined = [np.concatenate(parts) for parts in zip(half(0), half(1), strict=True)]
    for batch, parts in zip(whole, joined, strict=True):
        np.testing.assert_array_equal(row_numbers([batch]), parts)


def test_a_cache_on_disk_has_a_temporary_folder():
    with cache_folder("disk") as folder:
        assert tf.io.gfile.listdir(folder) == []
    assert not tf.io.gfile.exists(folder)
    with cache_folder("memory") as folder:
        assert folder is None
    with pytest.raises(ValueError, match="cache_dir"):
        InputPipeline(SPEC, transform, 50, cache="disk")


def test_auto_keeps_small_files_in_memory(files, monkeypatch):
    size = sum(pathlib.Path(file).stat().st_size for file in files)
    monkeypatch.setattr(row_cache, "_SMALL_FILES_MB", size / 2**20)
    assert choose_cache("auto", files) == "memory"
    assert choose_cache("auto", [*files, files[0]]) == "none"
    assert [choose_cache(cache, files) for cache in CACHES] == list(CACHES)


def test_measuring_the_wait_does_not_change_the_batches(files):
    path = InputPipeline(SPEC, transform, 50, 400, seed=1)
    wait = InputWait()
    watched = epoch(wait.watch(path.training(files)))
    np.testing.assert_array_equal(row_numbers(watched), row_numbers(epoch(path.training(files))))
    assert wait.seconds > 0


@pytest.mark.parametrize(
    ("batch_size", "rows", "found"), [(50, 120, 150), (50, 100, 100), (500, 80, 80), (50, 9999, ROWS)]
)
def test_first_rows_are_those_of_the_files_in_whole_batches(files, batch_size, rows, found):
    batches = epoch(InputPipeline(SPEC, transform, batch_size).first_rows(files, rows))
    assert_batches(batches, min(batch_size, rows))
    np.testing.assert_array_equal(row_numbers(batches), np.arange(found))


def test_functions_are_traced_as_they_are(files):
    """The conversion of Keras' code by AutoGraph, which nothing here needs, takes seconds for each dataset."""
    statuses = []

    def noted(raw):
        statuses.append(tf.__internal__.autograph.control_status_ctx().status.name)
        return transform(raw)

    InputPipeline(SPEC, noted, batch_size=64).evaluation(files)
    assert set(statuses) == {"DISABLED"}


@pytest.mark.parametrize(
    ("cache", "passes", "batches"),
    [("none", 0, 3), ("none", 1, 4), ("none", 1, 23), ("memory", 1, 7), ("disk", 1, 16)],
)
def test_a_later_start_gives_the_remaining_batches_and_the_epochs_after_it(files, cache, passes, batches):
    """Windows have 200 rows, which are no multiple of a batch; 23 batches are a whole epoch."""
    with cache_folder(cache) as folder:
        inputs = InputPipeline(SPEC, transform, 50, 400, 5, "none", None)
        dataset = inputs.training(files)
        whole = [[row_numbers([batch]) for batch in epoch(dataset)] for _ in range(passes + 2)]
        resumed = dataclasses.replace(inputs, cache=cache, cache_dir=folder)
        rest = resumed.training(files, position=DataPosition(passes, batches))
        found = [[row_numbers([batch]) for batch in epoch(rest)] for _ in range(2)]
    for batch, expected in zip(found, [whole[passes][batches:], whole[passes + 1]], strict=True):
        assert [rows.tolist() for rows in batch] == [rows.tolist() for rows in expected]


def test_skipped_rows_are_not_transformed(files):
    transformed = tf.Variable(0)

    def counted(raw):
        transformed.assign_add(tf.cast(raw["row"].dense_shape[0], tf.int32))
        return transform(raw)

    dataset = InputPipeline(SPEC, counted, 50, 100).training(files, position=DataPosition(0, 20))
    assert len(row_numbers(epoch(dataset))) == ROWS - 1000
    assert int(transformed) <= ROWS - 1000
