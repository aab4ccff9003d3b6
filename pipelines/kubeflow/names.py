"""Names of pipelines and jobs on Kubeflow."""

import re

from tfmtl.config import ConfigError


def legal_name(name: str, longest: int = 128) -> str:
    """Returns a name in the characters that Kubeflow allows for pipelines and jobs: small letters, digits and hyphens.

    Args:
        name: Name of the settings.
        longest: Largest number of characters; what is beyond it is left out.

    Raises:
        ConfigError: If the name has no letter or digit.

    Example:
        >>> from pipelines.kubeflow.names import legal_name
        >>> legal_name("Three_tasks v2")
        'three-tasks-v2'
    """
    legal = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:longest].rstrip("-")
    if not legal:
        raise ConfigError(f"name should have a letter from a to z or a digit. Received: {name!r}")
    return legal
