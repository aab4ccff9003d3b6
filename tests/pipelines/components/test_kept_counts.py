"""Vocabularies of the last days: which tokens are kept, which are dropped, and which days are counted once."""

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.components.kept_counts import keep_counts
from tfmtl.spec import DatasetSpec
from transforms.ingest.beam_vocabularies import KeptCounts, WriteVocabularies, pack
from transforms.ingest.token_counts import SCHEMA

SPEC = DatasetSpec.from_yaml("""
name: log
features: [{name: user, kind: categorical, min_frequency: 2}]
tasks: [{name: click, label: clicked, output: ctr}]
""")


def write(counts, folder, sources=None):
    """Writes the vocabularies of counts, which are kept in `token_counts/` if they are those of a day."""
    with beam.Pipeline("DirectRunner", PipelineOptions(["--direct_running_mode=in_memory"])) as pipeline:
        source = KeptCounts(sources) if sources else beam.Create(counts)
        kept = None if sources else str(folder / "token_counts")
        _ = pipeline | source | WriteVocabularies(SPEC, str(folder / "vocabularies"), kept)
    return (folder / "vocabularies/user").read_bytes().split()


class Log:
    """Days of a log, and the merged examples of each run; a day has the number of rows of each user."""

    def __init__(self, folder):
        self.folder, self.runs = folder, 0

    def day(self, span, **users):
        path = self.folder / f"day-{span}-{self.runs}"
        table = pa.table([[user.encode() for user in users], list(users.values())], schema=SCHEMA)
        write([("user", pack(table))], path)
        return {span: str(path)}

    def merge(self, spans, earlier=None, keep_days=3):
        """Returns the folder of the merged examples and the vocabulary."""
        self.runs += 1
        folder = self.folder / f"merged-{self.runs}"
        return str(folder), write(None, folder, keep_counts(spans, earlier, str(folder), keep_days))


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path)


def test_a_token_is_kept_for_three_days_and_then_dropped(log):
    run, vocabulary = log.merge(log.day(10, ann=4, bob=3))
    assert vocabulary == [b"ann", b"bob"]
    run, vocabulary = log.merge(log.day(11, bob=3), run)
    assert vocabulary == [b"bob", b"ann"]
    run, vocabulary = log.merge(log.day(12, bob=3), run)
    assert vocabulary == [b"bob", b"ann"]
    run, vocabulary = log.merge(log.day(13, bob=3), run)
    assert vocabulary == [b"bob"]
    _, vocabulary = log.merge(log.day(16, eve=2), run)
    assert vocabulary == [b"eve"]


def test_a_token_that_returns_has_three_days_again(log):
    run, _ = log.merge(log.day(10, ann=4))
    run, _ = log.merge(log.day(12, ann=2, bob=3), run)
    run, vocabulary = log.merge(log.day(14, bob=3), run)
    assert vocabulary == [b"bob", b"ann"]
    assert log.merge(log.day(15, bob=3), run)[1] == [b"bob"]


def test_rare_tokens_of_several_days_are_added(log):
    """User kim has one row a day, and reaches the minimal frequency on the second one."""
    run, vocabulary = log.merge(log.day(10, kim=1, ann=2))
    assert vocabulary == [b"ann"]
    run, vocabulary = log.merge(log.day(11, kim=1, ann=2), run)
    assert vocabulary == [b"ann", b"kim"]


def test_a_day_that_is_read_again_counts_once(log):
    """Also a day that two runs read, because each reads two days."""
    first, _ = log.merge(log.day(10, ann=1, bob=2))
    run, vocabulary = log.merge(log.day(10, ann=1, bob=2) | log.day(11, eve=3), first)
    assert vocabulary == [b"eve", b"bob"]
    again, vocabulary = log.merge(log.day(10, bob=2) | log.day(11, eve=3), run)
    assert vocabulary == [b"eve", b"bob"]
    assert log.merge(log.day(11, eve=3), again, keep_days=1)[1] == [b"eve"]


def test_without_the_setting_the_vocabulary_is_that_of_the_log(log):
    run, _ = log.merge(log.day(10, ann=4), keep_days=None)
    assert log.merge(log.day(11, bob=3), run, keep_days=None)[1] == [b"bob"]
    assert log.merge(log.day(11, bob=3), run)[1] == [b"ann", b"bob"]


def test_an_earlier_run_without_kept_counts_adds_nothing(log):
    assert log.merge(log.day(11, bob=3), str(log.folder / "missing"))[1] == [b"bob"]
