"""Settings of the families that have some, each a block of the task file under the family's name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from pytest_stbench.spec.part import Integer, Number, Part

PAIR_SOURCES = ("builtin", "liana")
"""Ligand-receptor pairs that are no file."""

PerturbationName = Literal[
    "stain_0.8",
    "stain_0.9",
    "stain_1.1",
    "stain_1.2",
    "brightness_0.9",
    "brightness_1.1",
    "rotate_90",
    "rotate_180",
    "rotate_270",
    "mirror",
    "jitter_5um",
    "jitter_10um",
    "jitter_25um",
    "rotate_slide",
    "translate_slide",
    "mpp_0.9",
    "mpp_1.1",
    "jpeg_90",
    "jpeg_50",
    "blur_1px",
    "dropout_10",
    "dropout_25",
    "dropout_50",
    "dropout_housekeeping",
    "thinning_50",
    "gene_order",
    "unit_order",
]

Input = Literal["image", "expression", "both"]


class Block(Part):
    """Base of the settings of a family."""


class LabelBlock(Block):
    """What families of labels share.

    ``input`` is what models are given beside coordinates; models of different inputs are never
    ranked together. ``map`` renames labels of the data; what it does not name is looked up in the
    ontology of the family. ``trust`` says how the true labels were made: ``gold`` by people or
    several kinds of evidence, ``silver`` by an algorithm.
    """

    input: Input = "both"
    map: dict[str, str] = Field(default_factory=dict)
    trust: Literal["gold", "silver"] = "gold"

    @property
    def silver(self) -> bool:
        """Whether an algorithm made the truth."""
        return self.trust == "silver"


class NichesBlock(LabelBlock):
    """``niches``: classes named by the model, or clusters of its embedding.

    Clusters are made by the suite: as many as the slide has true niches, by k-means from ten seeds
    or by Ward's method.
    """

    mode: Literal["supervised", "unsupervised"] = "supervised"
    clustering: Literal["kmeans", "ward"] = "kmeans"
    ontology: StrictBool = True


class NicheDetectionBlock(LabelBlock):
    """``niche_detection``: which label is to be found, or the rule that finds it.

    With ``positive`` the labels ``label`` of the data are the truth; without it a unit is positive
    by the rule of ``target``.
    """

    target: Literal["tls", "hot_cold", "tumour"] = "tls"
    label: str = "niche"
    positive: tuple[str, ...] = ()
    min_overlap: Number = Field(default=0.3, gt=0, le=1)
    window_um: Number = Field(default=500.0, gt=0)

    @property
    def silver(self) -> bool:
        """Whether an algorithm made the truth: a rule always does."""
        return self.trust == "silver" or not self.positive


class SignaturesBlock(Block):
    """``signatures``: which gene sets are scored; without names all that come with the package.

    ``gmt`` names a file of sets, which are scored instead of the built-in ones or, with ``names``,
    beside them.
    """

    names: tuple[str, ...] | None = None
    gmt: str | None = None


class CellTypesBlock(LabelBlock):
    """``cell_types``: the level of the ontology, and when a panel can tell a type."""

    level: Annotated[Integer, Field(ge=1, le=2)] = 1
    min_markers: Integer = Field(default=3, ge=0)
    min_cells: Integer = Field(default=20, ge=1)


class ProportionsBlock(Block):
    """``proportions``: cell types of a spot; those of fewer than ``min_cells`` cells are left out."""

    input: Input = "both"
    map: dict[str, str] = Field(default_factory=dict)
    trust: Literal["gold", "silver"] = "gold"
    min_cells: Integer = Field(default=3, ge=1)

    @property
    def silver(self) -> bool:
        """Whether an algorithm made the truth."""
        return self.trust == "silver"


class CommunicationBlock(Block):
    """``communication``: the ligand-receptor pairs.

    ``builtin``, ``liana`` (the consensus of that package) or the path of a table with the columns
    ``ligand``, ``receptor`` and, if known, ``pathway``. ``undirected`` takes a pair and its mirror
    image as one.
    """

    pairs: str = "builtin"
    undirected: StrictBool = False


class TransferBlock(Block):
    """``transfer``: the family whose answers are compared across the sides of the split."""

    wraps: Literal["expression", "imputation", "niches", "cell_types"] = "expression"


class RobustnessBlock(Block):
    """``robustness``: the family that is asked again, and the perturbations; none named for all."""

    wraps: Literal["expression", "imputation", "niches", "cell_types", "proportions"] = "expression"
    perturbations: tuple[PerturbationName, ...] = ()


class EmbeddingBlock(Block):
    """``embedding``: which labels neighbours of other patients must share."""

    input: Input = "both"
    label: str = "niche"
    map: dict[str, str] = Field(default_factory=dict)


class SegmentationBlock(Block):
    """``segmentation``: nuclei or whole cells, and how slides are cut into tiles.

    Tiles have ``tile_px`` pixels a side of ``mpp`` um (null: those of the image, at least 0.2125 and
    at most 0.5). ``truth`` names the outlines of the slide that are right; null takes those named
    like the object, else the first of its kind. At most ``max_tiles`` of a slide are asked, spread
    over it; null asks all.
    """

    object: Literal["nucleus", "cell"] = "cell"
    tile_px: Integer = Field(default=1024, ge=64)
    mpp: Number | None = Field(default=None, gt=0, le=1)
    truth: str | None = None
    max_tiles: Annotated[Integer, Field(ge=1)] | None = 32
    trust: Literal["gold", "silver"] = "gold"


class GeneListSpec(Part):
    """Genes by name, or a file with one gene a line or a column ``gene``."""

    names: tuple[str, ...] | None = None
    file: str | None = None


class HideSpec(Part):
    """Hide one of `folds` random groups of genes, stratified by detection rate."""

    folds: Integer = Field(default=5, ge=2)
    fold: Integer = Field(default=0, ge=0)


class ImputationSpec(Part):
    """Settings of the family ``imputation``: the observed genes, or a random part hidden."""

    observed: GeneListSpec | None = None
    hide: HideSpec | None = None
