from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_matrix
from sklearn.neighbors import NearestNeighbors

from pytest_stbench.kernels.graph import cell_graph, lattice_graph
from pytest_stbench.metrics.coherence import chaos, pas, spatial_coherence

pytestmark = pytest.mark.filterwarnings("error")

ALL = (pas, chaos, spatial_coherence)


def more(metric, xy):
    return {"graph": cell_graph(xy)} if metric is spatial_coherence else {"xy_um": xy}


def slow_pas(labels, xy):
    index = NearestNeighbors(n_neighbors=11).fit(xy).kneighbors(xy, return_distance=False)[:, 1:]
    return np.mean([sum(labels[j] != labels[i] for j in row) >= 6 for i, row in enumerate(index)])


def slow_chaos(labels, xy):
    places = (xy - xy.mean(axis=0)) / np.sqrt((xy[:, 0].var() + xy[:, 1].var()) / 2)
    distances = []
    for i, label in enumerate(labels):
        same = [j for j in range(len(labels)) if j != i and labels[j] == label]
        if same:
            distances.append(min(float(np.linalg.norm(places[j] - places[i])) for j in same))
    return np.mean(distances), len(labels) - len(distances)


def slow_coherence(labels, graph):
    matrix, labels = graph.toarray(), np.array(labels)
    pairs = [labels[i] == labels[j] for i in range(len(labels)) for j in range(i) if matrix[i, j]]
    expected = sum((labels == label).mean() ** 2 for label in set(labels.tolist()))
    return (np.mean(pairs) - expected) / (1 - expected)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(11, 40))
def test_each_follows_the_definition(seed, n):
    rng = np.random.default_rng(seed)
    xy = rng.random((n, 2)) * [1000, 300]
    truth, guess = rng.integers(0, 3, n), rng.integers(0, 4, n)
    truth[:2], guess[:2] = (0, 1), (0, 1)
    alone = slow_chaos(guess, xy)
    found = chaos(truth, guess, xy_um=xy)
    assert found.values[0] == pytest.approx(alone[0])
    assert found.extras["singleton"][0] == alone[1]
    assert found.extras["truth"][0] == pytest.approx(slow_chaos(truth, xy)[0])
    found = pas(truth, guess, xy_um=xy)
    assert (found.values[0], found.extras["truth"][0]) == (slow_pas(guess, xy), slow_pas(truth, xy))
    graph = cell_graph(xy)
    found = spatial_coherence(truth, guess, graph=graph)
    assert found.values[0] == pytest.approx(slow_coherence(guess, graph))
    assert found.extras["truth"][0] == pytest.approx(slow_coherence(truth, graph))


@pytest.mark.parametrize("metric", ALL)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_names_place_and_scale_do_not_matter(metric, seed):
    rng = np.random.default_rng(seed)
    xy = np.argwhere(np.ones((6, 5))) * 100.0
    truth, guess = rng.integers(0, 3, (2, 30))
    value = metric(truth, guess, **more(metric, xy)).values[0]
    order = rng.permutation(30)
    names = np.array(["z", "a", "m"])[guess]
    assert metric(truth[order], names[order], **more(metric, xy[order])).values[0] == pytest.approx(value)
    # The units are scaled by a power of two, which leaves ties on a lattice as they are.
    assert metric(truth, guess, **more(metric, 4 * xy)).values[0] == pytest.approx(value)
    if metric is chaos:
        assert metric(truth, guess, xy_um=xy + 1e4).values[0] == pytest.approx(value)


def test_hand_examples():
    line = np.column_stack([np.arange(12.0), np.zeros(12)])
    halves = np.repeat([0, 1], 6)
    # Distances of 1, scaled by sqrt(var(0..11) / 2) = sqrt(143 / 24).
    assert chaos(halves, halves, xy_um=line).values[0] == pytest.approx(1 / np.sqrt(143 / 24))
    # Each unit has 10 of 11 others as neighbours: 6 differ, or 5 where the one left out is one of them.
    assert pas(halves, halves, xy_um=line).values[0] == pytest.approx(0.0)
    striped = np.arange(12) % 2
    values = pas(halves, striped, xy_um=line).values[0]
    assert values == pytest.approx(slow_pas(striped, line))
    graph = lattice_graph(line, 1.0)
    assert spatial_coherence(halves, halves, graph=graph).values[0] == pytest.approx((10 / 11 - 0.5) / 0.5)
    assert spatial_coherence(halves, striped, graph=graph).values[0] == pytest.approx(-1.0)


def test_six_of_ten_differ():
    # Eleven units: each of the five sees six others, each of the six sees five.
    labels = np.repeat(["a", "b"], [5, 6])
    assert pas(labels, labels, xy_um=np.random.default_rng(0).random((11, 2))).values[0] == 5 / 11


@pytest.mark.parametrize("metric", ALL)
def test_units_without_a_true_label_are_not_on_the_slide(metric):
    rng = np.random.default_rng(0)
    xy = np.argwhere(np.ones((6, 6))) * 100.0
    truth, guess = rng.integers(0, 2, 36).astype(object), rng.integers(0, 2, 36)
    truth[30:] = "undetermined"
    given_inputs = {"graph": lattice_graph(xy, 100.0)} if metric is spatial_coherence else {"xy_um": xy}
    kept = {"graph": lattice_graph(xy[:30], 100.0)} if metric is spatial_coherence else {"xy_um": xy[:30]}
    found = metric(truth, guess, **given_inputs)
    assert found.values == metric(truth[:30], guess[:30], **kept).values
    assert found.extras["n_left_out"].tolist() == [6]


def test_degenerate_input():
    xy = np.random.default_rng(1).random((11, 2))
    one = np.zeros(11)
    assert pas(one, one, xy_um=xy).values.tolist() == [0.0]
    assert pas(one[:10], one[:10], xy_um=xy[:10]).reasons.tolist() == ["too_few_units"]
    assert chaos(one, np.arange(11), xy_um=xy).reasons.tolist() == ["empty_pred"]
    assert chaos(one, np.arange(11), xy_um=xy).extras["singleton"].tolist() == [11]
    assert np.isnan(chaos(np.arange(11), one, xy_um=xy).extras["truth"][0])
    assert chaos(one, one, xy_um=np.ones((11, 2))).reasons.tolist() == ["too_few_units"]
    assert chaos([], [], xy_um=np.zeros((0, 2))).reasons.tolist() == ["too_few_units"]
    twice = np.repeat(xy, 2, axis=0)
    assert chaos(np.zeros(22), np.zeros(22), xy_um=twice).values.tolist() == [0.0]
    graph = cell_graph(xy)
    assert spatial_coherence(np.arange(11), one, graph=graph).reasons.tolist() == ["pred_constant"]
    assert np.isnan(spatial_coherence(one, np.arange(11) % 2, graph=graph).extras["truth"][0])
    nothing = csr_matrix((11, 11))
    assert spatial_coherence(one, one, graph=nothing).reasons.tolist() == ["too_few_units"]


def test_bad_input_is_refused():
    for metric in (pas, chaos):
        with pytest.raises(
            ValueError, match=r"shape \(2, 2\): give a finite x and y for each of the 3 units"
        ):
            metric([0, 1, 0], [0, 1, 0], xy_um=np.zeros((2, 2)))
        with pytest.raises(ValueError, match="finite x and y"):
            metric([0], [0], xy_um=[[np.nan, 0]])
    with pytest.raises(ValueError, match="joins 2 units and there are 3 labels"):
        spatial_coherence([0, 1, 0], [0, 1, 0], graph=csr_matrix((2, 2)))
