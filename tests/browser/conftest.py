"""Pages in a browser without a network: what is wrong with a page, as a reader with Chromium would find it."""

import pathlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

CHROMIUM = pathlib.Path("/usr/bin/chromium")
WIDTHS = (400, 800, 1600)
"""Widths in pixels of a telephone, of half a screen and of a screen."""
SCHEMES = ("light", "dark")
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_WCAG_AA = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
_recorded = {}
"""Errors while a page was loaded, by page."""


@pytest.fixture(scope="module")
def browser():
    """Starts Chromium for the tests of a file; they are skipped where it is missing.

    It does not outlive the file: Playwright keeps an event loop running, beside which other tests cannot start theirs.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"Chromium is not installed at {CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def opened(browser, path, width=1600, scheme="light", height=900) -> Iterator:
    """Opens a local file in a browser that has no network.

    Args:
        browser: The fixture `browser`.
        path: Path of an HTML file, which may have an anchor: `build/docs/html/index.html#models`.
        width: Width of the window in pixels.
        scheme: Colours that the reader prefers, `light` or `dark`.
        height: Height of the window in pixels.

    Returns:
        The page, which `problems` takes.
    """
    file, _, anchor = str(path).partition("#")
    url = pathlib.Path(file).resolve().as_uri() + (f"#{anchor}" if anchor else "")
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    wrong = _recorded[page] = []
    page.on("console", lambda line: wrong.append(f"console: {line.text}") if line.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("request", lambda request: wrong.append(f"network: {request.url}") if _is_remote(request.url) else None)
    context.route(_is_remote, lambda route: route.abort())
    try:
        page.goto(url, wait_until="load")
        yield page
    finally:
        del _recorded[page]
        context.close()


def problems(page, accessibility=_WCAG_AA):
    """Returns what is wrong with a page of `opened`, one text a problem; none for a good page.

    Reported are errors of its scripts, requests to a network, a body that is wider than the window, and violations of
    WCAG 2.1 at level AA, contrast among them.

    Args:
        page: Page of `opened`.
        accessibility: Options of axe; None to leave its rules out.
    """
    found = list(_recorded[page])
    overflow = page.evaluate(_OVERFLOW)
    if overflow > 0:
        found.append(f"overflow: the body is {overflow} pixels wider than the window of {page.viewport_size['width']}")
    return found + (_violations(page, accessibility) if accessibility else [])


def _violations(page, options):
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page, options={**options, "resultTypes": ["violations"]}).response["violations"]
    return [
        f"{violation['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary'].splitlines()[-1].strip()}"
        for violation in violations
        for node in violation["nodes"]
    ]


def _is_remote(url):
    return not url.startswith(("file:", "data:", "blob:", "about:", "http://127.0.0.1", "http://localhost"))
