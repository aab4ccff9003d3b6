import pytest

from tests.pipelines.training.day_log import make_day


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Two days of a log, with other users."""
    folder = tmp_path_factory.mktemp("days")
    return make_day(folder / "first", 1, range(30)), make_day(folder / "second", 2, range(20, 45))
