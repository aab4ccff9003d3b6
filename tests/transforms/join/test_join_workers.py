"""Join by several processes, and by worker pools that stand for machines: the rows of one process."""

import pathlib

import pytest

from tests.pipelines.runners.worker_pools import Pool
from tests.transforms.join.test_beam_join import by_id, join_to, joined, warehouse

__all__ = ["joined", "warehouse"]
REPOSITORY = pathlib.Path(__file__).parents[3]


@pytest.mark.long
def test_two_processes_write_the_rows_of_one(warehouse, joined, tmp_path):
    arguments = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    rows, report = join_to(warehouse, tmp_path, 5, 20_000, arguments=arguments)
    assert report == joined[1]
    assert by_id(rows).equals(by_id(joined[0]))


@pytest.mark.long
def test_two_pools_write_the_rows_of_one_process(warehouse, joined, tmp_path):
    pools = [Pool(REPOSITORY, tmp_path / name) for name in ("one", "two")]
    addresses = ",".join(f"localhost:{pool.port}" for pool in pools)
    arguments = ["--environment_type=EXTERNAL", f"--environment_config={addresses}", "--direct_num_workers=2"]
    try:
        rows, report = join_to(
            warehouse, tmp_path / "out", 5, 20_000, 1, ["--runner=pipelines.pooled_runner.PooledRunner", *arguments]
        )
    finally:
        for pool in pools:
            pool.kill()
    assert report == joined[1]
    assert by_id(rows).equals(by_id(joined[0]))
