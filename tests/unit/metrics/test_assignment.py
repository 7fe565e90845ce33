from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.metrics import Molecules, doublet_rate, transcripts_assigned

pytestmark = pytest.mark.filterwarnings("error")

NAMES = np.array(["EPCAM", "ACTB", "PTPRC", "CD3E"])
TRUTH = np.array([[1, 1, 0, 2, 2]])
MERGED = np.array([[5, 5, 5, 5, 0]])


def at(*placed, names=NAMES):
    """Transcripts (gene, x) in the middle of the only row."""
    genes = [list(names).index(gene) for gene, _ in placed]
    return Molecules(
        xy_px=np.array([(x, 0.5) for _, x in placed], float).reshape(-1, 2),
        gene=np.array(genes, int),
        names=names,
    )


def test_share_of_transcripts_in_instances():
    placed = at(("ACTB", 0.0), ("ACTB", 2.5), ("EPCAM", 3.99), ("ACTB", 4.0), ("ACTB", 5.0), ("ACTB", -0.1))
    found = transcripts_assigned(TRUTH, MERGED, transcripts=placed)
    assert found.values[0] == 3 / 4
    assert found.extras["truth"][0] == 3 / 4
    assert found.extras["n_transcripts"][0] == 4
    assert found.extras["n_left_out"][0] == 2
    found = transcripts_assigned(TRUTH, np.zeros_like(TRUTH), transcripts=placed)
    assert found.values[0] == 0
    outside = at(("ACTB", 7.0), ("ACTB", np.nan))
    found = transcripts_assigned(TRUTH, MERGED, transcripts=outside)
    assert found.reasons.tolist() == ["too_few_units"]
    assert found.extras["n_left_out"][0] == 2
    assert transcripts_assigned(TRUTH, MERGED, transcripts=at()).reasons.tolist() == ["too_few_units"]


def test_merged_cells_hold_markers_of_both():
    placed = at(("EPCAM", 0.5), ("EPCAM", 1.5), ("PTPRC", 3.5), ("CD3E", 3.2), ("PTPRC", 4.5))
    pairs = [("EPCAM", "PTPRC"), ("PTPRC", "EPCAM"), ("EPCAM", "CD3E"), ("CD3E", "MS4A1")]
    found = doublet_rate(TRUTH, MERGED, transcripts=placed, pairs=pairs)
    assert found.labels.tolist() == ["EPCAM+PTPRC", "PTPRC+EPCAM", "EPCAM+CD3E", "CD3E+MS4A1"]
    assert found.values[:3].tolist() == [1, 1, 1]
    assert found.reasons.tolist() == ["", "", "", "gene_missing"]
    assert found.extras["truth"][:3].tolist() == [0, 0, 0]
    assert found.extras["n_both"].tolist() == [1, 1, 1, 0]
    right = doublet_rate(TRUTH, TRUTH, transcripts=placed, pairs=pairs[:1])
    assert right.values.tolist() == [0]
    assert right.extras["n_either"].tolist() == [2]
    twice = doublet_rate(TRUTH, MERGED, transcripts=placed, pairs=pairs[:1], min_transcripts=2)
    assert twice.values.tolist() == [0], "one PTPRC alone in the merged cell"
    assert twice.extras["n_either"].tolist() == [1]


def test_undefined_rates_have_a_reason():
    pair = [("EPCAM", "PTPRC")]
    nothing = np.zeros_like(TRUTH)
    placed = at(("EPCAM", 0.5), ("ACTB", 3.5))
    assert doublet_rate(TRUTH, nothing, transcripts=placed, pairs=pair).reasons.tolist() == ["empty_pred"]
    none = at(("ACTB", 0.5), ("PTPRC", 9.0))
    assert doublet_rate(TRUTH, TRUTH, transcripts=none, pairs=pair).reasons.tolist() == ["no_positive"]
    lacking = at(("ACTB", 0.5), names=np.array(["ACTB", "EPCAM"]))
    assert doublet_rate(TRUTH, nothing, transcripts=lacking, pairs=pair).reasons.tolist() == ["gene_missing"]
    assert len(doublet_rate(TRUTH, TRUTH, transcripts=at(), pairs=[]).values) == 0
    assert set(doublet_rate(TRUTH, TRUTH, transcripts=at()).reasons) <= {"gene_missing", "no_positive"}


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_rates_are_those_of_a_loop_over_cells(seed):
    rng = np.random.default_rng(seed)
    tiles = [rng.integers(0, 5, (2, 4, 6)) for _ in range(2)]
    placed = [
        Molecules(xy_px=rng.uniform(0, 6, (30, 2)), gene=rng.integers(0, 4, 30), names=NAMES) for _ in tiles
    ]
    both = either = inside = caught = 0
    for (_, labels), molecules in zip(tiles, placed, strict=True):
        cells = {}
        for (x, y), gene in zip(molecules.xy_px.astype(int), molecules.gene, strict=True):
            if x < 6 and y < 4:
                inside += 1
                caught += labels[y, x] > 0
                cells.setdefault(int(labels[y, x]), set()).add(NAMES[gene])
        cells.pop(0, None)
        both += sum({"EPCAM", "CD3E"} <= held for held in cells.values())
        either += sum(bool({"EPCAM", "CD3E"} & held) for held in cells.values())
    images = [t for t, _ in tiles], [p for _, p in tiles]
    found = doublet_rate(*images, transcripts=placed, pairs=[("EPCAM", "CD3E")])
    assert found.extras["n_both"][0] == both
    assert found.extras["n_either"][0] == either
    assert not either or found.values[0] == pytest.approx(both / either)
    assert transcripts_assigned(*images, transcripts=placed).values[0] == pytest.approx(caught / inside)


def test_a_marker_must_be_measured_in_every_tile():
    wide, narrow = at(("EPCAM", 0.5)), at(("ACTB", 0.5), names=np.array(["ACTB", "EPCAM"]))
    pair = [("EPCAM", "PTPRC")]
    found = doublet_rate([TRUTH, TRUTH], [TRUTH, TRUTH], transcripts=[wide, narrow], pairs=pair)
    assert found.reasons.tolist() == ["gene_missing"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 tiles and 2 sets of transcripts"):
        transcripts_assigned(TRUTH, TRUTH, transcripts=[at(), at()])
    with pytest.raises(ValueError, match="min_transcripts is 0"):
        doublet_rate(TRUTH, TRUTH, transcripts=at(), min_transcripts=0)
    with pytest.raises(ValueError, match=r"xy_px has shape \(2, 1\) for 2 transcripts"):
        Molecules(xy_px=np.zeros((2, 1)), gene=np.zeros(2, int), names=NAMES)
    with pytest.raises(ValueError, match="genes are numbered 0 to 4: each must be a place among the 4 names"):
        Molecules(xy_px=np.zeros((2, 2)), gene=np.array([0, 4]), names=NAMES)


def test_without_transcripts_nothing_is_known():
    assert transcripts_assigned(TRUTH, MERGED).reasons.tolist() == ["too_few_units"]
    assert doublet_rate(TRUTH, MERGED, pairs=[("EPCAM", "PTPRC")]).reasons.tolist() == ["gene_missing"]
