from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pytest_stbench.run.scores.slide_variance import SlideVariance, sums_of


def truth(values, genes="ab"):
    return SimpleNamespace(values=np.asarray(values, dtype=float), genes=np.array(list(genes)))


def note(variance, fold, **truths):
    variance.note("p", fold, lambda: sums_of(truths))


def test_it_is_the_correlation_of_slide_means_with_the_truth():
    rng = np.random.default_rng(0)
    slides = {f"S{i}": rng.normal(i, 1, (40 + i, 2)) for i in range(3)}
    variance = SlideVariance()
    for name, values in slides.items():
        note(variance, name, **{name: truth(values)})
        note(variance, f"again {name}", **{name: truth(values + 9)})  # a slide counts once
        variance.note("p", name, lambda: pytest.fail("a fold is asked for once"))
    whole = np.vstack(list(slides.values()))
    means = np.vstack([np.tile(v.mean(axis=0), (len(v), 1)) for v in slides.values()])
    expected = np.mean([np.corrcoef(whole[:, j], means[:, j])[0, 1] for j in range(2)])
    assert variance.slide_mean_correlation("p") == pytest.approx(expected, abs=1e-12)


def test_genes_of_one_slide_and_missing_values_are_left_out():
    variance = SlideVariance()
    note(variance, "f", A=truth([[0, 5], [2, 7]], "ab"), B=truth([[4, 1], [6, np.nan]], "ac"))
    # Gene a alone is on both: means 1 and 5, values 0, 2, 4, 6.
    assert variance.slide_mean_correlation("p") == pytest.approx(np.sqrt(16 / 20))


def test_what_has_no_correlation():
    variance = SlideVariance()
    assert variance.slide_mean_correlation("p") is None
    note(variance, "f", A=truth([[1, 1], [1, 1]]))
    assert variance.slide_mean_correlation("p") is None
    note(variance, "g", B=truth([[1, 1], [1, 1]]), C=SimpleNamespace(labels=["a"]))
    assert variance.slide_mean_correlation("p") is None
