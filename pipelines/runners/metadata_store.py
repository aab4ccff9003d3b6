"""Connection to the ML Metadata store of a run folder, without TFX."""

import pathlib

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

DATABASE = "metadata.sqlite"
"""Name of the store in a run folder."""
ARTIFACTS = "pipeline"
"""Name of the folder of the components' outputs in a run folder."""


def open_store(database: pathlib.Path) -> MetadataStore:
    """Opens a store.

    Args:
        database: SQLite file of the store.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    if not database.is_file():
        raise FileNotFoundError(f"{database} should exist: `tfmtl run` writes it. Received: no such file")
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE
    return MetadataStore(config)


def run_contexts(store: MetadataStore) -> list[mlmd.Context]:
    """Returns the contexts of all runs, oldest first.

    Args:
        store: Store of a run folder.
    """
    return sorted(store.get_contexts_by_type("pipeline_run"), key=lambda context: context.id)


def property_value(holder: mlmd.Artifact | mlmd.Execution | mlmd.Context, name: str) -> object:
    """Returns a property or custom property, or None if there is none of that name.

    Args:
        holder: Artifact, execution or context.
        name: Name of the property.
    """
    for properties in (holder.custom_properties, holder.properties):
        if name in properties:
            value = properties[name]
            return getattr(value, value.WhichOneof("value") or "string_value")
    return None
