"""T12, embeddings of units."""

from __future__ import annotations

from pydantic import Field

from pytest_stbench.extend import family
from pytest_stbench.families.settings import ON_LABELS, InputBlock


@family(
    "T12",
    **{**ON_LABELS, "method": "embed", "baselines": ("shuffled",)},
    primary="knn_recall",
    metrics=("knn_recall", "silhouette", "knn_purity", "patient_variance"),
    constraint="knn_purity",
    predicts="embedding",
)
class Embedding(InputBlock):
    """Embed units so that neighbours in other patients are of the same niche or type.

    ``label`` says which labels neighbours of other patients must share, ``map`` renames those of the data.
    """

    label: str = "niche"
    map: dict[str, str] = Field(default_factory=dict)
