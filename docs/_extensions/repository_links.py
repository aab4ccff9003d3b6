"""Links to pages outside of docs/, which GitHub needs, lead to the pages of the site that include them."""

from typing import Any

from sphinx.application import Sphinx

PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "quickstart.md",
}


def rewrite(app: Sphinx, page: str, source: list[str]) -> None:
    """Replaces such links in the text of a page, which stands at any depth of docs/."""
    up = "../" * page.count("/")
    for outside, inside in PAGES.items():
        source[0] = source[0].replace(f"]({up}../{outside}", f"]({up}{inside}")
    source[0] = source[0].replace("quickstart.md#install)", "quickstart.md)")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True}
