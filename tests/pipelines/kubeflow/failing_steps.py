"""Executors of steps that fail in different ways, for tests of the container's entry."""

import os
import pathlib
import signal

from tfx.dsl.components.base.base_executor import BaseExecutor

from tfmtl.config import ConfigError


class KilledOnce(BaseExecutor):
    """Is killed at the first attempt, and writes its output at the second."""

    def Do(self, input_dict, output_dict, exec_properties):
        attempt = pathlib.Path(exec_properties["marker"])
        if not attempt.exists():
            attempt.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        pathlib.Path(output_dict["model"][0].uri, "file").write_text("done")


class WrongSetting(BaseExecutor):
    def Do(self, input_dict, output_dict, exec_properties):
        raise ConfigError("data.path should be a folder. Received: 'nothing'")


class Bug(BaseExecutor):
    def Do(self, input_dict, output_dict, exec_properties):
        raise KeyError("a bug")
