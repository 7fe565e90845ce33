"""What was measured: scores, gates and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pytest_stbench.results.stored import Stored, to_builtin

__all__ = ["ContaminationRecord", "GateRecord", "ScoreRecord", "VerdictRecord", "to_builtin"]

Outcome = Literal["pass", "fail", "underpowered", "not_evaluable"]
Verdict = Literal["pass", "fail", "underpowered", "reference", "not_evaluable"]
Standing = Literal["above S", "below S", "level"]
Rule = Literal["beats", "not_worse_than", "min", "min_lower", "min_patient", "min_patient_difference", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRecord(Stored):
    """One metric of one model, on one fold or pooled over all folds of a split."""

    KEY: ClassVar[tuple[str, ...]] = (
        "task",
        "dataset",
        "variant",
        "split",
        "fold",
        "seed",
        "role",
        "model",
        "metric",
    )

    task: str
    """Name of the task."""
    task_version: int
    """Version of the task; scores of different versions are never compared."""
    family: str
    """Family of the task, such as `imputation`."""
    dataset: str
    """Name of the data set in the task file."""
    variant: str = ""
    """Name of the ablation variant; empty for the main setting."""
    split: str
    """Name of the split, such as `lopo`."""
    fold: str | None = None
    """Name of the fold; null when pooled over all folds."""
    seed: int | None = None
    """Seed of the model; null when averaged over the seeds of the task."""
    role: Literal["model", "baseline", "control"] = "model"
    """Whether the model under test, a baseline or a control was scored."""
    model: str
    """Name of the model, baseline or control."""
    metric: str
    """Name of the metric."""
    value: float | None
    """Headline: mean over patients, in the units of the metric; null when no patient has a value."""
    per_patient: dict[str, float | None]
    """Value of each test patient (mean over the patient's slides); null where undefined."""
    per_slide: dict[str, float | None] | None = None
    """Value of each test slide; null where undefined, or as a whole when not kept."""
    n_patients: int
    """Number of patients with a defined value."""
    n_units: int | None = None
    """Number of units (spots, bins, cells) scored."""
    n_genes: int | None = None
    """Number of genes scored."""
    ci_low: float | None = None
    """Lower bound of the 95% interval of `value` over patients; null below four patients."""
    ci_high: float | None = None
    """Upper bound of the 95% interval of `value` over patients; null below four patients."""
    ci_method: str | None = None
    """Student's t on the scale of the metric's range: `t_logit`, `t_log`, or `t` where it has no end."""
    median: float | None = None
    """Median over patients."""
    min: float | None = None
    """Smallest value of a patient."""
    max: float | None = None
    """Largest value of a patient."""
    trivial: float | None = None
    """The same metric of the trivial baseline."""
    baseline: float | None = None
    """The same metric of the simple learned baseline."""
    ceiling: float | None = None
    """What the noise of the truth allows at most; null when not estimated."""
    ceiling_se: float | None = None
    """Monte Carlo standard error of `ceiling` (halves of counts are drawn); null where nothing is drawn."""
    monte_carlo_se: float | None = None
    """Monte Carlo standard error of `value`, from the draws of its ceilings; null where nothing is drawn."""
    skill: float | None = None
    """(value - baseline) / (ceiling - baseline), sign-flipped where lower is better."""
    standing: Standing | None = None
    """Pooled score of a model beside the simple baseline S; null without one, and within slides."""
    difference: float | None = None
    """Mean paired difference to S over patients, positive = model better; null as `standing`."""
    difference_low: float | None = None
    """Guarded lower bound of that difference; null below six patients."""
    undefined: dict[str, int] | None = None
    """Number of undefined values (genes, units or pairs of a slide) by reason."""
    flags: tuple[str, ...] = ()
    """Remarks that leave the value as it is, such as `ties`."""
    seconds: float | None = None
    """Time of fitting and predicting, in seconds."""
    peak_memory_mb: float | None = None
    """Approximate (sampled) peak memory in MB; null when cells ran side by side."""
    seed_sd: float | None = None
    """Standard deviation of the headline over seeds, apart from the interval over patients."""
    organ: str | None = None
    """Organ of the data set."""
    disease: str | None = None
    """Disease of the data set."""
    technology: str | None = None
    """Technology of the data set, such as `Visium`."""
    resolution: str | None = None
    """`spot`, `xisium`, `bin`, `cell` or `transcript`."""
    input_class: str | None = None
    """What the model is given; models of different classes are never ranked together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContaminationRecord(Stored):
    """Slides of one data set that come from a source the model says it was pretrained on."""

    KEY: ClassVar[tuple[str, ...]] = ("task", "model", "dataset", "declared")

    task: str
    """Name of the task."""
    model: str
    """Name of the model."""
    dataset: str
    """Name of the data set."""
    declared: str
    """The source as the model declares it."""
    match: Literal["hash", "accession", "slide id", "corpus"]
    """What they have in common; of a `corpus` alone, which slides the model saw is not known."""
    slides: tuple[str, ...]
    """Slides of that source."""
    test_slides: tuple[str, ...]
    """Those of them that are in a test part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord(Stored):
    """One rule on the pooled score of one metric."""

    KEY: ClassVar[tuple[str, ...]] = ("kind", "reference")

    kind: Rule
    """The rule."""
    declared: bool = True
    """Whether the task file asks it; else it is shown only (the one rule of the primary metric)."""
    reference: str | None = None
    """Baseline or stored run (`not_worse_than`) compared with; null for rules on the score alone."""
    margin: float | None = None
    """Margin of `beats` and `not_worse_than` as applied, in the units of the metric."""
    margin_floor: str | None = None
    """What sets the margin of `beats` where it is more than the declared one."""
    threshold: float | None = None
    """Threshold of the other rules, in the units of the metric."""
    n: int
    """Number of patients the rule was applied to: those with a value on both sides."""
    estimate: float | None = None
    """What was judged: mean paired difference (positive = model better), mean, or worst patient."""
    low: float | None = None
    """Lower bound of the estimate over patients, by `ci_method`; null below four patients."""
    high: float | None = None
    """Upper bound of the estimate over patients, by `ci_method`; null below four patients."""
    ci_method: str | None = None
    """`guarded` where the bound decides; else an interval that is shown: `t`, `t_logit`, `t_log`."""
    p: float | None = None
    """One-sided p of the guarded t that the margin is not exceeded; null below six patients."""
    wilcoxon_p: float | None = None
    """Two-sided Wilcoxon signed-rank p of difference - margin (`beats`), a sensitivity analysis."""
    smallest: float | None = None
    """Underpowered: the smallest mean difference six patients would show at the observed SD."""
    worse: bool = False
    """Failed with the whole interval below the margin, rather than merely not shown."""
    excluded: tuple[str, ...] = ()
    """Patients without a value on either side, left out of the rule."""
    outcome: Outcome
    """What came of it."""
    message: str
    """The finding in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRecord(Stored):
    """What the rules on one metric of the model come to."""

    KEY: ClassVar[tuple[str, ...]] = ("task", "dataset", "variant", "split", "model", "metric")

    task: str
    """Name of the task."""
    dataset: str
    """Name of the data set."""
    variant: str = ""
    """Name of the ablation variant; empty for the main setting."""
    split: str
    """Name of the split."""
    model: str
    """Name of the model under test."""
    metric: str
    """Name of the metric."""
    verdict: Verdict
    """`reference`: the model is one of the baselines it would be held against."""
    gated: bool = True
    """Whether the task file gates the metric: without a gate the item cannot fail by it."""
    primary: bool = False
    """Whether this is the pre-registered primary metric of the task."""
    p: float | None = None
    """Largest p of the references to beat: all must be; null where one is not decided."""
    p_holm: float | None = None
    """`p` after Holm over the primary metrics and models of the file; null for other metrics."""
    n_holm: int | None = None
    """Over how many verdicts Holm went."""
    rank_stable: bool | None = None
    """Whether verdict and order against S are the same in every variant; null without variants."""
    kendall_w: float | None = None
    """Agreement over variants of the ranks of model, other models and baselines, 0 to 1."""
    same_as: tuple[str, ...] = ()
    """References whose predictions the model's are, up to 1e-4."""
    gates: tuple[GateRecord, ...] = ()
    """The rules one by one; empty for `reference` and `not_evaluable`."""
    message: str = ""
    """The verdict in one line: the first rule that decided it."""
