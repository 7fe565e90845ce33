"""Q22: metadata that a reader of a score must know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge
from pytest_stbench.checks.subject import known
from pytest_stbench.checks.wording import count, percent, some
from pytest_stbench.data.h5ad_samples import CODE
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.splits.table import Sample

PER_SLIDE = frozenset({"patient"})


@check(
    "Q22",
    severity="fail/warn",
    scope="dataset",
    needs="metadata",
    reasons={
        "required": "without them neither leakage nor panel, resolution or technology mixes can be seen",
        "expected": "they bound what a score may be claimed for",
    },
    checklist=("S1", "S3"),
)
def metadata_missing(
    dataset: Subject,
    *,
    required: Sequence[str] = ("technology", "resolution", "patient", "panel"),
    expected: Sequence[str] = ("organ", "disease", "preservation"),
) -> CheckResult:
    """Is all said that a reader of a score must know: technology, panel, patient, organ ...?

    A field counts as filled when the slide's row or, except for the patient, the data set itself
    says it; ``NA``, ``unknown`` and the like count as empty. Any empty `required` field fails, an
    empty `expected` field or an image without its pixel size warns. The statistic is the share of
    required fields that are empty.
    """
    samples = list(dataset.samples)
    if not samples:
        return nothing_to_judge(
            f"the data set {dataset.name} lists no slide", "add one row per slide to the samples table"
        )
    empty = {
        name: tuple(s.slide for s in samples if not _filled(dataset, s, name))
        for name in (*required, *expected)
    }
    cells = len(samples) * len(required)
    share = sum(len(empty[name]) for name in required) / cells if cells else 0.0
    findings = [
        Finding(
            status="fail" if name in required else "warn",
            text=f"{name} is empty on {_where(empty[name], len(samples))}{_codes(samples, name)}",
            fix=_fix(name),
            statistic=share if name in required else len(empty[name]) / len(samples),
            threshold=0.0,
            slides=empty[name],
        )
        # Who the patients are first: no split and no interval means anything without them.
        for name in sorted((*required, *expected), key=lambda name: name not in PER_SLIDE)
        if empty[name]
    ]
    if not _pixel_size_known(dataset):
        findings.append(
            Finding(
                status="warn",
                text="the image has no usable pixel size",
                fix="give `image: {um_per_px: ...}`, the micrometres per pixel of the image file",
            )
        )
    return conclude(
        findings,
        passed=f"{percent(1 - share)} of the required fields are filled on {count(len(samples), 'slide')}",
        statistic=share,
        threshold=0.0,
        details={"empty": {name: list(slides) for name, slides in empty.items() if slides}},
    )


def _filled(dataset: Subject, sample: Sample, name: str) -> bool:
    if known(getattr(sample, name, None)) or known(sample.extra.get(name)):
        return True
    return name not in PER_SLIDE and known(getattr(dataset.config, name, None))


def _where(slides: Sequence[str], n_samples: int) -> str:
    if len(slides) == n_samples:
        return count(n_samples, "slide") if n_samples == 1 else f"all {n_samples:,} slides"
    return f"{len(slides):,} of {n_samples:,} slides ({some(slides)})"


def _codes(samples: Sequence[Sample], name: str) -> str:
    """Return the codes that stand where the names of patients are missing."""
    bare = sorted({sample.extra[CODE] for sample in samples if CODE in sample.extra})
    if name != "patient" or not bare:
        return ""
    return f", where codes stand without their names ({some(bare)}): each file numbers its own"


def _fix(name: str) -> str:
    if name in PER_SLIDE:
        return f"fill the column {name!r} of the samples table, one id per person"
    return f"fill the column {name!r} of the samples table, or write `{name}:` under the data set"


def _pixel_size_known(dataset: Subject) -> bool:
    image = dataset.config.image
    if image is None:
        return True
    size = image.um_per_px
    if size is None:  # the matrix or the file says it, or the slide is not read
        return True
    return known(size) if isinstance(size, str) else 0 < size < float("inf")
