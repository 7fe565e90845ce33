"""What was run on what: the run, models, tasks, data sets, and the lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pytest_stbench.results.stored import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(Stored):
    """One run that wrote to the file."""

    KEY: ClassVar[tuple[str, ...]] = ("started", "command")

    started: str
    """Start of the run, ISO 8601 with time zone."""
    seconds: float | None = None
    """Duration in seconds."""
    command: str = ""
    """The command line."""
    commit: str | None = None
    """Git commit of the folder the run was started in; null outside a repository."""
    dirty: bool | None = None
    """Whether that folder held changes that are not committed."""
    seed: int | None = None
    """Seed of random draws, as of controls; intervals and gates draw nothing."""
    versions: dict[str, str] = field(default_factory=dict)
    """Version of Python and of each library that shapes the numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord(Stored):
    """One model or baseline."""

    KEY: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    """Name under which its scores stand: that of its fixture, or the word after `import:`."""
    revision: str | None = None
    """Revision the model declares; null without identity."""
    config_digest: str | None = None
    """Digest of the configuration the model declares; null without identity."""
    pretraining: tuple[str, ...] = ()
    """Corpora the model says it was trained on before."""
    input_class: str | None = None
    """What the model is given, such as `image`."""
    cached: bool = False
    """Whether its predictions may be kept on disk (a model with identity)."""
    own_name: str | None = None
    """Name that the model declares of itself; null without identity, and of built-in baselines."""
    unit_names: str | None = None
    """`as given`: the model was given the names of units of the data set; null: neutral names."""
    licence: str | None = None
    """Licence that the model states, of its weights where they have one of their own."""
    commercial: bool | None = None
    """Whether that licence allows commercial use; null where the model says nothing."""
    gated: bool | None = None
    """Whether its weights are given to those alone who accepted their terms; null where it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord(Stored):
    """One task and the fingerprint of everything in it that shapes a score."""

    KEY: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    """Name of the task."""
    version: int
    """Version of the task."""
    family: str
    """Family of the task."""
    claim: str
    """`population` or `exploratory`."""
    primary: str
    """The pre-registered primary metric."""
    fingerprint: str
    """Digest over all parts."""
    fingerprint_parts: dict[str, str] = field(default_factory=dict)
    """Setting by name (`preprocess.normalise`): what differs between two runs is named from it."""
    wraps: str | None = None
    """Family that the family wraps; null where it wraps none."""
    numbers: int = 1
    """Version of the numbers: raised when the package gives other ones for equal data, task and model."""
    pack: str | None = None
    """Name, version and fingerprint of the task pack that the task is part of; null where it is of none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRecord(Stored):
    """One data set of one task."""

    KEY: ClassVar[tuple[str, ...]] = ("task", "name")

    task: str
    """Name of the task."""
    name: str
    """Name of the data set in the task file."""
    checksum: str
    """Digest of the files."""
    patients: dict[str, str]
    """Patient of each slide."""
    n_slides: int
    """Number of slides."""
    n_units: int
    """Number of units after the filter of the main setting."""
    n_units_filtered: dict[str, int] = field(default_factory=dict)
    """Number of units left out, by reason."""
    n_genes: int
    """Number of genes in the universe of the data set."""
    organ: str | None = None
    """Organ."""
    disease: str | None = None
    """Disease."""
    technology: str | None = None
    """Technology, such as `Visium`."""
    resolution: str | None = None
    """`spot`, `xisium`, `bin`, `cell` or `transcript`."""
    panels: tuple[str, ...] = ()
    """Panels of the slides."""
    genes_renamed: dict[str, str] = field(default_factory=dict)
    """Current symbol under which each retired symbol of the files was read."""
    notes: dict[str, int] = field(default_factory=dict)
    """What was counted while the slides were read, over all slides (`transcripts_low_qv` ...)."""
    depth: dict[str, dict[str, float | None]] = field(default_factory=dict)
    """Per slide: units, area in mm2, quantiles of counts and genes, zeros, medians, `follows_depth`."""
    libsize_maps: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per slide the counts per square tile; only where units are formed in several ways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRecord(Stored):
    """What one fold consisted of: a later run can be held to the same slides and genes."""

    KEY: ClassVar[tuple[str, ...]] = ("task", "dataset", "variant", "split", "fold")

    task: str
    """Name of the task."""
    dataset: str
    """Name of the data set."""
    variant: str = ""
    """Name of the ablation variant; empty for the main setting."""
    split: str
    """Name of the split."""
    fold: str
    """Name of the fold."""
    train: tuple[str, ...]
    """Training slides."""
    test: tuple[str, ...]
    """Test slides."""
    genes: tuple[str, ...]
    """Genes asked of the model, in the order they were asked."""
