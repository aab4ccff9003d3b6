"""Names of columns that a spec accepts."""

import re
import unicodedata

from pipelines.exported_names import EXAMPLES, is_refused_input
from tfmtl.features import WEIGHTS_SUFFIX


def legal_name(column: str) -> str:
    """Returns a name for a column that a spec accepts and with which a model can be exported.

    Args:
        column: Name of the log's column.
    """
    ascii_text = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", ascii_text).strip("_") or "column"
    name = name if name[0].isalpha() else f"c_{name}"
    name = name.removesuffix(WEIGHTS_SUFFIX) if name.endswith(WEIGHTS_SUFFIX) else name
    return f"{name}_" if is_refused_input(name) or name == EXAMPLES else name


def unique_names(columns: list[str], taken: set[str]) -> dict[str, str]:
    """Returns a legal name for each column, all of which differ in more than case.

    Args:
        columns: Names of the log's columns.
        taken: Names that are in use.
    """
    used = {name.lower() for name in taken}
    names = {}
    for column in columns:
        base = name = legal_name(column)
        number = 2
        while name.lower() in used:
            name, number = f"{base}_{number}", number + 1
        used.add(name.lower())
        names[column] = name
    return names
