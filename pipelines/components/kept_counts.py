"""Token counts of each day of a growing log, from which the vocabularies of the last days follow."""

import posixpath
from collections.abc import Mapping

from pipelines.components.example_gen import COUNTS
from transforms.storage.files import link_or_copy, list_folder


def keep_counts(spans: Mapping[int, str], earlier: str | None, folder: str, keep_days: int | None) -> list[str]:
    """Links the token counts of the spans of a log, and of the days before them, to the folder of the merged examples.

    The counts of a day lie in a folder of their own, so that a day which is read again replaces its earlier counts, and
    one that is too old is left out.

    Args:
        spans: Folder of the examples of each span of the log, by the number of the span.
        earlier: Folder of the merged examples of an earlier run, with the counts that were kept there; None for none.
        folder: Folder of the merged examples.
        keep_days: Number of days, or spans, that are kept; None for the spans of the log alone.

    Returns:
        The folders of the counts.
    """
    sources = {}
    if earlier is not None and keep_days is not None:
        kept = posixpath.join(earlier, COUNTS)
        oldest = max(spans) - keep_days + 1
        sources = {int(name): posixpath.join(kept, name) for name in list_folder(kept) if int(name) >= oldest}
    sources |= {span: posixpath.join(part, COUNTS) for span, part in spans.items()}
    folders = []
    for span, source in sorted(sources.items()):
        folders.append(posixpath.join(folder, COUNTS, f"{span:06d}"))
        for name in list_folder(source):
            link_or_copy(posixpath.join(source, name), posixpath.join(folders[-1], name))
    return folders
