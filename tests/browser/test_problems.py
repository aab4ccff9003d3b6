"""Problems that `problems` reports about bad pages, so that a test with no problem says something."""

import pytest

from tests.browser.conftest import opened, problems

HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title></head><body><main><h1>h</h1>'
BAD = {
    "script": "<script>throw Error('broken')</script>",
    "console": "<script>console.error('broken')</script>",
    "network": "<img alt='a' src='https://example.com/a.png'>",
    "overflow": "<div style='width: 500px'>wide</div>",
    "color-contrast": "<p style='color: #aaa; background: #fff'>grey</p>",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_page_has_its_problem(browser, tmp_path, name):
    (tmp_path / "bad.html").write_text(HEAD + BAD[name])
    with opened(browser, tmp_path / "bad.html", width=400) as page:
        assert name in {problem.partition(":")[0] for problem in problems(page)}


def test_a_good_page_has_none(browser, tmp_path):
    (tmp_path / "good.html").write_text(HEAD + "<p>text</p>")
    with opened(browser, tmp_path / "good.html", width=400, scheme="dark") as page:
        assert problems(page) == []
