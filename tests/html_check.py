"""Check of the HTML that a notebook shows."""

from html.parser import HTMLParser

_VOID = {"br", "hr", "img", "input", "col", "line", "path"}


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.names, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs), attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def texts_of(html):
    """Returns the texts of a piece of HTML, after a check that its elements are closed and that nothing in it runs."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert not {"script", "style", "link", "iframe"} & set(parser.names)
    assert "color:#" not in html.replace("background-", "")
    return parser.texts
