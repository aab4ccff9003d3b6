"""Options of the simulator of Ali-CCP: sizes of the files and of the simulated world."""

import dataclasses
from typing import Literal

from tfmtl.config import require
from tfmtl.features import CategoricalFeature, Feature, MultiValuedFeature
from tfmtl.spec import DatasetSpec
from transforms.ali_ccp.fields import ALL, CONTEXT, CROSSES, HISTORIES, ITEM, USER, column, weight_column
from transforms.simulation.feature_options import EntityOptions, FeatureOptions
from transforms.simulation.options import SimulatorOptions, TaskOptions

USER_ENTITY, ITEM_ENTITY = "user", "item"
POSITIONS = ("1", "2", "3")
_NODES_PER_ITEM = 3
_MISSING = {"121": 0.13, "122": 0.13, "124": 0.13, "125": 0.13, "126": 0.59, "127": 0.13, "128": 0.13, "129": 0.37}
"""Share of missing values of each field of the user, as in the common rows of the real files."""
_PROFILE = {"121": 98, "122": 14, "124": 2, "125": 7, "126": 3, "127": 3, "128": 2, "129": 4}
"""Number of values of each field of the user, as in the real files."""


@dataclasses.dataclass(frozen=True)
class AliCcpOptions:
    """Options of simulated raw files of Ali-CCP, with all 23 fields, the histories and their crosses with the item.

    Attributes:
        rows: Number of rows of the train skeleton.
        test_rows: Number of rows of the test skeleton.
        kind: Kind of the simulator, always "ali_ccp".
        users: Number of users.
        items: Number of items.
        categories: Number of categories, the values of field 206 and of history 109_14.
        shops: Number of shops, the values of field 207 and of history 110_14.
        brands: Number of brands, the values of field 216 and of history 127_14; 27 % of the items have no brand.
        nodes: Number of intention nodes, the values of field 210, of which an item has up to three, and of history
            150_14.
        history: Largest number of ids of a history.
        click_rate: Mean of the clicks.
        conversion_rate: Mean of the conversions of rows with a click.
        strength: Standard deviation of the logits over the rows.
        seed: Seed of the simulated world.
    """

    rows: int
    test_rows: int
    kind: Literal["ali_ccp"] = "ali_ccp"
    users: int = 2000
    items: int = 2000
    categories: int = 60
    shops: int = 300
    brands: int = 150
    nodes: int = 80
    history: int = 12
    click_rate: float = 0.04
    conversion_rate: float = 0.1
    strength: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "test_rows", "history"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("users", "items"):
            require(getattr(self, name) >= 2, name, "at least 2", getattr(self, name))
        for name in ("categories", "shops", "brands", "nodes"):
            least = max(2, self.history, _NODES_PER_ITEM)
            require(getattr(self, name) >= least, name, f"at least {least}, for a history", getattr(self, name))
        for name in ("click_rate", "conversion_rate"):
            require(0 < getattr(self, name) < 1, name, "between 0 and 1", getattr(self, name))
        require(self.strength >= 0, "strength", "0 or more", self.strength)
        require(self.seed >= 0, "seed", "0 or more", self.seed)

    @property
    def spec(self) -> DatasetSpec:
        """Spec of the features that labels depend on: all fields except the crosses, which follow from the others."""
        fields = [field for field in ALL.fields if field not in CROSSES]
        return dataclasses.replace(ALL.spec, features=tuple(map(self._feature, fields)))

    @property
    def world(self) -> SimulatorOptions:
        """Options of the world that users, items and labels are drawn from."""
        sizes = (self.categories, self.shops, self.brands, self.nodes)
        user = {field: FeatureOptions(USER_ENTITY, _MISSING[field], size) for field, size in _PROFILE.items()}
        for field, size in zip(HISTORIES, sizes, strict=True):
            user[field] = FeatureOptions(USER_ENTITY, 0.05, size, skew=0.6, length=self.history)
        item = {
            "206": FeatureOptions(ITEM_ENTITY, 0.0, self.categories, skew=0.6),
            "207": FeatureOptions(ITEM_ENTITY, 0.0, self.shops, skew=0.8),
            "210": FeatureOptions(ITEM_ENTITY, 0.0, self.nodes, skew=0.6, length=_NODES_PER_ITEM),
            "216": FeatureOptions(ITEM_ENTITY, 0.27, self.brands, skew=0.8),
        }
        context = {CONTEXT[0]: FeatureOptions(values=POSITIONS, skew=0.5)}
        return SimulatorOptions(
            rows=self.rows + self.test_rows,
            entities={
                USER_ENTITY: EntityOptions(column(USER[0]), self.users, zipf=0.7),
                ITEM_ENTITY: EntityOptions(column(ITEM[0]), self.items, zipf=0.9),
            },
            features={column(field): options for field, options in {**user, **item, **context}.items()},
            tasks={
                "click": TaskOptions(self.click_rate, self.strength),
                "conversion": TaskOptions(self.conversion_rate, self.strength),
            },
            seed=self.seed,
        )

    def _feature(self, field: str) -> Feature:
        if field in HISTORIES:
            return MultiValuedFeature(column(field), weights=weight_column(field), max_length=self.history)
        return MultiValuedFeature(column(field), max_length=3) if field == "210" else CategoricalFeature(column(field))
