"""Models that make clusters themselves, in whole runs."""

from __future__ import annotations

NICHES = {
    "family": "niches", "imputation": None, "datasets": {"sim": {"params": {"patients": 3}}},
    "metrics": ["ari", "pas"], "preprocess": {"genes": None}, "claim": "exploratory",
    "niches": {"mode": "unsupervised", "input": "expression"},
}  # fmt: skip
MODELS = """
from pathlib import Path

HERE = Path(__file__).parent


class Clusters:
    name, revision = "own_clusters", "1"

    def cluster(self, slide, n):
        with (HERE / "asked").open("a") as file:
            file.write(f"{n}\\n")
        counts = slide.units.X.toarray()
        rank = np.log1p(counts).sum(axis=1).argsort().argsort()
        return [f"depth {number}" for number in rank * n // len(rank)]


class TooMany(Clusters):
    name = "too_many_clusters"

    def cluster(self, slide, n):
        return np.arange(slide.n_units)


@pytest.fixture
def clusters():
    return Clusters


@pytest.fixture
def too_many():
    return TooMany
"""


CONTRACT = "clustered.stbench.yaml::contract[sim-lopo-P01]"


def test_clusters_are_asked_once_for_each_slide_and_scored(make_bench):
    lab = make_bench("lab")
    lab.task("clustered", NICHES)
    lab.conftest(MODELS)
    run = lab.run("--stbench-model=clusters", "clustered.stbench.yaml::ari[sim-lopo]")
    asked = (lab.folder / "asked").read_text().split()
    assert len(asked) == 3
    assert all(int(number) >= 2 for number in asked)
    assert 0 < run.properties("ari[sim-lopo]")["stbench.value"] < 1
    run = lab.run("--stbench-model=too_many", CONTRACT)
    assert run.outcome("contract[sim-lopo-P01]") == "failed"
