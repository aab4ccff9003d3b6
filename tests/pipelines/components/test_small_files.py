"""A log of many small files gives the rows, counts and vocabularies of the same log in one file."""

import gzip

import apache_beam as beam
import pytest

from pipelines.components.example_gen import VOCABULARIES, LogExampleGen, LogExampleGenExecutor, ingest_report
from pipelines.settings_file import load_settings
from tests.pipelines.shop_log import write_shop
from transforms.batches.raw_batch import SPLITS
from transforms.readers.file_groups import GROUPS

FILES = 24


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Folders of the outputs of one file and of `FILES` files."""
    folder = tmp_path_factory.mktemp("small_files")
    settings = load_settings(write_shop(folder)[0])
    header, *rows = (folder / "log" / "part-0.csv").read_text().splitlines()
    parts = {"one": [rows * FILES], "many": [rows] * FILES}
    for name, contents in parts.items():
        log, out = folder / name / "log", folder / name / "out"
        log.mkdir(parents=True)
        for i, content in enumerate(contents):
            (log / f"part-{i:02d}.csv").write_text("\n".join([header, *content, ""]))
        component = LogExampleGen(str(log), "*.csv", settings.data.log_format, settings.spec)
        executor = LogExampleGenExecutor()
        executor._root = str(out)
        with beam.Pipeline() as pipeline:
            executor.GenerateExamplesByBeam(pipeline, component.exec_properties)
    return folder / "one" / "out", folder / "many" / "out"


def test_rows_rejected_rows_and_vocabularies_are_equal(written):
    one, many = written
    for split in SPLITS:
        rows = [
            [gzip.decompress(path.read_bytes()) for path in sorted(out.glob(f"Split-{split}/*"))] for out in written
        ]
        assert rows[0] == [b"".join(rows[1])]
        assert len(rows[1]) <= GROUPS
    reports = [ingest_report(str(out)) for out in written]
    assert reports[0].total == reports[1].total
    assert reports[0].total.rejected == {"wrong_column_count": FILES}
    assert {source.read for source in reports[1].sources.values()} == {reports[0].total.read // FILES}
    for name in ("user", "tags"):
        assert (one / VOCABULARIES / name).read_bytes() == (many / VOCABULARIES / name).read_bytes()


def test_there_is_a_file_of_rejected_rows_for_each_group(written):
    files = sorted(path.name for path in written[1].glob("rejects-*.jsonl"))
    assert files == [f"rejects-{number:05d}.jsonl" for number in range(GROUPS)]
    assert sum(len((written[1] / name).read_text().splitlines()) for name in files) == FILES
