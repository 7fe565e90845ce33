"""Scores of one section of her2st, computed a second time from its file with numpy, scipy and sklearn."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import cdist, squareform
from scipy.stats import mannwhitneyu
from skimage.metrics import structural_similarity
from sklearn.metrics import average_precision_score, f1_score, recall_score
from sklearn.neighbors import NearestNeighbors

from pytest_stbench.preprocess.gene_families import share_stem
from pytest_stbench.resources import lr_pairs

from .conftest import run_tasks

SLIDES = ("A1", "B1", "C1", "D1", "E1", "F1")
TEST = "D1"
PANEL = "imputation: {observed: {file: xenium_panels/predesigned/breast.csv}}\n"
NICHES = {
    "invasive cancer": "invasive_cancer", "cancer in situ": "in_situ", "breast glands": "normal_epithelium",
    "connective tissue": "stroma", "immune infiltrate": "immune_infiltrate", "adipose tissue": "adipose",
}  # fmt: skip
"""Labels of the pathologist by the ontology; those that were undetermined have none."""

OWN = {
    "niche_signatures": "preprocess: {genes: {select: svg, n: 200}}\nmetrics: [niche_jaccard]\n" + PANEL,
    "coexpression": "metrics: [coexpression_ssim]\nprimary: coexpression_ssim\n" + PANEL,
    "communication": "metrics: [lr_auprc]\n" + PANEL,
    "niches": "metrics: [macro_f1]\nniches: {input: expression}\n",
    "embedding": "metrics: [knn_recall]\nembedding: {input: expression}\n",
}
TASK = """\
stbench: 1
name: {family}
version: 1
family: {family}
claim: exploratory
extends: tasks/_her2st.stbench-inc.yaml
datasets:
  her2st: {{slides: [{slides}]}}
splits: [{{fixed: {{test: [{test}]}}}}]
baselines: []
"""
MODEL = '''
import json
import numpy as np
import pytest


class Plain:
    """Answers by a rule that is written down in a line."""

    name = "plain"

    def impute(self, slide, observed_genes, target_genes):
        with open("asked.json", "a") as out:
            out.write(json.dumps([list(observed_genes), list(target_genes)]) + "\\n")
        counts = np.log1p(slide.units.X.toarray())
        return counts[:, np.arange(len(target_genes)) % counts.shape[1]].astype(np.float32)

    def predict_labels(self, slide, classes):
        total = np.asarray(slide.units.X.sum(axis=1)).ravel().astype(int)
        return np.array(classes, dtype=object)[total % len(classes)]

    def embed(self, slide):
        return np.log1p(slide.units[:, ["ERBB2", "COL1A1", "CD74", "KRT19", "FABP4"]].X.toarray())


@pytest.fixture
def plain():
    return Plain
'''


@pytest.fixture(scope="module")
def ran(workspace):
    """Scores by family, and the genes that were observed and asked."""
    folder = workspace
    (folder / "conftest.py").write_text((folder / "conftest.py").read_text() + MODEL)
    paths = []
    for family, own in OWN.items():
        paths.append(f"numbers-{family.replace('_', '-')}.stbench.yaml")
        text = TASK.format(family=family, slides=", ".join(SLIDES), test=TEST)
        (folder / paths[-1]).write_text(text + own)
    done = run_tasks(
        folder, *paths, "--stbench-model=plain", "-m", "not stbench_check", "-q", save="numbers.json"
    )
    assert done.code == 0, done.out
    scores = {
        (s["task"], s["metric"]): s["value"]
        for s in done.results["scores"]
        if s["role"] == "model" and s["fold"] is None
    }
    asked = [json.loads(line) for line in (folder / "asked.json").read_text().splitlines()]
    return scores, asked


@pytest.fixture(scope="module")
def sections(data):
    """Counts of units that pass the filter, places in um and niches, by section; one list of genes."""
    found = {}
    for name in SLIDES:
        slide = anndata.read_h5ad(data / "her2st" / "sections" / f"{name}.h5ad")
        counts = slide.to_df()
        kept = ((counts.sum(axis=1) >= 200) & ((counts > 0).sum(axis=1) >= 100)).to_numpy()
        xy = slide.obsm["spatial"] * slide.uns["um_per_px"]
        found[name] = counts[kept], xy[kept], slide.obs["region"].astype(object).map(NICHES).to_numpy()[kept]
    genes = sorted(set().union(*(counts.columns for counts, _, _ in found.values())))
    return {
        name: (counts.reindex(columns=genes, fill_value=0.0), xy, niche)
        for name, (counts, xy, niche) in found.items()
    }


def log_normalised(counts: pd.DataFrame) -> pd.DataFrame:
    return np.log1p(counts.div(counts.sum(axis=1), axis=0) * 1e4)


def both_arms(sections, asked) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Truth of the test section and what the model answers there, of the genes asked."""
    observed, target = asked
    counts = sections[TEST][0]
    given = np.log1p(counts[observed].to_numpy())
    answer = given[:, np.arange(len(target)) % len(observed)].astype(np.float32)
    return log_normalised(counts)[target], pd.DataFrame(answer, index=counts.index, columns=target)


def markers(values: pd.DataFrame, inside: np.ndarray, candidates: list[str], n: int) -> set[str]:
    """The `n` candidates of largest rank-sum statistic among those that are higher inside."""
    statistic = {}
    for gene in candidates:
        one, rest = values[gene].to_numpy()[inside], values[gene].to_numpy()[~inside]
        if one.mean() > rest.mean() + 1e-9:
            u = mannwhitneyu(one, rest, method="asymptotic", use_continuity=False)
            _, ties = np.unique(np.concatenate([one, rest]), return_counts=True)
            m, total = len(one) * len(rest), len(one) + len(rest)
            variance = m / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
            statistic[gene] = (u.statistic - m / 2) / np.sqrt(variance)
    return set(sorted(statistic, key=lambda gene: (-round(statistic[gene], 9), gene))[:n])


def test_jaccard_index_of_marker_genes(ran, sections):
    scores, asked = ran
    truth, answer = both_arms(sections, next(a for a in asked if len(a[1]) == 200))
    niche = sections[TEST][2]
    labelled = pd.notna(niche)
    truth, answer, niche = truth[labelled], answer[labelled], niche[labelled]
    found = []
    for name in sorted(set(niche)):
        inside = niche == name
        if min(inside.sum(), (~inside).sum()) < 20:
            continue
        candidates = [gene for gene in truth if (truth[gene].to_numpy()[inside] > 0).mean() >= 0.1]
        n = min(50, len(candidates) // 4)
        a, b = (markers(values, inside, candidates, n) for values in (truth, answer))
        found.append(len(a & b) / len(a | b))
    assert len(found) == 2
    assert scores["niche_signatures", "niche_jaccard"] == pytest.approx(np.mean(found), abs=2e-6)


def coexpressed(sections, pool: list[str]) -> list[str]:
    """The 50 genes with the largest correlations with five others, library size taken off."""
    training = [sections[name][0] for name in SLIDES if name != TEST]
    detected = np.min([(counts[pool] > 0).mean() for counts in training], axis=0)
    genes = [gene for gene, share in zip(pool, detected, strict=True) if share >= 0.1]
    strength = []
    for counts in training:
        values = log_normalised(counts)[genes].to_numpy()
        design = np.column_stack([np.ones(len(counts)), np.log(counts.sum(axis=1))])
        rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
        correlation = np.corrcoef(rest.T)
        np.fill_diagonal(correlation, -np.inf)
        strength.append(np.partition(correlation, -5, axis=1)[:, -5:].mean(axis=1))
    mean = dict(zip(genes, np.mean(strength, axis=0), strict=True))
    return sorted(mean, key=lambda gene: (-round(mean[gene], 9), gene))[:50]


def correlations(values: pd.DataFrame) -> np.ndarray:
    """Correlation matrix without its diagonal; a constant gene correlates with nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.nan_to_num(np.corrcoef(values.to_numpy().T))
    np.fill_diagonal(found, 0.0)
    return found


def test_similarity_of_correlation_matrices(ran, sections):
    scores, asked = ran
    observed, target = next(a for a in asked if 50 <= len(a[1]) <= 100)
    everything = sections[TEST][0].columns.difference(observed)
    pool = everything[~share_stem(everything.tolist(), observed)]
    genes = sorted(coexpressed(sections, pool.tolist()))
    assert set(genes) <= set(target)
    truth, answer = (correlations(values[genes]) for values in both_arms(sections, (observed, target)))
    distance = 1 - truth
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    order = leaves_list(tree)
    found = structural_similarity(
        truth[np.ix_(order, order)] + 1, answer[np.ix_(order, order)] + 1, win_size=7, data_range=2
    )
    assert scores["coexpression", "coexpression_ssim"] == pytest.approx(found, abs=2e-6)


def associations(values: pd.DataFrame, xy: np.ndarray, depth: np.ndarray) -> pd.DataFrame:
    """Mean product of a gene in a spot and another one in its neighbours, library size taken off."""
    distance = cdist(xy, xy)
    near = (distance > 0) & (distance <= 300)
    kept = near.any(axis=1)
    weights = near[np.ix_(kept, kept)] / near[kept].sum(axis=1, keepdims=True)
    design = np.column_stack([np.ones(kept.sum()), np.log(depth[kept])])
    observed = values.to_numpy(float)[kept]
    rest = observed - design @ np.linalg.lstsq(design, observed, rcond=None)[0]
    spread = rest.std(axis=0)
    z = np.where(spread > 1e-9, rest / np.where(spread > 1e-9, spread, 1), 0)
    return pd.DataFrame(z.T @ (weights @ z) / len(z), index=values.columns, columns=values.columns)


def test_average_precision_of_active_pairs(ran, sections):
    scores, asked = ran
    truth, answer = both_arms(sections, next(a for a in asked if 100 < len(a[1]) < 200))
    counts, xy, _ = sections[TEST]
    detected = (counts > 0).mean()
    detected = detected[detected >= 0.1]
    known = {(pair.ligand, pair.receptor) for pair in lr_pairs()}
    usable = [pair for pair in sorted(known) if all(gene in truth and gene in detected for gene in pair)]
    assert len(usable) >= 10
    depth = counts.sum(axis=1).to_numpy()
    everything = associations(log_normalised(counts)[detected.index], xy, depth)
    decile = np.searchsorted(np.quantile(detected, np.arange(1, 10) / 10), detected, side="right")
    decile = pd.Series(decile, index=detected.index)
    named = {*usable, *(pair[::-1] for pair in usable)}
    positive = []
    for ligand, receptor in usable:
        left, right = (detected.index[decile == decile[gene]] for gene in (ligand, receptor))
        # All matched pairs but those of a gene with itself and the pairs of the table.
        kept = np.array([[a != b and (a, b) not in named for b in right] for a in left])
        threshold = np.quantile(everything.loc[left, right].to_numpy()[kept], 0.95)
        positive.append(everything.loc[ligand, receptor] > max(threshold, 0.0))
    guess = associations(answer, xy, depth)
    expected = average_precision_score(positive, [guess.loc[pair] for pair in usable])
    assert scores["communication", "lr_auprc"] == pytest.approx(expected, abs=2e-6)


def test_f1_of_compartments(ran, sections):
    scores, _ = ran
    training = [niche for name, (_, _, niche) in sections.items() if name != TEST]
    classes = sorted({label for niche in training for label in niche if pd.notna(label)})
    counts, _, niche = sections[TEST]
    answer = np.array(classes)[counts.sum(axis=1).astype(int) % len(classes)]
    labelled = pd.Series(niche).isin(classes).to_numpy()
    truth, answer = niche[labelled].astype(str), answer[labelled]
    names, sizes = np.unique(truth, return_counts=True)
    found = f1_score(truth, answer, labels=names[sizes >= 20], average="macro")
    assert scores["niches", "macro_f1"] == pytest.approx(found, abs=2e-6)


def test_recall_of_compartments_by_neighbours_in_other_patients(ran, sections):
    scores, _ = ran
    genes = ["ERBB2", "COL1A1", "CD74", "KRT19", "FABP4"]
    places = {name: np.log1p(counts[genes].to_numpy()) for name, (counts, _, _) in sections.items()}
    labels = {name: niche for name, (_, _, niche) in sections.items()}
    known = {name: pd.notna(niche) for name, niche in labels.items()}
    others = [name for name in SLIDES if name != TEST]
    elsewhere = np.concatenate([places[name][known[name]] for name in others])
    votes = np.concatenate([labels[name][known[name]] for name in others])
    here = known[TEST] & np.isin(labels[TEST].astype(str), votes.astype(str))
    near = (
        NearestNeighbors(n_neighbors=30).fit(elsewhere).kneighbors(places[TEST][here], return_distance=False)
    )
    answer = [min(pd.Series(votes[row]).mode()) for row in near]
    truth = labels[TEST][here].astype(str)
    found = recall_score(truth, answer, labels=np.unique(truth), average="macro")
    assert scores["embedding", "knn_recall"] == pytest.approx(found, abs=2e-6)
