"""Model with several versions, rows, and the scores that a server gives them."""

import numpy as np
import pytest

from serving.export import SERVING_DEFAULT
from serving.servable import Servable
from tests.pipelines.prediction.shop_model import draw_rows, export_model, to_example

MANIFEST = "assets.extra/tfmtl_manifest.json"


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """Folder with two versions of a model, and an incomplete copy of a third one."""
    folder = tmp_path_factory.mktemp("batch_scoring")
    for version in (1, 2):
        export_model(folder, version)
    served = folder / "served"
    (served / "3" / "assets.extra").mkdir(parents=True)
    (served / "3" / "saved_model.pb").write_bytes(b"incomplete")
    (served / "3" / MANIFEST).write_bytes((served / "2" / MANIFEST).read_bytes())
    return served


@pytest.fixture(scope="session")
def rows():
    """Valid rows: values by name, without the missing ones."""
    return draw_rows(np.random.default_rng(5), 700, valid=True)


@pytest.fixture(scope="session")
def expected(model_folder, rows):
    """Scores of a server for the tf.Examples of `rows`, by output."""
    examples = tf_examples(rows)
    return Servable(model_folder / "2").predict(SERVING_DEFAULT, {"examples": examples})


def tf_examples(rows):
    import tensorflow as tf

    return tf.make_tensor_proto([to_example(row) for row in rows])
