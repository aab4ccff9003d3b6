"""The documentation site: a strict build, two clicks to what a newcomer asks for, no network, good at every width."""

import functools
import json
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from docs.figures import draw
from tests.browser.conftest import SCHEMES, WIDTHS, opened, problems
from tests.test_documentation import environment
from tfmtl.models import MODELS

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
STRICT_BUILD = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html"]
LIMIT = 120
"""Seconds of processor time that a build may take; measured 45."""
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Attributes whose address a browser loads by itself."""


class Links(HTMLParser):
    """Addresses in a page: those that a reader can click, and those that a browser loads."""

    def __init__(self, text):
        super().__init__()
        self.clicked, self.loaded = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "a" and given.get("href"):
            self.clicked.append(given["href"])
        if tag in LOADING and given.get(LOADING[tag]) and given.get("rel") != "canonical":
            self.loaded.append(given[LOADING[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Builds the site as `make docs` does, in which every warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*STRICT_BUILD, "-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < LIMIT, "the strict build should stay quick enough for every run of the tests"
    return folder / "html"


@functools.cache
def links(path):
    return Links(path.read_text(encoding="utf-8"))


def pages(site):
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)


def reached(site, clicks):
    """Returns the addresses that a reader of the front page reaches, pages and anchors, with a number of clicks."""
    found = {site / "index.html": {""}}
    for _ in range(clicks):
        for path in list(found):
            for address in links(path).clicked:
                if not re.match(r"[a-z]+:", address):
                    target, _, anchor = address.partition("#")
                    place = (path.parent / target).resolve() if target else path
                    if place.suffix == ".html":
                        found.setdefault(place, set()).add(anchor)
    return {f"{path.relative_to(site)}#{anchor}".rstrip("#") for path, anchors in found.items() for anchor in anchors}


def test_two_clicks_lead_to_what_a_newcomer_asks_for(site):
    near = reached(site, 2)
    wanted = {
        "own-data.html": "run on own data",
        "concepts.html#sample-spaces": "what ctcvr means",
        "papers/man.html#how-it-is-trained": "how MAN is trained",
        "quickstart.html": "the first prediction",
        "settings.html": "what a settings file may contain",
        "guides/warm-start.html": "start from yesterday's model",
        "api/layers.html": "a layer's arguments",
        "results/movielens/results.html": "which model is better",
    }
    assert [place for place in wanted if place not in near] == []
    assert "conversion" in (site / "concepts.html").read_text()


def test_every_model_has_a_page_within_two_clicks(site):
    near = reached(site, 2)
    assert [name for name in MODELS if not {f"models/{name}.html", f"papers/{name}.html"} & near] == []


def test_links_lead_to_pages_and_anchors(site):
    ids = {path: set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8"))) for path in pages(site)}
    dead = []
    for path in ids:
        for address in links(path).clicked:
            target, _, anchor = address.partition("#")
            if re.match(r"[a-z]+:", address):
                continue
            place = (path.parent / target).resolve() if target else path
            if not place.exists() or (anchor and place in ids and anchor not in ids[place]):
                dead.append(f"{path.relative_to(site)}: {address}")
    assert dead == []
    assert len(ids) > 60


def test_pages_load_nothing_from_a_network(site):
    remote = re.compile(r"(https?:)?//")
    loaded = {f"{p.name}: {address}" for p in pages(site) for address in links(p).loaded if remote.match(address)}
    assert loaded == set()
    styles = [
        path for path in site.rglob("*.css") if re.search(r"(url\(|@import )['\"]?(https?:)?//", path.read_text())
    ]
    assert styles == []


def test_the_reference_has_the_api_and_the_settings(site):
    layers = (site / "api" / "layers.html").read_text()
    assert 'id="tfmtl.layers.TaskAttention"' in layers
    (signature,) = re.findall(r'<dt [^>]*id="tfmtl.layers.CGC">(.*?)</dt>', layers, re.DOTALL)
    assert "num_shared" in signature
    assert 'id="settings-training-optimizer-adam"' in (site / "settings.html").read_text()
    assert (site / "settings.schema.json").exists()
    commands = (site / "commands.html").read_text()
    assert "Usage: tfmtl run" in commands
    man = (site / "papers" / "man.html").read_text()
    assert "/layers.html#tfmtl.layers.TaskAttention" in man, "names in the tables of papers are links"
    assert "<math" in man


def test_a_page_of_results_is_the_source_of_the_numbers_of_a_paper(site):
    records = json.loads((DOCS / "results" / "movielens" / "results.json").read_text())["records"]
    record = next(r for r in records if (r["model"], r["metric"], r["output"]) == ("man", "auc", "liked"))
    assert f"{record['mean']:.4f}" in (site / "papers" / "man.html").read_text()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("reuse.md", "(../CONTRIBUTING.md)", "(missing.md)", "missing.md"),
        ("models.md", "training.md#health-of-the-mechanism", "training.md#nothing", "nothing"),
    ],
)
@pytest.mark.long
def test_a_dead_link_fails_the_build(tmp_path, file, old, new, message):
    shutil.copytree(DOCS, tmp_path / "docs")
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "benchmarks", "tfmtl", "pipelines", "serving", "transforms"):
        (tmp_path / name).symlink_to(ROOT / name)
    page = tmp_path / "docs" / file
    page.write_text(page.read_text().replace(old, new))
    command = [*STRICT_BUILD, str(tmp_path / "docs"), str(tmp_path / "html")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert message in done.stderr


def test_a_public_function_without_a_docstring_fails_the_build(tmp_path):
    (tmp_path / "bare.py").write_text('__all__ = ["f"]\n\ndef f():\n    pass\n\nf.__module__ = "tfmtl.bare"\n')
    (tmp_path / "index.rst").write_text("Bare\n====\n\n.. automodule:: bare\n   :members:\n")
    paths = [str(tmp_path), str(DOCS / "_extensions")]
    settings = f"import sys\nsys.path[:0] = {paths}\nextensions = ['sphinx.ext.autodoc', 'docstrings']\n"
    (tmp_path / "conf.py").write_text(settings)
    command = [*STRICT_BUILD, str(tmp_path), str(tmp_path / "html")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert "tfmtl.bare.f should have a docstring" in done.stderr


@pytest.mark.parametrize("name", draw.FIGURES)
def test_figures_are_up_to_date_and_well_formed(name):
    text = (DOCS / "figures" / f"{name}.svg").read_text()
    assert f"<!-- chart {draw.digest(draw.configured(draw.FIGURES[name]()))} -->" in text, "python docs/figures/draw.py"
    assert ET.fromstring(text).tag.endswith("svg")
    assert f"figures/{name}.svg)" in (DOCS / "concepts.md").read_text()


SHOWN = ("index.html", "concepts.html", "papers/man.html", "settings.html", "api/layers.html")
QUICK = SHOWN[:2]
"""Pages whose accessibility is checked in every run of the tests; the others are long, and take up to a minute each."""


@pytest.mark.parametrize("page", SHOWN)
def test_pages_fit_every_width_without_errors(browser, site, page):
    found = []
    for width in WIDTHS:
        with opened(browser, site / page, width) as shown:
            found += [f"{width}: {problem}" for problem in problems(shown, accessibility=None)]
    assert found == []


@pytest.mark.parametrize(
    "page", [page if page in QUICK else pytest.param(page, marks=pytest.mark.long) for page in SHOWN]
)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_are_accessible_in_both_schemes(browser, site, page, scheme):
    for width in (400, 1600):  # Boxes scroll in a narrow window, and the navigation is shown in a wide one.
        with opened(browser, site / page, width, scheme) as shown:
            assert problems(shown) == []


def test_wide_tables_scroll_in_their_own_box(browser, site):
    with opened(browser, site / "papers" / "man.html", 400) as shown:
        wide = shown.evaluate(
            "[...document.querySelectorAll('.table-wrapper')].filter(box => box.scrollWidth > box.clientWidth).length"
        )
        assert wide >= 1
        assert problems(shown, accessibility=None) == []
