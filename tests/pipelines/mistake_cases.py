"""Mistakes of users of the command line, each with the message that it causes."""

import dataclasses
import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SETTINGS = """\
name: shop
spec:
  name: shop
  features:
    - {name: user, kind: categorical, min_frequency: 2}
    - {name: device, kind: categorical}
    - {name: price, kind: numerical}
    - {name: tags, kind: multi_valued, weights: tag_weights}
  tasks:
    - {name: click, label: clicked, output: ctr}
    - {name: buy, label: bought, follows: click, output: ctcvr, conditional_output: cvr}
  scenario: device
  split: {kind: random, eval: 0.1, test: 0.1}
model:
  name: mmoe
  options: {embedding_dim: 4}
training: {batch_size: 256, max_epochs: 2}
thresholds:
  ctr: {min_auc: 0.3}
"""
COMPARISON = """\
name: models
base: shop.yaml
seeds: [1, 2]
models:
  mmoe: {}
  shared_bottom: {}
reference: shared_bottom
"""
HEADER = "user,device,price,tags,tag_weights,clicked,bought"
LOG = "\n".join([HEADER, *(f"u{i % 7},phone,{i}.5,a|b,1|2,{i % 2},{int(i % 4 == 1)}" for i in range(40))]) + "\n"
RUN = "run shop.yaml --data log.csv --out out"

SETTINGS_MISTAKES = r"""
name: mmoe >> name: mmo
    shop.yaml:15: model.name: should be one of adaftr, aitm,
embedding_dim >> embeding_dim
    shop.yaml:16: model.options.embeding_dim: should be a field of MMoEOptions. Did you mean `embedding_dim`?
embedding_dim: 4 >> embedding_dim: 0
    shop.yaml:16: model.options.embedding_dim: should be at least 1. Received: 0
min_auc >> min_acu
    shop.yaml:19: thresholds.ctr.min_acu: should be a field of Thresholds. Did you mean `min_auc`?
min_auc: 0.3 >> min_auc: 30
    shop.yaml:19: thresholds.ctr.min_auc: should be in [0, 1], or null. Received: 30.0
  ctr: { >>   ctrl: {
    shop.yaml:19: thresholds.ctrl: should be an output of the spec: ctr, cvr, ctcvr. Received: 'ctrl'
epochs: 2 >> epochs: 2, monitor: ctr_au
    shop.yaml:17: training.monitor: should be one of loss, click_loss, buy_loss, ctr_auc, cvr_auc, ctcvr_auc. Rec
epochs: 2 >> epochs: two
    shop.yaml:17: training.max_epochs: should be an integer. Received: 'two'
epochs: 2 >> epochs: 2, optimizer: {kind: adm}
    shop.yaml:17: training.optimizer.kind: should be one of adam, adagrad, ftrl. Received: 'adm'
epochs: 2 >> epochs: 2, warm_start: gone
    training.warm_start should be latest, or a folder with a model.keras
model: >> data: {reader: exel}\nmodel:
    shop.yaml:14: data.reader: should be one of auto, csv, parquet, tfrecord, movielens, ingested. Received: 'exel'
model: >> data: {delimiter: ';;'}\nmodel:
    shop.yaml:14: data.delimiter: should be one ASCII character
model: >> data: {columns: {usr: user}}\nmodel:
    shop.yaml:14: data.columns.usr: should be a column of the spec: user, device
scenario: device >> scenario: price
    shop.yaml:12: spec.scenario: should be a categorical feature: user, device. Received: 'price'
name: shop\n >> name: [\n
    shop.yaml:3: should be valid YAML. Received:
name: user >> name: class
    shop.yaml:5: spec.features[0].name: should not be a keyword of Python or self; use another name
name: user >> name: self
    shop.yaml:5: spec.features[0].name: should not be a keyword of Python or self; use another name
name: user >> name: examples
    shop.yaml:5: spec.features[0].name: should not be examples, which is an input of the exported model
name: user >> name: Device
    shop.yaml:6: spec.features[1].name: should differ from Device in more than case
weights: tag_weights >> weights: lambda
    shop.yaml:8: spec.features[3].weights: should not be a keyword of Python or self
label: clicked >> label: examples
    shop.yaml:10: spec.tasks[0].label: should not be examples
scenario: device >> group_key: examples
    shop.yaml:12: spec.group_key: should not be examples
scenario: device >> group_key: session
    log.csv: should have the column session. Received: user, device
"""
"""Pairs of lines: `correct text >> text with a mistake` in the settings, then a part of the message."""

LOG_MISTAKES = r"""
price >> prize
    log.csv: should have the column price. Received: user, device, prize, tags, tag_weights, clicked, bought. Similar
price >> user,price
    log.csv: should name each column once. Received twice: user
price,tags >> tags
    log.csv: should have the column price.
, >> ;
    The line has semicolons: set data.delimiter to ';'.
user,device,price,tags,tag_weights,clicked,bought\n >> \n
    log.csv: the header, the first line, should be the names of the columns. Received: ''
user,device,price,tags,tag_weights,clicked,bought\n >>
    if the file has no header, give the names in data.header.
"""
"""Pairs of lines like those of `SETTINGS_MISTAKES`; every occurrence in the log's first two lines is replaced."""


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A command line, the files that it finds beside `shop.yaml` and `log.csv`, and a part of its message."""

    command: str
    message: str
    files: dict[str, str | bytes] = dataclasses.field(default_factory=dict)
    code: int = 2


def parquet(**columns):
    stream = io.BytesIO()
    names = HEADER.split(",")
    pq.write_table(pa.table({name: columns.get(name, pa.array(["1"])) for name in names}), stream)
    return stream.getvalue()


def data(name, content, message, settings=SETTINGS):
    """Mistake in the files of the log: `--data` is the first part of the file's path."""
    return Mistake(f"run s.yaml --data {name.split('/')[0]} --out out", message, {name: content, "s.yaml": settings})


COMPRESSED = gzip.compress(LOG.encode())
NESTED = SETTINGS.replace("model:", "data: {pattern: '*/*.csv'}\nmodel:", 1)
FILE_MISTAKES = {
    "empty file": data("a.csv", "", "a.csv: the header, the first line, should be the names of the columns. Received"),
    "truncated gzip": data("a.csv.gz", COMPRESSED[:-20], "should be a complete file, but reading fails at line 1"),
    "no gzip": data("a.csv.gz", LOG, "a.csv.gz: should be a complete file, but reading fails at line 1 or later"),
    "UTF-16": data("a.csv", LOG.encode("utf-16"), "a.csv: the header, the first line, should be UTF-8"),
    "no Parquet": data("a.parquet", LOG, "a.parquet: should be a complete Parquet file"),
    "truncated Parquet": data("a.parquet", parquet()[:-9], "a.parquet: should be a complete Parquet file"),
    "type": data(
        "a.parquet", parquet(price=pa.array([{"eur": 1}])), "a.parquet, from row 1 on: price should be numbers"
    ),
    "no TFRecord": data("a.tfrecord", LOG, "a.tfrecord: should be a TFRecord file"),
    "no data": data("d/README.txt", "Notes", "(not read, not the name of a data file: README.txt)"),
    "0 bytes": data("d/a.csv", "", "(not read, 0 bytes: a.csv)"),
    "folder": data("d/e/a.csv", LOG, "data.pattern should match a file in"),
    "two sources": data("d/user=a/a.csv", LOG, "either in the file or in the name of a folder (user=a)", NESTED),
    "no pattern": data("d/a.csv", LOG, "data.pattern should match a file in", NESTED),
}
COMMAND_MISTAKES = {
    "no command": Mistake("modls mmoe", "No such command 'modls'. Did you mean 'models'?"),
    "no option": Mistake("run shop.yaml --epochs 3", "No such option '--epochs'"),
    "no settings": Mistake("run gone.yaml", "File 'gone.yaml' does not exist."),
    "settings are a folder": Mistake("run .", "File '.' is a directory."),
    "settings are no text": Mistake("run a.yaml", "a.yaml: should be a readable YAML file.", {"a.yaml": b"\x00\xff"}),
    "no base": Mistake("run a.yaml", "gone.yaml: should be a readable YAML file.", {"a.yaml": "base: gone.yaml\n"}),
    "no log given": Mistake("run shop.yaml", "data.path should be the folder of the raw log, or a file. Received: ''"),
    "no log": Mistake("run shop.yaml --data gone", "data.path should be the folder of the raw log, or a file."),
    "out is a file": Mistake("run shop.yaml --data log.csv --out log.csv", "Directory 'log.csv' is a file."),
    "out in a file": Mistake("run shop.yaml --data log.csv --out log.csv/a", "Not a directory: 'log.csv/a'"),
    "brackets": Mistake("run shop.yaml --data log.csv --out o[1]", "--out should be a path without *, ?, [ and ],"),
    "model": Mistake("models mmo", "Did you mean `mmoe`? Received: 'mmo'"),
    "simulator": Mistake("simulate shop.yaml --out x", "shop.yaml: simulator: should be given to simulate a log."),
    "windows": Mistake("ingest panels shop.yaml --raw . --out x", "shop.yaml: windows: should be given."),
    "raw files": Mistake("ingest ali-ccp --raw gone --out x", "gone: should be a folder with Ali-CCP's files. Missing"),
    "task": Mistake("init log.csv --task clickd", "log.csv: should have the column clickd."),
    "no task": Mistake("init log.csv", "Missing option '--task'."),
    "label": Mistake("init log.csv --task user", "--task user: should hold 0 or 1, counts, or amounts of at least 0."),
    "model dir": Mistake("serve gone", "Directory 'gone' does not exist."),
    "no version": Mistake("serve m", "m should have a folder for each version,", {"m/a.txt": ""}),
    "parent": Mistake("serve m", "Received: none. Did you mean m/shop?", {"m/shop/1/a.pb": ""}),
    "same name": Mistake("serve m a/m", "model_dirs should have different names", {"m/1/a": "", "a/m/1/a": ""}),
    "no rows": Mistake("predict gone.csv --model shop", "File 'gone.csv' does not exist."),
    "no server": Mistake(
        "predict log.csv --model shop --host 127.0.0.1:1 --deadline 1", "Is a server running at this address?", code=1
    ),
    "no image": Mistake("compile shop.yaml --root r --out p.yaml", "Missing option '--image'."),
    "extension": Mistake("compile shop.yaml --image i --root r --out p.txt", "out should end in .yaml or .json. Rec"),
    "compared": Mistake(
        "compare c.yaml --data log.csv", "c.yaml:5: models.", {"c.yaml": COMPARISON.replace("mmoe", "mmo")}
    ),
    "reference": Mistake(
        "compare c.yaml", "c.yaml:7: reference: ", {"c.yaml": COMPARISON.replace("e: shared_bottom", "e: sb")}
    ),
    "compared brackets": Mistake("compare c.yaml --data log.csv --out o[1]", "--out should be", {"c.yaml": COMPARISON}),
    "no seed": Mistake("compare c.yaml", "c.yaml:3: seeds: ", {"c.yaml": COMPARISON.replace("[1, 2]", "[]")}),
    "no comparison": Mistake("compare shop.yaml", "shop.yaml:2: spec: should be a field of CompareSettings."),
    "compared log": Mistake("compare c.yaml --data gone", "data.path should be the folder", {"c.yaml": COMPARISON}),
}


def pairs(text, edit):
    """Yields a parameter of `Mistake` for each pair of lines; `edit` makes the files of the changed text."""
    lines = iter(text.strip().splitlines())
    for change, message in zip(lines, lines, strict=True):
        correct, _, wrong = (part.replace("\\n", "\n") for part in change.partition(" >>"))
        yield pytest.param(Mistake(RUN, message.strip(), edit(correct, wrong[1:])), id=change)


def edited_settings(correct, wrong):
    assert correct in SETTINGS
    return {"shop.yaml": SETTINGS.replace(correct, wrong, 1)}


def edited_log(correct, wrong):
    assert correct in LOG
    header, rows = LOG[: len(HEADER) + 1], LOG[len(HEADER) + 1 :]
    return {"log.csv": header.replace(correct, wrong) + rows}


MISTAKES = [
    *pairs(SETTINGS_MISTAKES, edited_settings),
    *pairs(LOG_MISTAKES, edited_log),
    *(pytest.param(mistake, id=name) for name, mistake in (FILE_MISTAKES | COMMAND_MISTAKES).items()),
]
