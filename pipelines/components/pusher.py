"""Pusher of blessed models, which pushes each model once."""

import os
from typing import Any

from absl import logging
from tfx.components import Pusher
from tfx.components.pusher import executor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from serving.export import describe


class OncePusherExecutor(executor.Executor):
    """TFX's Pusher, which does not push a model again if it is already the newest version at the destination.

    Two models are the same if their exports have the same fingerprint (`serving.export.fingerprint`).
    """

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model, unless the newest version at the destination is already this model."""
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
        newest = newest_version(destination.filesystem.base_directory)
        candidate = describe(self.GetModelPath(input_dict)).get("fingerprint")
        if newest and candidate and describe(newest).get("fingerprint") == candidate:
            logging.info("The newest version %s is already this model: nothing is pushed.", newest)
            self._MarkNotPushed(artifact_utils.get_single_instance(output_dict["pushed_model"]))
            return
        super().Do(input_dict, output_dict, exec_properties)


class OncePusher(Pusher):
    """Pusher that pushes each model once (`OncePusherExecutor`)."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(OncePusherExecutor)


def newest_version(base_directory: str) -> str | None:
    """Returns the folder of the highest version in a model's base directory, or None if there is none.

    Args:
        base_directory: Folder with one folder per version, which need not exist.
    """
    if not fileio.exists(base_directory):
        return None
    names = [name.rstrip("/") for name in fileio.listdir(base_directory)]
    versions = [name for name in names if name.isdigit()]
    return os.path.join(base_directory, max(versions, key=int)) if versions else None
