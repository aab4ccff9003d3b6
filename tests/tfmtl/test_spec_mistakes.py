"""Mistakes in a spec raise errors that name the file, the line and the field."""

import re

import pytest

from tfmtl import DatasetSpec
from tfmtl.config import ConfigError

SPEC = """\
name: shop
version: 1
features:
  - name: user
    kind: categorical
    min_frequency: 2
  - name: price
    kind: numerical
    max_bucket: 8
  - name: tags
    kind: multi_valued
    weights: tag_weights
  - name: history
    kind: sequence
tasks:
  - name: click
    label: clicked
    output: ctr
  - name: buy
    label: bought
    follows: click
scenario: user
group_key: user_id
split:
  kind: random
  test: 0.2
"""
MISTAKES = r"""
name: shop >> name: 3
    1: name: should be a string. Received: 3
version: 1 >> version: 2
    2: version: should be 1, the supported version. Received: 2
version: 1 >> version: true
    2: version: should be an integer. Received: True
min_frequency: 2 >> min_frequency: yes
    6: features[0].min_frequency: should be an integer. Received: True
min_frequency: 2 >> min_frequency: 2.5
    6: features[0].min_frequency: should be an integer. Received: 2.5
min_frequency: 2 >> required: 1
    6: features[0].required: should be a boolean (true or false). Received: 1
min_frequency: 2 >> min_frequency: 0
    6: features[0].min_frequency: should be at least 1. Received: 0
min_frequency: 2 >> num_oov: 0
    6: features[0].num_oov: should be at least 1. Received: 0
min_frequency: 2 >> max_tokens: 0
    6: features[0].max_tokens: should be at least 1. Received: 0
min_frequency: 2 >> min_frequncy: 2
    6: features[0].min_frequncy: should be a field of CategoricalFeature. Did you mean `min_frequency`?
min_frequency: 2 >> zzz: 2
    6: features[0].zzz: should be a field of CategoricalFeature. Known fields: name, kind, min_frequency, max_tokens,
min_frequency: 2 >> kind: categorical
    6: should name each field once. Received: kind
kind: numerical >> kind: number
    8: features[1].kind: should be one of categorical, numerical, multi_valued, sequence, number_sequence, dense. Rec
  - name: price\n    kind: numerical >>   - name: price
    7: features[1].kind: should be one of categorical, numerical, multi_valued, sequence, number_sequence, dense. Rec
max_bucket: 8 >> max_bucket: 0
    9: features[1].max_bucket: should be above min_bucket, 0. Received: 0
max_bucket: 8 >> scale: 0
    9: features[1].scale: should be above 0. Received: 0.0
max_bucket: 8 >> scale: .nan
    9: features[1].scale: should be above 0. Received: nan
name: tags >> name: user
    10: features[2].name: should be unique: a feature has the same name. Received: 'user'
weights: tag_weights >> weights: price
    12: features[2].weights: should be unique: a feature has the same name. Received: 'price'
name: history >> name: tag_weights
    13: features[3].name: should be unique: a weights column has the same name. Received: 'tag_weights'
kind: sequence >> kind: sequence\n    weights: w
    15: features[3].weights: should be a field of SequenceFeature.
kind: sequence >> kind: sequence\n    max_length: 0
    15: features[3].max_length: should be at least 1. Received: 0
kind: sequence >> kind: sequence\n    separator: ''
    15: features[3].separator: should be at least one character. Received: ''
kind: sequence >> kind: number_sequence\n    num_oov: 2
    15: features[3].num_oov: should be a field of NumberSequenceFeature.
kind: sequence >> kind: number_sequence\n    max_length: 0
    15: features[3].max_length: should be at least 1. Received: 0
kind: sequence >> kind: number_sequence\n    separator: ''
    15: features[3].separator: should be at least one character. Received: ''
kind: sequence >> kind: number_sequence\n    scale: -1
    15: features[3].scale: should be above 0. Received: -1.0
kind: sequence >> kind: number_sequence\n    min_bucket: 64
    13: features[3].max_bucket: should be above min_bucket, 64. Received: 64
name: price >> name: the price
    7: features[1].name: should be a letter followed by letters, digits or underscores. Received: 'the price'
name: click >> name: 1st
    16: tasks[0].name: should be a letter followed by letters, digits or underscores. Received: '1st'
name: history >> name: tags__weights
    13: features[3].name: should be a name that does not end in __weights. Received: 'tags__weights'
label: bought >> label: tags__weights
    20: tasks[1].label: should be a name that does not end in __weights. Received: 'tags__weights'
label: clicked >> label: price
    17: tasks[0].label: should be unique: a feature has the same name. Received: 'price'
label: clicked >> label: tag_weights
    17: tasks[0].label: should be unique: a weights column has the same name. Received: 'tag_weights'
label: bought >> label: clicked
    20: tasks[1].label: should be unique: a label has the same name. Received: 'clicked'
label: clicked\n    output: ctr >> output: ctr
    16: tasks[0].label: should be given: Task requires it
label: clicked >> label: clicked\n    kind: real
    18: tasks[0].kind: should be one of binary, count, value. Received: 'real'
name: buy >> name: click
    19: tasks[1].name: should be unique among the tasks. Received: 'click'
follows: click >> follows: buy
    21: tasks[1].follows: should be a task listed before it (click). Received: 'buy'
follows: click >> follows: klick
    21: tasks[1].follows: should be a task listed before it (click). Received: 'klick'
output: ctr >> follows: buy
    18: tasks[0].follows: should be a task listed before it (there is none). Received: 'buy'
output: ctr >> kind: count
    21: tasks[1].follows: should be a binary task. Received: 'click'
follows: click >> follows: click\n    kind: count
    22: tasks[1].kind: should be binary or value for a task with `follows`. Received: 'count'
follows: click >> output: ctr
    21: tasks[1].output: should be unique among the tasks. Received: 'ctr'
output: ctr >> output: buy_given_click
    18: tasks[0].output: should be unique among the outputs. Received: 'buy_given_click'
label: bought >> label: bought\n    conditional_output: buy
    19: tasks[1].output: should be unique among the outputs. Received: 'buy'
output: ctr >> conditional_output: c
    18: tasks[0].conditional_output: should be omitted for a task without `follows`. Received: 'c'
output: ctr >> output: c.t.r
    18: tasks[0].output: should be a letter followed by letters, digits or underscores. Received: 'c.t.r'
scenario: user >> scenario: price
    22: scenario: should be a categorical feature: user. Received: 'price'
group_key: user_id >> group_key: bought
    23: group_key: should be a column other than a label or weight. Received: 'bought'
kind: random >> kind: hash
    25: split.kind: should be one of random, time, given. Received: 'hash'
test: 0.2 >> test: 2
    26: split.test: should be between 0 and 1. Received: 2.0
test: 0.2 >> test: 0.95
    26: split.test: should be below 0.9, so that rows remain for train. Received: 0.95
kind: random\n  test: 0.2 >> kind: time\n  eval_from: 1\n  test_from: 2
    24: split.column: should be given: TimeSplit requires it
kind: random\n  test: 0.2 >> kind: time\n  column: day\n  eval_from: 1\n  test_from: b
    28: split.test_from: should be of the same type as eval_from. Received: 'b'
kind: random\n  test: 0.2 >> kind: time\n  column: day\n  eval_from: 2\n  test_from: 1
    28: split.test_from: should be after eval_from, 2. Received: 1
group_key: user_id >> group_keys: user_id
    23: group_keys: should be a field of DatasetSpec. Did you mean `group_key`?
test: 0.2 >> test: 0.2\ngroups:\n  who: [user, nobody]
    28: groups.who[1]: should be a feature: user, price, tags, history. Received: 'nobody'
test: 0.2 >> test: 0.2\ngroups:\n  who: [user]\n  what: [tags,\n    tags]
    30: groups.what[1]: should be listed once in its group. Received: 'tags'
test: 0.2 >> test: 0.2\ngroups:\n  who: []
    28: groups.who: should be at least one feature. Received: ()
test: 0.2 >> test: 0.2\ngroups:\n  1st: [user]
    28: groups.1st: should be a letter followed by letters, digits or underscores. Received: '1st'
test: 0.2 >> test: 0.2\ngroups: [user]
    27: groups: should be a mapping. Received: ['user']
name: click >> name: [click
    17: should be valid YAML. Received:
  kind: random >> \tkind: random
    25: should be valid YAML. Received:
"""
"""Pairs of lines: `correct text >> text with a mistake`, then the beginning of the error, `line: field: message`."""


def mistakes():
    lines = iter(MISTAKES.strip().splitlines())
    for change, error in zip(lines, lines, strict=True):
        correct, wrong = (text.replace("\\n", "\n").replace("\\t", "\t") for text in change.split(" >> "))
        yield pytest.param(correct, wrong, error.strip(), id=change)


@pytest.mark.parametrize(("correct", "wrong", "error"), mistakes())
def test_mistake_raises_an_error_with_line_and_field(correct, wrong, error, tmp_path):
    assert correct in SPEC
    path = tmp_path / "shop.yaml"
    path.write_text(SPEC.replace(correct, wrong, 1))
    with pytest.raises(ConfigError) as caught:
        DatasetSpec.load(path)
    assert str(caught.value).startswith(f"{path}:{error}")


def test_accepts_the_spec_without_a_mistake(tmp_path):
    (tmp_path / "shop.yaml").write_text(SPEC)
    assert DatasetSpec.load(tmp_path / "shop.yaml").name == "shop"


@pytest.mark.parametrize("section", ["features", "tasks"])
def test_rejects_an_empty_section(section):
    text = re.sub(rf"(?ms)^{section}:\n(  .*?\n)+(?=\w)", f"{section}: []\n", SPEC)
    line = text.splitlines().index(f"{section}: []") + 1
    message = f"s:{line}: {section}: should be at least one {section[:-1]}. Received: ()"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        DatasetSpec.from_yaml(text, "s")
