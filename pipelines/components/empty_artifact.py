"""Artifacts that stand for none: on a cluster, a step has all its outputs, also those of which it found nothing."""

from collections.abc import Iterable

from tfx.types import Artifact

_IS_EMPTY = "is_empty"
"""Property of an artifact, 1 if it stands for none."""


def mark(artifact: Artifact, is_empty: bool) -> None:
    """Notes whether an artifact stands for none.

    Args:
        artifact: Output of a step.
        is_empty: Whether it stands for none.
    """
    artifact.set_int_custom_property(_IS_EMPTY, int(is_empty))


def present(artifacts: Iterable[Artifact] | None) -> list[Artifact]:
    """Returns the artifacts that do not stand for none.

    An artifact whose files were removed is not one of those: who reads it raises an error.

    Args:
        artifacts: Input of a step; None for no input.

    Example:
        >>> from tfx.types.standard_artifacts import Model
        >>> from pipelines.components.empty_artifact import mark, present
        >>> found, missing = Model(), Model()
        >>> mark(missing, is_empty=True)
        >>> present([found, missing]) == [found]
        True
    """
    return [one for one in artifacts or () if not one.get_int_custom_property(_IS_EMPTY)]
