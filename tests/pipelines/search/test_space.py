"""Names of hyper-parameters, and drawn values in settings."""

import pytest

from pipelines.search.space import check_names, with_drawn_values
from tfmtl.config import FieldError
from tfmtl.search_space import Choice

ANY = Choice((1, 2))


def test_drawn_values_replace_the_fields_of_their_names():
    options = {"embedding_dim": 8, "backbone_options": {"num_experts": 2, "dropout": 0.1}}
    drawn = {"options.backbone_options.num_experts": 4, "training.learning_rate": 0.1, "options.num_layers": 1}
    changed = with_drawn_values(options, drawn, "options")
    assert changed == {
        "embedding_dim": 8,
        "backbone_options": {"num_experts": 4, "dropout": 0.1},
        "num_layers": 1,
    }
    assert options["backbone_options"] == {"num_experts": 2, "dropout": 0.1}
    assert with_drawn_values({}, drawn, "training") == {"learning_rate": 0.1}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dropout", "should be options.<field> or training.<field>"),
        ("model.dropout", "should be options.<field> or training.<field>"),
        ("options.", "should be options.<field> or training.<field>"),
        ("training.seed", "should be omitted, as the search sets it"),
        ("training.fine_tuning.monitor", "should be omitted, as the search sets it"),
        ("training.warm_start", "should be omitted, as the search sets it"),
    ],
)
def test_rejects_other_names(name, message):
    with pytest.raises(FieldError, match=message):
        check_names({name: ANY}, "search")
    check_names({"options.a.b": ANY, "training.batch_size": ANY}, "search")
