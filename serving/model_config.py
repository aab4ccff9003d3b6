"""Configuration of the served models, in TensorFlow Serving's text format too.

```text
model_config_list {
  config {
    name: "m"
    base_path: "/models/m"
    model_platform: "tensorflow"
    model_version_policy { specific { versions: 1 versions: 2 } }
    version_labels { key: "stable" value: 1 }
  }
}
```
"""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from google.protobuf import text_format

from serving import protos
from serving.errors import StatusError, invalid_argument
from serving.versions import ModelVersions, VersionPolicy
from tfmtl.config import ConfigError

_log = logging.getLogger(__name__)

_TENSORFLOW = "tensorflow"


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Configuration of a model.

    Attributes:
        name: Name under which the model is served.
        base_path: Folder of the version folders.
        policy: Choice of the versions that are served.
        labels: Version by label.
    """

    name: str
    base_path: pathlib.Path
    policy: VersionPolicy = dataclasses.field(default_factory=VersionPolicy.latest)
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def versions(self) -> ModelVersions:
        """Returns the model's versions, of which none is loaded yet."""
        return ModelVersions(self.name, self.base_path, self.policy, self.labels)


def from_proto(config: Any) -> list[ModelConfig]:
    """Returns the models of a `ModelServerConfig`.

    Args:
        config: Message of `serving.protos.ModelServerConfig`.

    Raises:
        StatusError: With code INVALID_ARGUMENT and TensorFlow Serving's text if the configuration is invalid.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise invalid_argument(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
            "supported"
        )
    models: dict[str, ModelConfig] = {}
    for model in config.model_config_list.config:
        if model.name in models:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        if not os.path.isabs(model.base_path):
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
        if model.HasField("logging_config"):
            _log.warning("model %s: logging_config has no effect on this server", model.name)
        _check_platform(model)
        policy, labels = _policy(model.model_version_policy), dict(model.version_labels)
        models[model.name] = ModelConfig(model.name, pathlib.Path(model.base_path), policy, labels)
    return list(models.values())


def read_model_config(path: str | pathlib.Path) -> list[ModelConfig]:
    """Reads a model config file, a `ModelServerConfig` in text format.

    Args:
        path: File to read.

    Returns:
        The models.

    Raises:
        ConfigError: If the file cannot be read or is invalid.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        models = from_proto(text_format.Parse(text, protos.ModelServerConfig()))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: should be a readable text file. Received: {error}") from error
    except text_format.ParseError as error:
        raise ConfigError(f"{path}:{error}") from error
    except StatusError as error:
        raise ConfigError(f"{path}: {error.details}") from error
    if not models:
        raise ConfigError(f"{path}: should list at least one model. Received: none")
    return models


def _policy(policy: Any) -> VersionPolicy:
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return VersionPolicy.all()
    if choice == "specific":
        return VersionPolicy.specific(policy.specific.versions)
    return VersionPolicy.latest(max(policy.latest.num_versions, 1))


def _check_platform(model: Any) -> None:
    field = "ModelServerConfig::model_"
    if model.model_type and model.model_platform:
        raise invalid_argument(f"Illegal setting both {field}type (deprecated) and {field}platform.")
    if model.model_type not in (0, 1):
        raise invalid_argument(f"{field}type choice {model.model_type} not supported.")
    platform = _TENSORFLOW if model.model_type else model.model_platform
    if not platform:
        raise invalid_argument(f"Illegal setting neither {field}type (deprecated) nor {field}platform.")
    if platform != _TENSORFLOW:
        raise invalid_argument(f"Model {model.name} requests unsupported platform {platform}")
