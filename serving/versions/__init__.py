"""Versions of one model: numbered folders that are polled, and those of them that are served."""

from serving.versions.model import ModelVersions
from serving.versions.policy import VersionPolicy
from serving.versions.status import VersionStatus

__all__ = ["ModelVersions", "VersionPolicy", "VersionStatus"]
