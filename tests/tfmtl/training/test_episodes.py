"""Episodes: disjoint sets that cover the batch, sizes, groups and small batches."""

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.training.episodes import draw_episodes, gather_rows


def as_sets(episodes):
    return [(list(np.asarray(episode.support)), list(np.asarray(episode.query))) for episode in episodes]


@pytest.mark.parametrize("groups", [None, "few", "many", "one"])
@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("rows", [8, 11, 100])
def test_every_row_is_in_one_set_of_one_episode(rows, count, groups):
    rng = np.random.default_rng(0)
    ids = {None: None, "few": rng.integers(0, 3, rows), "many": rng.permutation(rows), "one": np.zeros(rows, int)}
    sets = as_sets(draw_episodes(rows, count, 0.5, ids[groups]))
    assert len(sets) == count
    assert sorted(row for pair in sets for members in pair for row in members) == list(range(rows))
    sizes = [len(support) + len(query) for support, query in sets]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("fraction", "support"), [(0.5, 10), (0.25, 5), (0.72, 14), (0.001, 1), (0.999, 19)])
def test_support_fraction_gives_the_size_of_the_support_set(fraction, support):
    for pair in as_sets(draw_episodes(40, 2, fraction)):
        assert [len(members) for members in pair] == [support, 20 - support]


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("rows", [2, 3, 5])
def test_episodes_of_small_batches_share_rows(rows, count):
    for support, query in as_sets(draw_episodes(rows, count, 0.5)):
        assert support
        assert query
        assert not set(support) & set(query)
        assert set(support) | set(query) <= set(range(rows))


def test_single_row_is_in_both_sets():
    assert as_sets(draw_episodes(1, 2, 0.5)) == [([0], [0])] * 2


def test_episodes_are_random():
    drawn = [str(as_sets(draw_episodes(50, 2, 0.5))) for _ in range(5)]
    grouped = [str(as_sets(draw_episodes(50, 2, 0.5, np.arange(50) % 7))) for _ in range(5)]
    assert len(set(drawn)) == len(set(grouped)) == 5


def test_groups_of_the_size_of_an_episode_become_episodes():
    groups = np.random.default_rng(0).permutation(np.repeat([7, 3, 10**12, 5], 10))
    for _ in range(5):
        sets = as_sets(draw_episodes(40, 4, 0.5, groups))
        held = [{int(group) for group in groups[[*support, *query]]} for support, query in sets]
        assert sorted(len(members) for members in held) == [1, 1, 1, 1]
        assert set.union(*held) == {7, 3, 10**12, 5}


def test_small_groups_are_in_at_most_two_episodes_and_large_ones_fill_several():
    groups = np.array([0] * 60 + [1] * 7 + [2] * 6 + [3] * 5 + [4] * 2)
    for _ in range(10):
        held = [set(groups[[*support, *query]]) for support, query in as_sets(draw_episodes(80, 8, 0.5, groups))]
        counts = {group: sum(group in members for members in held) for group in range(5)}
        assert all(counts[group] <= 2 for group in (1, 2, 3, 4))
        assert counts[0] in (6, 7)


def test_support_and_query_have_rows_of_the_same_groups():
    groups = np.repeat([0, 1], 20)
    shared = 0
    for _ in range(10):
        for support, query in as_sets(draw_episodes(40, 1, 0.5, groups)):
            shared += set(groups[support]) == set(groups[query]) == {0, 1}
    assert shared == 10


def test_order_of_the_groups_is_random():
    groups = np.repeat(np.arange(4), 10)
    together = set()
    for _ in range(40):
        for support, query in as_sets(draw_episodes(40, 2, 0.5, groups)):
            together.add(frozenset(groups[[*support, *query]]))
    assert together == {frozenset(pair) for pair in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]}


def test_graph_accepts_any_batch_size():
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64)])
    def sizes(groups):
        episodes = draw_episodes(tf.size(groups), 2, 0.5, groups)
        return [(tf.size(episode.support), tf.size(episode.query)) for episode in episodes]

    for rows, expected in ((9, [(2, 2), (2, 3)]), (1, [(1, 1), (1, 1)])):
        assert [tuple(map(int, pair)) for pair in sizes(np.arange(rows))] == expected


def test_rejects_groups_of_two_dimensions():
    with pytest.raises(ValueError, match=r"`groups` should have the shape \(batch,\)\. Received: \(4, 2\)"):
        draw_episodes(4, 1, 0.5, np.zeros((4, 2), "int64"))


def test_gather_rows_of_a_nested_structure():
    taken = gather_rows(({"a": np.arange(4)}, np.arange(8).reshape(4, 2), None), np.array([3, 1]))
    np.testing.assert_array_equal(taken[0]["a"], [3, 1])
    np.testing.assert_array_equal(taken[1], [[6, 7], [2, 3]])
    assert taken[2] is None


@pytest.mark.parametrize("groups", [None, np.arange(40) % 7])
def test_a_seed_determines_the_episodes(groups):
    first, again, other = (str(as_sets(draw_episodes(40, 4, 0.5, groups, seed))) for seed in ((3, 8), (3, 8), (3, 9)))
    assert first == again != other
