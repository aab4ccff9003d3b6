"""Status of a version, as `GetModelStatus` reports it."""

import dataclasses

from serving.errors import StatusError


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """Status of a version.

    Attributes:
        version: Number of the version.
        state: `ModelVersionStatus.State`: START, LOADING, AVAILABLE, UNLOADING or END.
        error: Error for which the version could not be loaded; its state is END then.
    """

    version: int
    state: int
    error: StatusError | None = None
