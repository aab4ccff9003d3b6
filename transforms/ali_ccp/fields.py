"""Fields of Ali-CCP, and the preparations that select from them.

References:
    X. Ma et al. Entire Space Multi-Task Model. SIGIR 2018. The dataset, https://tianchi.aliyun.com/dataset/408, may not
    be redistributed.
"""

import dataclasses

from tfmtl.features import CategoricalFeature, Feature, MultiValuedFeature
from tfmtl.spec import DatasetSpec, GivenSplit, Task

USER = ("101", "121", "122", "124", "125", "126", "127", "128", "129")
"""Fields of the user."""
HISTORIES = ("109_14", "110_14", "127_14", "150_14")
"""Fields of the user's history: lists of categories, shops, brands and intention nodes."""
ITEM = ("205", "206", "207", "210", "216")
"""Fields of the item."""
CROSSES = {"508": ("109_14", "206"), "509": ("110_14", "207"), "702": ("127_14", "216"), "853": ("150_14", "210")}
"""History and item field of each cross; a cross is present if the item's value is in the user's history."""
CONTEXT = ("301",)
"""Fields of the impression."""
FIELDS = (*USER, *HISTORIES, *ITEM, *CROSSES, *CONTEXT)
LISTS = (*HISTORIES, "210")
"""Fields with several ids per row."""
CLICK, CONVERSION = "click", "conversion"
_MIN_FREQUENCY = 12


@dataclasses.dataclass(frozen=True)
class Preparation:
    """Selection of the fields and values that are ingested.

    If the skeleton row and its common row both have a field, the common row's field is ingested.

    Attributes:
        name: Name on the command line.
        summary: Description that the command line and the manifest show.
        fields: Fields that are ingested.
        lists: Fields of which all ids of a row are ingested; of the other fields only the last id is.
        weighted: Fields whose values are ingested as weights of the ids.
    """

    name: str
    summary: str
    fields: tuple[str, ...] = FIELDS
    lists: tuple[str, ...] = LISTS
    weighted: tuple[str, ...] = (*LISTS, *CROSSES)

    @property
    def columns(self) -> tuple[str, ...]:
        """Column of the ids of each of `fields`."""
        return tuple(map(column, self.fields))

    @property
    def weight_columns(self) -> dict[str, str]:
        """Column of the weights, by column of the ids of each weighted field."""
        return {column(field): weight_column(field) for field in self.fields if field in self.weighted}

    @property
    def spec(self) -> DatasetSpec:
        """Spec of the ingested log; rare, missing and unseen ids of a field share the id 0."""
        return DatasetSpec(
            name="ali_ccp",
            features=tuple(map(self._feature, self.fields)),
            tasks=(
                Task(CLICK, CLICK, output="ctr"),
                Task(CONVERSION, CONVERSION, follows=CLICK, output="ctcvr", conditional_output="cvr"),
            ),
            scenario=column(CONTEXT[0]),
            group_key=column(USER[0]),
            split=GivenSplit(),
        )

    def _feature(self, field: str) -> Feature:
        if field in LISTS:
            return MultiValuedFeature(column(field), weights=weight_column(field), min_frequency=_MIN_FREQUENCY)
        return CategoricalFeature(column(field), min_frequency=_MIN_FREQUENCY, default=None)


def column(field: str) -> str:
    """Returns the column of a field's ids; the names of a spec begin with a letter."""
    return f"f{field}"


def weight_column(field: str) -> str:
    """Returns the column of a field's values."""
    return f"f{field}_value"


_SINGLE_VALUED = tuple(field for field in FIELDS if field not in LISTS)
ALL = Preparation("all", "all fields with all values", lists=FIELDS)
PREPARATIONS = {
    preparation.name: preparation
    for preparation in (
        ALL,
        Preparation(
            "aitm",
            "the 18 fields with one value, as in AITM, MAN and APEM",
            fields=_SINGLE_VALUED,
            lists=(),
            weighted=(),
        ),
        Preparation("adaftr", "all 23 fields, as in AdaFTR"),
    )
}
"""Preparations by name."""
