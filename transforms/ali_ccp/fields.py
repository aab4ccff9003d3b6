"""The fields of Ali-CCP, and what the papers keep of them.

Source: https://tianchi.aliyun.com/dataset/408 (X. Ma et al. Entire Space Multi-Task Model. SIGIR 2018). Its terms
forbid passing it on.
"""

import dataclasses

from tfmtl.features import CategoricalFeature, Feature, MultiValuedFeature
from tfmtl.spec import DatasetSpec, GivenSplit, Task

USER = ("101", "121", "122", "124", "125", "126", "127", "128", "129")
HISTORIES = ("109_14", "110_14", "127_14", "150_14")
ITEM = ("205", "206", "207", "210", "216")
CROSSES = {"508": ("109_14", "206"), "509": ("110_14", "207"), "702": ("127_14", "216"), "853": ("150_14", "210")}
"""Of a history with a field of the item: there where the item's value is in the user's history."""
CONTEXT = ("301",)
FIELDS = (*USER, *HISTORIES, *ITEM, *CROSSES, *CONTEXT)
LISTS = (*HISTORIES, "210")
CLICK, CONVERSION = "click", "conversion"
_MIN_FREQUENCY = 12


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What is kept of the raw rows. Where the skeleton and its common row both have a field, the latter's is.

    Attributes:
        name: as the command line has it.
        summary: what it is, in words.
        fields: those that are kept.
        lists: fields of which all values are kept; of the others the last one is.
        weighted: fields whose values are kept, beside the ids.
    """

    name: str
    summary: str
    fields: tuple[str, ...] = FIELDS
    lists: tuple[str, ...] = LISTS
    weighted: tuple[str, ...] = (*LISTS, *CROSSES)

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the ids, for each of `fields`."""
        return tuple(map(column, self.fields))

    @property
    def weight_columns(self) -> dict[str, str]:
        """Of the values, by the columns that have any."""
        return {column(field): weight_column(field) for field in self.fields if field in self.weighted}

    @property
    def spec(self) -> DatasetSpec:
        """As the examples have it: rare, missing and unseen ids are one, whose number is 0."""
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
    """What a field is called in a spec, where names begin with a letter."""
    return f"f{field}"


def weight_column(field: str) -> str:
    """What its values are called."""
    return f"f{field}_value"


_SINGLE = tuple(field for field in FIELDS if field not in LISTS)
ALL = Preparation("all", "all fields with all values", lists=FIELDS)
PREPARATIONS = {
    preparation.name: preparation
    for preparation in (
        ALL,
        Preparation("aitm", "the 18 fields with one value, as AITM, MAN and APEM", _SINGLE, lists=(), weighted=()),
        Preparation("adaftr", "all 23 fields, as AdaFTR"),
    )
}
