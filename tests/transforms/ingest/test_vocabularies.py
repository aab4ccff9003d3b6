"""Vocabularies from counted tokens: identical to those of `tft.vocabulary`, byte for byte, with the same ids."""

import collections

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils
from tfx_bsl.public import tfxio

from serving.raw_features import parse_examples, raw_inputs
from tfmtl.features import (
    CategoricalFeature,
    Cross,
    DenseFeature,
    Hashing,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.model_inputs import vocabularies
from tfmtl.spec import DatasetSpec, RandomSplit, Task
from transforms.batches.raw_batch import SPLITS
from transforms.graph.transform_graph import TransformGraph
from transforms.ingest import token_counts
from transforms.ingest.beam_ingest import COUNTS, SAMPLE, IngestPaths
from transforms.ingest.beam_vocabularies import WriteVocabularies
from transforms.ingest.token_counts import EMPTY_VOCABULARY, TokenCounter, order
from transforms.preprocessing import make_preprocessing_fn
from transforms.readers.log_format import LogFormat

FEATURES = (
    CategoricalFeature("user", min_frequency=3),
    CategoricalFeature("city", default="Rome"),
    CategoricalFeature("shop", default=None, max_tokens=4),
    CategoricalFeature("never"),
    CategoricalFeature("none", default=None),
    NumericalFeature("price"),
    MultiValuedFeature("tags", weights="tag_weights", max_length=2, min_frequency=2),
    SequenceFeature("history", max_length=3, max_tokens=5),
    SequenceFeature("before", max_length=3, vocabulary="history"),
    CategoricalFeature("last", default=None, vocabulary="history"),
    CategoricalFeature("device", hashed=Hashing(7, seed=3)),
    MultiValuedFeature("devices", max_length=2, vocabulary="device"),
    NumericalFeature("paid", quantiles=4),
    NumberSequenceFeature("daily", max_length=3, quantiles=3),
    DenseFeature("title", length=2),
)
CROSSES = (Cross("where", ("city", "price", "device"), buckets=50),)
SPEC = DatasetSpec("log", FEATURES, (Task("click", "click"),), split=RandomSplit(eval=0.2, test=0.2), crosses=CROSSES)


def draw_value(rng, tokens, missing=0.2):
    return "" if rng.random() < missing else str(rng.choice(list(tokens)))


def log(rng, rows):
    """Lines of CSV: values with accents, quotes and line breaks, lists with empty positions, missing values."""
    columns = "user,city,shop,never,none,price,tags,tag_weights,history,before,last,device,devices,paid,daily,title"
    lines = [f"{columns},click"]
    cities = ["Rome", "Oslo", "Zürich", '"a ""b"""', '"two\nlines"', "ROME"]
    for _ in range(rows):
        tags = [draw_value(rng, "abcdef") for _ in range(rng.integers(0, 4))]
        history = [draw_value(rng, range(9)) for _ in range(rng.integers(0, 5))]
        weights = "|".join("1.5" for _ in tags) if "|".join(tags) else ""
        row = [draw_value(rng, tokens) for tokens in (range(40), cities, range(8))]
        row += ["", "", "2.5", "|".join(tags), weights]
        before = [draw_value(rng, range(5, 14)) for _ in range(rng.integers(0, 5))]
        devices = [draw_value(rng, range(30)) for _ in range(rng.integers(0, 4))]
        row += ["|".join(history), "|".join(before), draw_value(rng, range(14)), draw_value(rng, range(30))]
        daily = "|".join(draw_value(rng, range(6)) for _ in range(rng.integers(0, 4)))
        row += ["|".join(devices), "" if rng.random() < 0.1 else f"{rng.exponential(20):.2f}", daily]
        row.append("" if rng.random() < 0.1 else "|".join(f"{value:.3f}" for value in rng.normal([5, -1], [2, 0.1])))
        lines.append(",".join([*row, str(rng.integers(2))]))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """Two files ingested by Beam, and transform graphs with analyzed and with counted vocabularies."""
    folder = tmp_path_factory.mktemp("vocabularies")
    rng = np.random.default_rng(3)
    for name in ("one.csv", "two.csv"):
        (folder / name).write_text(log(rng, 300), encoding="utf-8")
    with beam.Pipeline() as pipeline:
        paths = [((str(folder / name),), i) for i, name in enumerate(("one.csv", "two.csv"))]
        outputs = pipeline | beam.Create(paths) | IngestPaths(SPEC, str(folder / "out"), LogFormat(), sampling_step=10)
        _ = outputs[COUNTS] | WriteVocabularies(SPEC, str(folder / "counted"))
    graphs = {}
    for kind, counted in (("analyzed", None), ("counted", str(folder / "counted"))):
        graphs[kind] = analyze(folder, kind, make_preprocessing_fn(SPEC, counted))
    return folder, graphs


def analyze(folder, name, preprocessing_fn):
    source = tfxio.TFExampleRecord([str(folder / "out" / "Split-train" / "*")], schema=schema())
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(folder / f"tmp_{name}")):
        dataset = (pipeline | source.BeamSource(), source.TensorAdapterConfig())
        graph = dataset | tft_beam.AnalyzeDataset(preprocessing_fn)
        _ = graph | tft_beam.WriteTransformFn(str(folder / name))
    return tft.TFTransformOutput(str(folder / name))


def schema() -> schema_pb2.Schema:
    dtypes = {one.name: one.dtype for one in raw_inputs(SPEC)} | {"click": tf.int64}
    return schema_utils.schema_from_feature_spec({name: tf.io.VarLenFeature(dtype) for name, dtype in dtypes.items()})


def records(folder, split):
    files = sorted(str(path) for path in (folder / "out" / f"Split-{split}").iterdir())
    return list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())


@pytest.mark.parametrize("feature", vocabularies(SPEC))
def test_vocabulary_file_is_identical_to_that_of_tft(ingested, feature):
    folder, graphs = ingested
    counted = (folder / "counted" / feature).read_bytes()
    with open(graphs["analyzed"].vocabulary_file_by_name(feature), "rb") as file:
        assert counted == file.read()
    assert graphs["counted"].vocabulary_by_name(feature) == graphs["analyzed"].vocabulary_by_name(feature)


def test_transformed_values_are_the_same_on_all_rows(ingested):
    folder, graphs = ingested
    for split in SPLITS:
        rows = parse_examples(SPEC, records(folder, split))
        one, other = (graph.transform_features_layer()(rows) for graph in graphs.values())
        assert set(one) == set(other)
        for name, values in one.items():
            if name == "title":  # The moments of counted vectors are those of rounded numbers.
                np.testing.assert_allclose(values, other[name], atol=0.01)
            elif name in ("paid", "daily"):  # The quantiles of TFT are approximate.
                assert np.mean(np.abs(values - other[name])) < 0.1, name
            else:
                np.testing.assert_array_equal(values, other[name], err_msg=name)


def test_features_share_the_vocabulary_of_all_their_tokens(ingested):
    folder, graphs = ingested
    rows = [tf.train.Example.FromString(row).features.feature for row in records(folder, "train")]
    names = ("history", "before", "last")
    used = {name: {token for row in rows for token in row[name].bytes_list.value if token} for name in names}
    assert used["history"] - used["before"], "tokens of one feature only"
    assert used["last"] - used["history"], "tokens of the other one only"
    counts = collections.Counter(t for row in rows for n in used for t in row[n].bytes_list.value if t)
    expected = sorted(counts, key=lambda token: (counts[token], token), reverse=True)[:5]
    assert graphs["counted"].vocabulary_by_name("history") == expected
    files = {path.name for path in (folder / "counted").iterdir() if path.is_file()}
    assert files == {*vocabularies(SPEC), "daily", "paid", "title"}


def test_vectors_are_standardized_by_position(ingested):
    folder, graphs = ingested
    found = records(folder, "train")
    rows = [tf.train.Example.FromString(row).features.feature["title"].float_list.value for row in found]
    vectors = graphs["counted"].transform_features_layer()(parse_examples(SPEC, found))["title"].numpy()
    given = np.array([len(row) > 0 for row in rows])
    np.testing.assert_array_equal(vectors[~given], 0)
    values = np.array([row for row in rows if row])
    expected = (values - values.mean(axis=0)) / values.std(axis=0)
    np.testing.assert_allclose(vectors[given], expected, atol=0.02)


def test_hashed_ids_and_crosses_follow_from_the_values_of_a_row(ingested):
    folder, graphs = ingested
    for split in SPLITS:
        found = records(folder, split)
        rows = [tf.train.Example.FromString(row).features.feature for row in found]
        ids = graphs["counted"].transform_features_layer()(parse_examples(SPEC, found))
        for i, row in enumerate(rows):
            device = (row["device"].bytes_list.value[:] or [b"<missing>"])[0]
            city = (row["city"].bytes_list.value[:] or [b"Rome"])[0]
            assert ids["device"][i] == hash_of(b"3:" + device, 7)
            devices = [hash_of(b"3:" + one, 7) for one in row["devices"].bytes_list.value if one][:2]
            assert ids["devices"][i].numpy().tolist() == devices + [0] * (2 - len(devices))
            bucket = b"%d" % ids["price"][i].numpy()
            assert ids["where"][i] == hash_of(b"0:" + b"\x1f".join([city, bucket, device]), 50)


def hash_of(text, buckets):
    return int(tf.strings.to_hash_bucket_fast(text, 1 << 62)) % buckets


def test_quantiles_divide_the_training_rows_evenly(ingested):
    folder, graphs = ingested
    found = records(folder, "train")
    rows = [tf.train.Example.FromString(row).features.feature["paid"].float_list.value for row in found]
    ids = graphs["counted"].transform_features_layer()(parse_examples(SPEC, found))["paid"].numpy()
    np.testing.assert_array_equal(ids == 0, [len(row) == 0 for row in rows])
    shares = np.bincount(ids[ids > 0], minlength=5)[1:] / np.sum(ids > 0)
    np.testing.assert_allclose(shares, 0.25, atol=0.01)
    values = np.array([row[0] for row in rows if row])
    for bucket in range(1, 4):
        assert values[ids[ids > 0] <= bucket].max() < values[ids[ids > 0] > bucket].min()


def test_loaded_graph_computes_what_tft_computes(ingested):
    """Labels are absent where a model is served, and a feature that is absent counts as missing in every row."""
    folder, graphs = ingested
    rows = parse_examples(SPEC, records(folder, "train"))
    labels = {"click": tf.sparse.from_dense(tf.ones((rows["user"].dense_shape[0], 1), tf.int64))}
    for graph in graphs.values():
        loaded, layer = TransformGraph(graph, SPEC), graph.transform_features_layer()
        for given in (rows, rows | labels):
            found, expected = tf.function(loaded, autograph=False)(given), layer(given)
            assert set(found) == set(expected)
            for name, values in expected.items():
                np.testing.assert_array_equal(found[name], values, err_msg=name)
        missing = tf.SparseTensor(tf.zeros((0, 2), tf.int64), tf.constant([], tf.string), [len(expected["user"]), 0])
        found = loaded({name: values for name, values in rows.items() if name not in ("city", "tags")})
        for name, values in layer(rows | {"city": missing, "tags": missing}).items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_the_graph_contains_its_vocabularies(ingested, tmp_path):
    """The files of counted vocabularies are not needed once the graph is written."""
    folder, graphs = ingested
    moved = (folder / "counted").rename(tmp_path / "elsewhere")
    try:
        ids = graphs["counted"].transform_features_layer()(parse_examples(SPEC, records(folder, "eval")[:5]))
        assert len(ids["user"]) == 5
    finally:
        moved.rename(folder / "counted")


def test_the_sample_has_rows_of_all_splits(ingested):
    folder, _ = ingested
    sizes = {split: len(records(folder, split)) for split in (*SPLITS, SAMPLE)}
    expected_size = sum(sizes[split] / 10 for split in SPLITS)
    assert sum(sizes[split] for split in SPLITS) == 600
    assert expected_size <= sizes[SAMPLE] <= expected_size + 2 * 3 * len(FEATURES)
    rows = {row for split in SPLITS for row in records(folder, split)}
    assert len({values_of(row) for row in records(folder, SAMPLE)} - {values_of(row) for row in rows}) == 0


def values_of(row):
    """The values of a tf.Example, regardless of the order of its features and of empty lists."""
    found = []
    for name, feature in tf.train.Example.FromString(row).features.feature.items():
        if getattr(feature, feature.WhichOneof("kind")).value:
            found.append((name, feature.SerializeToString()))
    return tuple(sorted(found))


def test_counts_are_merged_while_tokens_are_added(monkeypatch):
    monkeypatch.setattr(token_counts, "_MERGE_ROWS", 20)
    spec = DatasetSpec("log", (CategoricalFeature("user"),), (Task("click", "click"),))
    counter, expected = TokenCounter(spec), collections.Counter()
    rng = np.random.default_rng(0)
    for _ in range(30):
        tokens = [b"%d" % token for token in rng.zipf(1.3, 50) % 1000]
        expected.update(tokens)
        lists = pa.array([[token] for token in tokens], pa.list_(pa.binary()))
        counter.add(pa.RecordBatch.from_pydict({"user": lists}))
    counts = counter.counts()["user"]
    assert dict(zip(*(counts[name].to_pylist() for name in ("token", "count")), strict=True)) == expected


def test_vocabulary_without_tokens_has_a_placeholder():
    assert order(token_counts.SCHEMA.empty_table(), CategoricalFeature("user")) == [EMPTY_VOCABULARY]
