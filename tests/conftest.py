"""How tests are divided between processes: those that share a run go to one of them, those of minutes come first."""

import pytest

TOGETHER = ("tests/pipelines/end_to_end/",)
"""Folders whose tests share a fixture that takes long to make; elsewhere the tests of a file stay together."""


def pytest_collection_modifyitems(items):
    """Files with a slow test go first: at the end, no process is left alone with one while the others have nothing."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """In place of `--dist loadfile`, which begins with the files of the most tests; slow files have few."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return Together(config, log)
