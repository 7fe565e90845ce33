from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.preprocess import gene_sets as module
from pytest_stbench.preprocess.fitted import fit_preprocess
from pytest_stbench.preprocess.gene_sets import SETS, Choice, make_sets
from pytest_stbench.resources import lr_pairs
from pytest_stbench.spec.model import GenesSpec, PreprocessSpec

LR = [lr_pairs()[0].ligand, lr_pairs()[0].receptor]


@pytest.fixture
def slides(make_slide):
    """Fifty genes; the last two are a ligand, detected on one slide alone, and a receptor nobody sees."""
    genes = [f"G{i:03d}" for i in range(48)] + LR
    made = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        counts = rng.poisson(3.0 * np.exp(rng.normal(0, 0.3, (100, 1)) * np.linspace(0, 2, 50)))
        counts[:, 48] = counts[:, 48] if seed == 1 else 0
        counts[:, 49] = 0
        made.append(make_slide(counts, genes=genes, slide=f"s{seed}"))
    return made


def choice_of(slides, candidates=None):
    return Choice(slides=slides, method="log1p_cp10k", scale=1e4, candidates=candidates, statistics={})


def named(slides, sets, name):
    return slides[0].genes[sets.columns[sets.places[name]]].tolist()


def test_evaluated_genes_come_first_in_their_order(slides):
    sets = make_sets(np.array([7, 3, 5]), {"markers", "communication"}, choice_of(slides))
    assert named(slides, sets, "evaluated") == ["G007", "G003", "G005"]
    assert sets.places["evaluated"].tolist() == [0, 1, 2]
    rest = slides[0].genes[sets.columns[3:]].tolist()
    assert rest == sorted(rest)
    assert len(set(sets.columns.tolist())) == len(sets.columns)


def test_without_further_sets_nothing_more_is_asked(slides):
    sets = make_sets(np.array([7, 3]), {"evaluated"}, choice_of(slides))
    assert sets.columns.tolist() == [7, 3]
    assert set(sets.places) == {"evaluated"}


def test_markers_fill_up_to_four_times_the_list(slides, monkeypatch):
    monkeypatch.setattr(module, "N_MARKERS", 10)
    sets = make_sets(np.array([7, 3]), {"markers"}, choice_of(slides))
    assert named(slides, sets, "markers")[:2] == ["G007", "G003"]
    assert len(sets.places["markers"]) == 10
    many = make_sets(np.arange(20), {"markers"}, choice_of(slides))
    assert len(many.places["markers"]) == 20


def test_a_ligand_counts_where_some_training_slide_detects_it(slides):
    sets = make_sets(np.array([0]), {"communication"}, choice_of(slides))
    assert named(slides, sets, "communication") == [LR[0]]


def test_only_candidates_are_asked(slides):
    allowed = np.arange(0, 30)
    sets = make_sets(np.array([2]), set(SETS), choice_of(slides, allowed))
    assert set(sets.columns.tolist()) <= set(allowed.tolist())
    assert named(slides, sets, "communication") == []


def test_a_set_for_which_nothing_qualifies_is_empty(make_slide):
    counts = np.zeros((100, 4), int)
    counts[:3] = 5
    slides = [make_slide(counts)]
    sets = make_sets(np.array([1]), set(SETS), choice_of(slides))
    assert sets.places["coexpressed"].tolist() == []
    assert sets.places["markers"].tolist() == [0], "the evaluated genes stay candidates"


def test_a_fold_asks_for_the_union_once(slides):
    spec = PreprocessSpec(genes=GenesSpec(n=4))
    alone = fit_preprocess(slides, spec)
    joined = fit_preprocess(slides, spec, sets={"coexpressed", "markers"})
    assert joined.genes[:4] == alone.genes
    assert len(joined.genes) == len(joined.columns) > 4
    truth = joined.transform(slides[0])
    np.testing.assert_array_equal(truth[:, joined.places["evaluated"]], alone.transform(slides[0]))
