"""Distribution of tests over processes: tests that share a run go to one process, and slow files start first."""

import gc
import os

import pytest

os.environ.pop("COLUMNS", None)  # GNU readline sets it for the workers of pytest-xdist; the console respects it.

TOGETHER = ("tests/pipelines/end_to_end/",)
"""Folders whose tests share an expensive fixture; elsewhere the tests of a file stay together."""


def pytest_collection_modifyitems(items):
    """Moves files with a slow test to the front, so that no process is still busy with one when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """Leaves the objects of imported modules, such as TensorFlow's million, out of later garbage collections."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Replaces the scheduler of `--dist loadfile`, which would start with the files that have most tests."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return Together(config, log)


@pytest.fixture(scope="module")
def s3():
    """Starts an S3-compatible server, which clients in this process and its children find by their environment."""
    from tests.s3_server import s3_server

    with s3_server() as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield variables
