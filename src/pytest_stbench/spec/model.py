"""What a task file says, once it is valid.

Short forms (``splits: [lopo]``, ``metrics: [spearman_gene]``) are normalised to the mapping form
that stands here before validation. Names of records (families, metrics ...) are plain strings:
the registry is checked in :mod:`pytest_stbench.spec.validate`. The settings of families are declared
by those: :mod:`pytest_stbench.spec.task_model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from pytest_stbench.spec.block import Block
from pytest_stbench.spec.part import Format, Integer, IsoDate, Length, Number, Part, UnitLength
from pytest_stbench.spec.reference import ReferenceSpec

Name = str
Resolution = Literal["spot", "xisium", "bin", "cell", "transcript"]


class KeysSpec(Part):
    """Names in ``obs`` and in the samples table; null where the field does not exist.

    ``x`` and ``y`` are columns of ``obs`` that hold the coordinates instead of ``obsm[spatial]``,
    ``gene`` is the column of ``var`` with the symbols of the genes, by default its index.
    """

    patient: str = "patient"
    slide: str = "slide"
    site: str | None = None
    niche: str | None = None
    cell_type: str | None = None
    proportions: str | None = None
    spatial: str | None = "spatial"
    x: str | None = None
    y: str | None = None
    array_row: str | None = None
    array_col: str | None = None
    counts: str = "X"
    gene: str | None = None
    embedding: str | None = None
    disease: str | None = None


class ScaleSpec(Part):
    """How coordinates become micrometres: a number, ``uns:KEY`` where the file says it, or ``file``.

    ``file`` is what each file says of its unit, whatever the key.
    """

    um_per_px: UnitLength


class ImageSpec(Part):
    """The H&E image of each slide and the coordinates of the units in its pixels.

    ``alignment`` is the file of a matrix that places the image, from which um per pixel follow. Without
    ``um_per_px`` it is what the file says. ``reader`` reads the file whatever it is. Damaged tiles are an
    error, or white and counted.
    """

    path: str
    um_per_px: Length | None = None
    alignment: str | None = None
    spatial: str = "spatial"
    mpp: Number | None = Field(default=None, gt=0)
    reader: Literal["tiff", "openslide", "pillow"] | None = None
    damaged_tiles: Literal["white"] | None = None


class LabelsSpec(Part):
    """Tables with the labels of units: one a slide (``{slide}`` in the path), or one for all slides.

    ``unit`` is the column with the names of the units, by default the first; ``leave_out`` names
    slides that have labels and are not in the data set.
    """

    path: str
    unit: str | None = None
    niche: str | None = None
    cell_type: str | None = None
    leave_out: tuple[str, ...] = ()


class BinSpec(Part):
    """How units are formed out of the transcripts or cells of a slide.

    ``none`` leaves the native units. ``visium`` and ``tiled`` are the two Xisium lattices, whose
    sizes are fixed; ``square`` bins have the side ``size_um``. ``origin_um`` moves the lattice
    from the lower corner of the tissue's bounding box.
    """

    geometry: Literal["none", "visium", "tiled", "square"]
    size_um: Number | None = Field(default=None, gt=0)
    origin_um: tuple[Number, Number] = (0.0, 0.0)
    min_qv: Number = Field(default=20.0, ge=0)
    min_tissue: Number = Field(default=0.5, ge=0, le=1)


class DatasetSpec(Part):
    """One data set of a task file."""

    source: str
    path: str | None = None
    samples: str | None = None
    slides: tuple[str, ...] | None = None
    sha256: str | None = None
    get: str | None = None
    keys: KeysSpec = KeysSpec()
    scale: ScaleSpec | None = None
    pitch_um: Number | None = Field(default=None, gt=0)
    image: ImageSpec | None = None
    labels: LabelsSpec | None = None
    technology: str | None = None
    resolution: Resolution | None = None
    bin: BinSpec | None = None
    panel: str | None = None
    corpus: str | None = None
    site: str | None = None
    organ: str | None = None
    disease: str | None = None
    preservation: str | None = None
    absent_gene: Literal["zero", "intersect", "mask"] = "intersect"
    panels: Literal["together", "separate"] = "together"
    aliases: StrictBool = True
    allow_nan: StrictBool = False
    params: dict[str, Any] = Field(default_factory=dict)


class SplitSpec(Part):
    """A split design with its parameters."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)


class FilterSpec(Part):
    """Units below either threshold are left out, once and for every model.

    Null is the default of the resolution.
    """

    min_counts: Integer | None = Field(default=None, ge=0)
    min_genes: Integer | None = Field(default=None, ge=0)


class GeneListSpec(Part):
    """Genes by name, or a file with one gene a line or a column ``gene``."""

    names: tuple[str, ...] | None = None
    file: str | None = None


class GenesSpec(Part):
    """Which genes are asked of the model, chosen on the training slides of each fold."""

    select: Literal[
        "svg", "hvg", "hvg_seurat", "hvg_cell_ranger", "all", "list", "signatures", "coexpressed"
    ] = "svg"
    n: Integer = Field(default=50, ge=1)
    min_detection: Number = Field(default=0.1, ge=0, le=1)
    names: tuple[str, ...] | None = None
    file: str | None = None
    provenance: str | None = None


Normalisation = Literal["log1p_cp10k", "log1p_median", "log1p", "pearson_residuals"]


class VariantSpec(Part):
    """One preprocessing choice of the ablation; what is not written is as in the main setting."""

    filter: FilterSpec | None = None
    normalise: Normalisation | None = None
    genes: GenesSpec | None = None
    bin: BinSpec | None = None


class PreprocessSpec(Part):
    """Filter, normalisation and gene selection; ``normalise: null`` = by the size of the panel."""

    filter: FilterSpec = FilterSpec()
    normalise: Normalisation | None = None
    genes: GenesSpec = GenesSpec()
    variants: dict[str, VariantSpec] = Field(default_factory=dict)


class MetricSpec(Part):
    """A metric with its parameters."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)


class CheckSpec(Part):
    """Changed thresholds of one check, or a waiver; loosening needs a written reason."""

    params: dict[str, Any] = Field(default_factory=dict)
    waive: StrictBool = False
    reason: str | None = None
    owner: str | None = None
    until: IsoDate | None = None


class BeatsSpec(Part):
    """The one rule against each of `baselines` (null: the required references of the family)."""

    baselines: tuple[str, ...] | None = None
    margin: Number = Field(default=0.0, ge=0)


class NotWorseSpec(Part):
    """Non-inferiority against the run given with ``--stbench-compare``."""

    margin: Number = Field(ge=0)


class GateSpec(Part):
    """Rules on the pooled score of one metric."""

    beats: BeatsSpec | None = None
    not_worse_than: NotWorseSpec | None = None
    min: Number | None = None
    min_lower: Number | None = None
    min_patient: Number | None = None
    min_patient_difference: Number | None = None
    max: Number | None = None


class TaskSpec(Part):
    """A valid task file."""

    # Nothing is made of this class itself but in tests: what a file is read by has blocks of families.
    model_config = ConfigDict(defer_build=True)
    kinds: ClassVar[Mapping[str, type[Block]]] = {}
    """The settings that families have, by their names."""

    stbench: Format
    name: str
    version: Integer = Field(ge=1)
    family: str
    title: str | None = None
    claim: Literal["population", "exploratory"] = "population"
    scope: tuple[Literal["pan-cancer", "generalises", "zero-shot"], ...] = ()
    datasets: dict[str, DatasetSpec] = Field(min_length=1)
    reference: ReferenceSpec | None = None
    splits: tuple[SplitSpec, ...] = ()
    seeds: tuple[Annotated[Integer, Field(ge=0)], ...] = (0,)
    preprocess: PreprocessSpec = PreprocessSpec()
    primary: str | None = None
    metrics: tuple[MetricSpec, ...] = ()
    baselines: tuple[str, ...] = ()
    checks: dict[str, CheckSpec] = Field(default_factory=dict)
    gates: dict[str, GateSpec] = Field(default_factory=dict)
    xfail: dict[str, str] = Field(default_factory=dict)
    timeout: Number | None = Field(default=None, gt=0)
    model: str | None = None
    marks: tuple[str, ...] = ()

    def block(self, family: str) -> Any:
        """Return the settings that the file has under the name of a family; None where it has none."""
        return getattr(self, family, None)

    @property
    def blocks(self) -> dict[str, Block]:
        """The settings of families that the file has, by name."""
        return {name: block for name in self.kinds if (block := self.block(name)) is not None}


class TaskFile(BaseModel):
    """A loaded task file: the spec, where it stands, and the line of every key.

    ``lines`` maps a key path such as ``("metrics", 0)`` to (file, 1-based line); keys that came
    by ``extends`` point into the fragment.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    path: Path
    spec: TaskSpec
    lines: dict[tuple[str | int, ...], tuple[Path, int]]

    def line(self, *key: str | int) -> tuple[Path, int]:
        """Return (file, line) of `key`, or of its nearest parent that was written."""
        for size in range(len(key), -1, -1):
            if key[:size] in self.lines:
                return self.lines[key[:size]]
        return self.path, 1
