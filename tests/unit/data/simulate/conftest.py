"""Simulated cohorts and plain regressors on them, written without the package's own baselines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pytest_stbench.data.simulate.known_truth import latent
from pytest_stbench.data.simulate.render import MPP, render
from pytest_stbench.data.simulate.source import open_source
from pytest_stbench.data.simulate.table import simulated_samples
from pytest_stbench.data.simulate.tissue import draw_tissue
from pytest_stbench.spec.model import DatasetSpec

HALF_PATCH_PX = 28


def make_config(**params):
    return DatasetSpec(source="simulated", params=params)


def make_pixels(config, slide_id):
    source = open_source(config, (), ())
    tissue = draw_tissue(source.params.seed, slide_id, source.params.units)
    state = tissue.at(tissue.lattice.xy_um)
    return render(source.params, source.member(slide_id), tissue, state)


def cut_patches(pixels, xy_um):
    """Squares of 112 um around the units, without any code of the package."""
    pad = np.pad(pixels, ((HALF_PATCH_PX, HALF_PATCH_PX), (HALF_PATCH_PX, HALF_PATCH_PX), (0, 0)))
    corner = np.floor(xy_um / MPP).astype(int)
    size = 2 * HALF_PATCH_PX
    return np.stack([pad[y : y + size, x : x + size] for x, y in corner])


def colour_features(patches):
    """Statistics of a patch that forget where a pixel lies, and its edge energy."""
    density = -np.log(np.maximum(np.arange(256), 1) / 255.0)
    flat = density[patches].reshape(len(patches), -1, 3)
    grey = patches.mean(axis=3)
    columns = [flat.mean(axis=1), flat.std(axis=1), *np.percentile(flat, (10, 90), axis=1)]
    single = [
        (patches[..., 0] < 160).mean(axis=(1, 2)),
        (patches.min(axis=3) > 225).mean(axis=(1, 2)),
        np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)),
        np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2)),
    ]
    return np.concatenate([*columns, np.stack(single, axis=1)], axis=1)


def half_features(patches):
    """Share of dark pixels that lie in the right half of the patch."""
    dark = patches[..., 0] < 160
    left = dark[:, :, :HALF_PATCH_PX].sum(axis=(1, 2))
    right = dark[:, :, HALF_PATCH_PX:].sum(axis=(1, 2))
    return ((right - left) / (right + left + 1.0))[:, None]


def coordinate_features(xy):
    place = (xy - xy.mean(axis=0)) / xy.std()
    x, y = place.T
    return np.stack([x, y, np.hypot(x, y), x * x, y * y, x * y], axis=1)


def neighbour_correlation(values, xy):
    """Moran's I per column over neighbours at one pitch."""
    distance = np.sqrt(((xy[:, None] - xy[None]) ** 2).sum(axis=2))
    weight = ((distance > 0) & (distance < 150)).astype(float)
    centred = values - values.mean(axis=0)
    return len(xy) / weight.sum() * (centred * (weight @ centred)).sum(axis=0) / (centred**2).sum(axis=0)


def columnwise_pearson(a, b):
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))


def fit_and_predict(x_train, y_train, x_test, penalty):
    mean, scale = x_train.mean(axis=0), x_train.std(axis=0)
    z = (x_train - mean) / scale
    gram = z.T @ z + penalty * np.eye(z.shape[1])
    return (x_test - mean) / scale @ np.linalg.solve(gram, z.T @ (y_train - y_train.mean(axis=0)))


@dataclass(frozen=True)
class Measured:
    """One slide after the usual filter: log-normalised values and what may predict them."""

    values: np.ndarray
    detected: np.ndarray
    moran: np.ndarray
    inputs: dict[str, np.ndarray]


class Cohort:
    """Held-out-patient scores of least squares on a simulated cohort."""

    def __init__(self, **params):
        config = make_config(**params)
        source = open_source(config, (), ())
        slides = [sample.slide for sample in simulated_samples(config)]
        raw = {slide: source.read(slide) for slide in slides}
        scale = np.median(np.concatenate([slide.counts.sum(axis=1).A1 for slide in raw.values()]))
        self.kept_share = {}
        self.slides = {}
        for name, slide in raw.items():
            counts = slide.counts.toarray()
            total = counts.sum(axis=1)
            keep = (total >= 200) & ((counts > 0).sum(axis=1) >= 100)
            self.kept_share[name] = keep.mean()
            counts, total, xy = counts[keep], total[keep], slide.xy_um[keep]
            patches = cut_patches(make_pixels(config, name), xy)
            truth = {key: value[keep] for key, value in latent(config, name).items()}
            values = np.log1p(counts / total[:, None] * scale)
            depth = np.log(total)[:, None]
            colour = colour_features(patches)
            self.slides[name] = Measured(
                values=values,
                detected=(counts > 0).mean(axis=0),
                moran=neighbour_correlation(values, xy),
                inputs={
                    "colour": colour,
                    "halves": half_features(patches),
                    "image": np.concatenate([colour, half_features(patches)], axis=1),
                    "coords": coordinate_features(xy),
                    "depth": np.concatenate([depth, depth**2], axis=1),
                    "observed": values[:, ::2],
                    "polarity": truth["polarity"][:, None],
                    "cellularity": truth["cellularity"][:, None],
                },
            )

    def score(self, name, *, penalty=10.0, adjust=None, target=None):
        """Mean over patients of the mean Pearson of 50 spatially variable hidden genes.

        `target` replaces the genes by a latent variable; `adjust` removes what another input
        explains, linearly and within the slide, from truth and prediction.
        """
        scores = []
        for test, held_out in self.slides.items():
            train = [slide for other, slide in self.slides.items() if other != test]
            genes = self.genes(train)
            truth = [s.inputs[target] if target else s.values[:, genes] for s in (*train, held_out)]
            x = [s.inputs[name] for s in (*train, held_out)]
            fitted = fit_and_predict(np.concatenate(x[:-1]), np.concatenate(truth[:-1]), x[-1], penalty)
            observed = truth[-1]
            if adjust:
                basis = np.column_stack([np.ones(len(observed)), held_out.inputs[adjust]])
                fitted, observed = (v - basis @ np.linalg.lstsq(basis, v)[0] for v in (fitted, observed))
            scores.append(columnwise_pearson(fitted, observed).mean())
        return float(np.mean(scores))

    def genes(self, slides):
        """50 odd genes with the highest mean Moran's I, detected in a tenth of all units."""
        moran = np.mean([slide.moran for slide in slides], axis=0)
        moran[np.min([slide.detected for slide in slides], axis=0) < 0.1] = -1
        moran[::2] = -1
        return np.argsort(-moran)[:50]

    def moran(self):
        """Lowest mean of Moran's I of a held-out slide over the genes chosen on the others."""
        means = []
        for test, held_out in self.slides.items():
            genes = self.genes([slide for other, slide in self.slides.items() if other != test])
            means.append(held_out.moran[genes].mean())
        return min(means)


@pytest.fixture
def simulated_config():
    return make_config


@pytest.fixture
def raw_pixels():
    return make_pixels


@pytest.fixture(params=[0, 1], ids=["seed0", "seed1"])
def cohort(request):
    """Cohorts by setting, of two seeds."""
    return lambda setting: Cohort(setting=setting, seed=request.param)
