"""What adapters add to the package that they wrap: the same function with and without its adapter.

Each group has the function alone on data made ready before, and the adapter, which makes it ready and
brings the answer back. The functions do the least that such packages do, in a tenth of a second: beside
one that takes seconds, as they do, an adapter adds less than 5 %.
Run: ``pytest tests/benchmarks/test_adapters_speed.py --benchmark-group-by=group --benchmark-columns=min``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from pytest_stbench.adapters import Imputer, Labeller, PatchEncoder
from pytest_stbench.data.input_image import InputImage
from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide
from pytest_stbench.data.slide import SlideMeta

ROUNDS = 3


def neighbours(reference, slide, task):
    """What SpaGE and its kind do: components of what both have, the mean of the nearest cells."""
    genes = list(slide.var_names)
    components = PCA(50, random_state=0)
    seen = components.fit_transform(np.log1p(reference[:, genes].X.toarray()))
    asked = components.transform(np.log1p(slide.X.toarray()))
    nearest = NearestNeighbors(n_neighbors=50).fit(seen).kneighbors(asked, return_distance=False)
    return reference.X.toarray()[nearest].mean(axis=1)


def learn(cells, task):
    return LogisticRegression(max_iter=200).fit(cells.X, cells.obs["label"])


def judge(trained, units, task):
    return trained.predict_proba(units.X)


@pytest.fixture(scope="module")
def given(sized):
    """Four training slides, a test slide, and the task: 2,000 genes, half of them observed."""
    rng = np.random.default_rng(0)
    n, genes = sized(350), [f"G{i}" for i in range(sized(2000))]
    half = len(genes) // 2

    def slide(name):
        kind = np.arange(n) % 3
        counts = csr_matrix(rng.poisson(0.2 + (kind[:, None] == np.arange(len(genes)) % 3), (n, len(genes))))
        obs = pd.DataFrame(index=[f"u{i}" for i in range(n)])
        whole = AnnData(counts, obs, pd.DataFrame(index=genes))
        units = whole[:, :half].copy()
        units.var["measured"] = True
        units.obsm["spatial"] = rng.uniform(0, 2000, (n, 2))
        target = np.log1p(counts[:, half:].toarray()).astype(np.float32)
        labels = np.array([f"k{k}" for k in kind], dtype=object)
        meta = SlideMeta(slide_id=name, patient_id=name)
        return TrainSlide(units=units, meta=meta, target=target, make_counts=lambda: whole, labels=labels)

    train = [slide(f"s{i}") for i in range(4)]
    test = slide("test")
    task = TaskInfo(
        name="t", family="imputation", genes=tuple(genes[half:]), observed_genes=tuple(genes[:half]),
        normalise="log1p_cp10k", target_sum=1e4, seed=0, resolution="spot", classes=("k0", "k1", "k2"),
    )  # fmt: skip
    return train, ModelSlide(units=test.units, meta=test.meta), task


@pytest.mark.parametrize("how", ["package", "adapter"])
def test_imputer(benchmark, given, how):
    benchmark.group = "imputer: a reference of all training units, one slide"
    train, slide, task = given
    model = Imputer(neighbours)

    def adapter():
        model.fit(train, task)
        return model.impute(slide, list(task.observed_genes), list(task.genes))[0]

    expected = adapter()
    made_ready = model.reference.copy(), slide.units.copy()
    package = lambda: neighbours(*made_ready, task)  # noqa: E731
    found = benchmark.pedantic(adapter if how == "adapter" else package, rounds=ROUNDS)
    assert found[:, -len(task.genes) :] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("how", ["package", "adapter"])
def test_labeller(benchmark, given, how):
    benchmark.group = "labeller: training and one slide"
    train, slide, task = given
    seen = {}

    def learn_and_keep(cells, task):
        seen["cells"] = cells
        return learn(cells, task)

    def judge_and_keep(trained, units, task):
        seen["units"] = units
        return judge(trained, units, task)

    model = Labeller(learn_and_keep, judge_and_keep)

    def adapter():
        model.fit(train, task)
        return model.predict_labels(slide, list(task.classes))

    expected = adapter()
    package = lambda: judge(learn(seen["cells"], task), seen["units"], task)  # noqa: E731
    found = benchmark.pedantic(adapter if how == "adapter" else package, rounds=ROUNDS)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("how", ["package", "adapter"])
def test_patch_encoder(benchmark, sized, how):
    torch = pytest.importorskip("torch")
    benchmark.group = "encoder: a small net over the patches of a slide"
    n, rng = sized(128), np.random.default_rng(0)
    pixels = rng.integers(0, 255, (2000, 2000, 3), dtype=np.uint8)
    xy = rng.uniform(150, 1850, (n, 2))
    units = AnnData(obs=pd.DataFrame(index=[f"u{i}" for i in range(n)]))
    slide = ModelSlide(units=units, meta=SlideMeta(slide_id="s"), image=InputImage(pixels, xy, um_per_px=0.5))
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 7, 4), torch.nn.ReLU(), torch.nn.Conv2d(64, 128, 3, 2), torch.nn.ReLU(),
        torch.nn.Conv2d(128, 128, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
    )  # fmt: skip
    encoder = PatchEncoder(net, mpp=0.5)
    order, patches = zip(*slide.batches(224, 0.5, 64), strict=True)
    ready = [torch.from_numpy(part).permute(0, 3, 1, 2).float() / 255 for part in patches]
    mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in (encoder.mean, encoder.std))

    def package():
        with torch.inference_mode():
            return torch.cat([net((part - mean) / std) for part in ready]).numpy()

    adapter = lambda: encoder.embed(slide)[np.concatenate(order)]  # noqa: E731
    found = benchmark.pedantic(adapter if how == "adapter" else package, rounds=ROUNDS)
    assert found == pytest.approx(package(), abs=1e-4)
