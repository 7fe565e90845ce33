"""Records of the baselines."""

from __future__ import annotations

from pytest_stbench.registry import Baseline

_EXPRESSION = (
    "expression",
    "signatures",
    "imputation",
    "niche_signatures",
    "coexpression",
    "communication",
)
"""Families scored from predicted expression."""

_FROM_COUNTS = ("imputation", "signatures", "niche_signatures", "coexpression", "communication")
_LABELS = ("niches", "niche_detection", "cell_types")
"""Families of labels."""

_READ_OUT = (*_EXPRESSION, *_LABELS, "proportions")
"""Families that a linear read-out of features can answer."""

_HERE = "pytest_stbench.baselines"

BASELINES: tuple[Baseline, ...] = (
    Baseline(
        id="B01",
        name="train_mean",
        summary="Each gene's mean over the training patients: knows nothing of the test slide.",
        kind="model",
        families=_EXPRESSION,
        target=f"{_HERE}.train_mean:TrainMean",
        memory="O(genes)",
    ),
    Baseline(
        id="B02",
        name="oracle_patient_mean",
        summary="Each gene's mean over the test patient: all that can be known without knowing any place.",
        kind="diagnostic",
        families=_EXPRESSION,
        target=f"{_HERE}.oracle_patient_mean:OraclePatientMean",
        memory="O(genes)",
    ),
    Baseline(
        id="B03",
        name="libsize",
        summary="A smooth curve of each unit's true library size: how much of the score is sequencing depth.",
        kind="diagnostic",
        families=_EXPRESSION,
        target=f"{_HERE}.libsize:Libsize",
        memory="O(genes)",
        source="10.1186/s13059-024-03241-7",
    ),
    Baseline(
        id="B04",
        name="coords",
        summary="Ridge on the place of a unit on its slide: how much of the score is centre and rim.",
        kind="model",
        families=_READ_OUT,
        target=f"{_HERE}.coords:Coords",
        memory="O(1)",
    ),
    Baseline(
        id="B05",
        name="he_colour",
        summary="Ridge on 24 numbers of colour, nuclei and edges of the H&E patch of a unit.",
        kind="model",
        families=(*_READ_OUT, "embedding"),
        target=f"{_HERE}.he_colour:HeColour",
        needs=("image",),
        memory="O(24^2), patches streamed",
    ),
    Baseline(
        id="B06",
        name="pca_ridge",
        summary="PCA and ridge on the embedding of a frozen image encoder that the data set declares.",
        kind="model",
        families=(*_READ_OUT, "embedding"),
        target=f"{_HERE}.pca_ridge:PcaRidge",
        needs=("embedding",),
        memory="O(dimensions^2)",
    ),
    Baseline(
        id="B06",
        name="hest_probe",
        summary="The probe of HEST-Benchmark: PCA, a penalty of next to nothing, no intercept.",
        kind="model",
        families=("expression",),
        target=f"{_HERE}.hest_probe:HestProbe",
        needs=("embedding",),
        memory="O(dimensions^2)",
    ),
    Baseline(
        id="B07",
        name="knn",
        summary="The mean of the 20 training units that look most alike, by embedding or colour.",
        kind="model",
        families=_EXPRESSION,
        target=f"{_HERE}.knn:Knn",
        needs=("image",),
        memory="training features at half precision, of 50,000 units at most",
    ),
    Baseline(
        id="B08",
        name="smooth",
        summary="Ridge from the observed genes averaged over neighbouring units; never reads a hidden gene.",
        kind="model",
        families=_FROM_COUNTS,
        target=f"{_HERE}.smooth:Smooth",
        needs=("observed",),
        memory="O(units), O(observed genes^2)",
    ),
    Baseline(
        id="B09",
        name="marker_score",
        summary="The class whose marker genes stand out most, scored as a signature is.",
        kind="model",
        families=_LABELS,
        target=f"{_HERE}.marker_score:MarkerScore",
        needs=("observed",),
        memory="O(units), counts of the training slides sparse",
        source="10.1126/science.aad0501; 10.1016/j.csbj.2021.06.043",
    ),
    Baseline(
        id="B10",
        name="nnls",
        summary="Mixture of mean expression profiles that explains the counts of a spot.",
        kind="model",
        families=("proportions",),
        target=f"{_HERE}.nnls:Nnls",
        needs=("observed",),
        memory="O(genes x types)",
    ),
    Baseline(
        id="B11",
        name="otsu_watershed",
        summary="Nuclei as dark blots of haematoxylin, parted by a watershed; a cell is 5 um around one.",
        kind="model",
        families=("segmentation",),
        target=f"{_HERE}.otsu_watershed:OtsuWatershed",
        needs=("image",),
        memory="one tile",
    ),
    Baseline(
        id="B12",
        name="voronoi_nuclei",
        summary="Cells that fill the space between the nuclei of B11, up to 10 um from the nearest.",
        kind="model",
        families=("segmentation",),
        target=f"{_HERE}.voronoi_nuclei:VoronoiNuclei",
        needs=("image",),
        memory="one tile",
    ),
    Baseline(
        id="B13",
        name="gene_gene_ridge",
        summary="Ridge from the observed genes of a unit to its hidden genes.",
        kind="model",
        families=_FROM_COUNTS,
        target=f"{_HERE}.gene_gene_ridge:GeneGeneRidge",
        needs=("observed",),
        memory="O(observed genes^2)",
    ),
    Baseline(
        id="B14",
        name="majority",
        summary="The class frequencies of the training patients for every unit; as an embedding, one point.",
        kind="model",
        families=(*_LABELS, "proportions", "embedding"),
        target=f"{_HERE}.majority:Majority",
        memory="O(classes)",
    ),
    Baseline(
        id="B15",
        name="raw_pca",
        summary="Principal components of log-normalised counts; for niches with those of the surroundings.",
        kind="model",
        families=(*_LABELS, "embedding"),
        target=f"{_HERE}.raw_pca:RawPca",
        needs=("observed",),
        memory="O(genes^2), counts streamed",
    ),
    Baseline(
        id="B16",
        name="shuffled",
        summary="The model's own predictions in a random order of units: what is left without their place.",
        kind="control",
        families=(*_EXPRESSION, "embedding"),
        target=f"{_HERE}.controls:shuffled",
        memory="O(units)",
    ),
)
