"""Blessings in ML Metadata of models that are rolled back, so that no later run starts from them or is compared."""

import pathlib
from collections.abc import Callable, Collection

from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.runners.metadata_store import open_store, property_value

_BLESSED, _MODEL_ID, _REVOKED = "blessed", "current_model_id", "rolled_back"


def revoke_blessings(
    database: pathlib.Path,
    fingerprint: Callable[[str], str | None],
    refused: Collection[str],
    restored: str | None,
) -> int:
    """Takes the blessing from models, and gives it back to one from which an earlier rollback took it.

    Args:
        database: SQLite file of the store.
        fingerprint: Function of the folder of a `Model` artifact that returns the model's fingerprint.
        refused: Fingerprints of the models that lose their blessing.
        restored: Fingerprint of the model that is blessed again; None for none.

    Returns:
        The number of blessings that were changed.
    """
    store = open_store(database)
    models = {a.id: fingerprint(a.uri) for a in store.get_artifacts_by_type("Model") if a.state == mlmd.Artifact.LIVE}
    changed = []
    for blessing in store.get_artifacts_by_type("ModelBlessing"):
        model = models.get(int(str(property_value(blessing, _MODEL_ID) or -1)))
        blessed, revoked = property_value(blessing, _BLESSED) == 1, property_value(blessing, _REVOKED) == 1
        if model is None or not ((model in refused and blessed) or (model == restored and revoked)):
            continue
        blessing.custom_properties[_BLESSED].int_value = int(revoked)
        blessing.custom_properties[_REVOKED].int_value = int(blessed)
        changed.append(blessing)
    if changed:
        store.put_artifacts(changed)
    return len(changed)
