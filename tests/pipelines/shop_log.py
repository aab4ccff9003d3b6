"""Small log in three files, each with one incomplete line, and its settings."""

PARTS, ROWS = 3, 60
SETTINGS = """
name: shop
spec:
  name: shop
  features:
    - {name: user, kind: categorical}
    - {name: tags, kind: multi_valued}
    - {name: price, kind: numerical}
  tasks:
    - {name: click, label: clicked, output: ctr}
  split: {kind: random, eval: 0.2, test: 0.2}
model: {name: shared_bottom}
data: {pattern: "*.csv"}
"""


def write_shop(folder):
    """Writes `log/part-*.csv` and `shop.yaml`, and returns the paths of the settings and the log."""
    (folder / "log").mkdir()
    for part in range(PARTS):
        rows = [f"u{(part + i) % 9},a|b{i % 4},{i % 7}.5,{i % 2}" for i in range(ROWS)]
        lines = ["user,tags,price,clicked", *rows, f"u1,cut in {part}"]
        (folder / f"log/part-{part}.csv").write_text("\n".join(lines) + "\n")
    (folder / "shop.yaml").write_text(SETTINGS)
    return folder / "shop.yaml", str(folder / "log")
