"""Pushing a blessed model, once."""

import os

from absl import logging
from tfx.components import Pusher
from tfx.components.pusher import executor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from serving.export import describe


class OncePusherExecutor(executor.Executor):
    """TFX's Pusher, except that a model which the destination's newest version already is is not pushed again.

    Two models are the same if their exports have one fingerprint (`serving.export.fingerprint`).
    """

    def Do(self, input_dict, output_dict, exec_properties):
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
        newest = newest_version(destination.filesystem.base_directory)
        candidate = describe(self.GetModelPath(input_dict)).get("fingerprint")
        if newest and candidate and describe(newest).get("fingerprint") == candidate:
            logging.info("The newest version %s is this model already: nothing is pushed.", newest)
            self._MarkNotPushed(artifact_utils.get_single_instance(output_dict["pushed_model"]))
            return
        super().Do(input_dict, output_dict, exec_properties)


class OncePusher(Pusher):
    """Pusher with `OncePusherExecutor`."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(OncePusherExecutor)


def newest_version(base_directory: str) -> str | None:
    """The folder of the highest version in a model's base directory, or None if there is none."""
    if not fileio.exists(base_directory):
        return None
    names = [name.rstrip("/") for name in fileio.listdir(base_directory)]
    versions = [name for name in names if name.isdigit()]
    return os.path.join(base_directory, max(versions, key=int)) if versions else None
