"""Pusher of blessed models, which pushes each model once."""

from typing import Any

from absl import logging
from tfx.components import Pusher
from tfx.components.pusher import executor
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from pipelines.pushing.destination import fingerprint, is_complete, newest_version
from pipelines.pushing.push import copy_model, push
from pipelines.pushing.rolled_back import rollback_of

ROLLED_BACK = "rolled_back_version"
"""Property of a `PushedModel` that was not pushed, as its model was rolled back: the version that served the model."""


class OncePusherExecutor(executor.Executor):
    """Pusher that pushes atomically (`pipelines.pushing.push`), and only what is not served yet.

    A model is not pushed if the newest version at the destination is complete and has the same fingerprint
    (`serving.export.fingerprint`), or if the model was rolled back (`pipelines.pushing.rolled_back`). The destination
    is not a part of TFX's cache key, so that this component is never taken from the cache.
    """

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if it is blessed."""
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
        base = destination.filesystem.base_directory
        model = self.GetModelPath(input_dict)
        refused = rollback_of(base, fingerprint(model))
        if refused is not None:
            logging.info("The model was rolled back at %s: it is not pushed.", refused.time)
            self._MarkNotPushed(pushed)
            pushed.set_string_custom_property(ROLLED_BACK, str(refused.version))
        elif not self.CheckBlessing(input_dict) or _is_served(model, base):
            self._MarkNotPushed(pushed)
        else:
            version = str(push(model, base))
            copy_model(model, pushed.uri)
            self._MarkPushed(pushed, pushed_destination=f"{base}/{version}", pushed_version=version)


class OncePusher(Pusher):
    """Pusher that pushes each model once (`OncePusherExecutor`)."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(OncePusherExecutor)


def _is_served(model: str, base: str) -> bool:
    newest, candidate = newest_version(base), fingerprint(model)
    if newest is None or candidate is None or fingerprint(newest) != candidate or not is_complete(newest):
        return False
    logging.info("The newest version %s is already this model: nothing is pushed.", newest)
    return True
