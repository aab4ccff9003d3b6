"""An exported model that scores tf.Examples in this process."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.evaluation.scoring import BATCH_ROWS, SIGNATURE, call_signature
from serving.description import DESCRIPTION, ModelDescription
from tfmtl.config import ConfigError


class ScoringModel:
    """Scores with the signature `serving_default` of a SavedModel, as a server does.

    Args:
        folder: Folder of the SavedModel.

    Attributes:
        description: Description of the model that its export holds.
        outputs: Names of the outputs, in the order of the spec.

    Raises:
        ConfigError: If the export has no description, or is not one of tfmtl.
    """

    def __init__(self, folder: str):
        self._model = tf.saved_model.load(folder)
        signatures = self._model.signatures
        if not {SIGNATURE, DESCRIPTION} <= set(signatures):
            expected = f"should be an export of tfmtl with the signatures {SIGNATURE} and {DESCRIPTION}"
            raise ConfigError(f"{folder}: {expected}. Received: {', '.join(sorted(signatures))}")
        text = call_signature(signatures[DESCRIPTION], tf.constant([b""]))[DESCRIPTION].numpy()[0]
        self.description = ModelDescription.from_json(text.decode())
        self._signature = signatures[SIGNATURE]
        found = self._signature.structured_outputs
        self.outputs = [output.name for output in self.description.spec.outputs if output.name in found]

    def score(self, examples: Sequence[bytes]) -> dict[str, np.ndarray]:
        """Returns the scores by output, float32 `(rows,)` each.

        Args:
            examples: Serialized tf.Examples of raw features.
        """
        parts = [
            call_signature(self._signature, tf.constant(examples[start : start + BATCH_ROWS], tf.string))
            for start in range(0, len(examples), BATCH_ROWS)
        ]
        return {name: np.concatenate([one[name].numpy().reshape(-1) for one in parts]) for name in self.outputs}
