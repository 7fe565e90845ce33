"""Ids that every study gives anew: "patient 1" of two studies is two people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_stbench.checks.result import Finding
from pytest_stbench.checks.subject import known, normalised
from pytest_stbench.checks.wording import count, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.splits.table import Sample

FIX = "name the study of each slide in a column `corpus`, or write ids that no other study uses"

STUDIES = frozenset(
    {"accession", "series", "geo", "gse", "study", "studyid", "studyname", "studytitle", "collection",
     "collectionid", "dataset", "datasetid", "datasetname", "datasettitle", "title", "publication", "paper",
     "reference", "citation", "doi", "pmid", "pubmedid", "project", "projectid", "bioproject", "cohort",
     "source"}
)  # fmt: skip
"""Columns that tell studies apart, as :func:`normalised` writes them."""

_BARE = re.compile(
    r"(?:patient|patientid|pat|pt|p|subject|subj|s|donor|d|individual|case|sample|id)*(?:\d{1,3}|[a-z])"
)


def is_bare(patient: object) -> bool:
    """Return whether an id is one that a study gives by itself: ``patient 1``, ``P01``, ``1``, ``A``."""
    return known(patient) and _BARE.fullmatch(normalised(patient)) is not None


def shared_by_studies(samples: Sequence[Sample]) -> list[Finding]:
    """Report a bare id on slides of several studies, where no column `corpus` says which study.

    Studies are told by columns that usually name them and that group the slides: one whose values
    are all different names slides.
    """
    local = [sample for sample in samples if is_bare(sample.patient) and not known(sample.corpus)]
    for name in dict.fromkeys(name for sample in samples for name in _columns(sample)):
        if normalised(name) not in STUDIES:
            continue
        values = [value for sample in samples if known(value := _columns(sample).get(name))]
        if len(set(values)) in (1, len(values)):
            continue
        studies: dict[str, dict[str, list[str]]] = {}
        for sample in local:
            if known(value := _columns(sample).get(name)):
                studies.setdefault(normalised(sample.patient), {}).setdefault(str(value), []).append(
                    sample.slide
                )
        shared = {who: found for who, found in studies.items() if len(found) > 1}
        if not shared:
            continue
        first = next(iter(shared))
        written = next(sample.patient for sample in local if normalised(sample.patient) == first)
        others = f" ({count(len(shared) - 1, 'other id')} too)" if len(shared) > 1 else ""
        slides = tuple(slide for found in shared.values() for part in found.values() for slide in part)
        return [
            Finding(
                status="warn",
                text=f"patient {written!r} stands on slides of {len(shared[first]):,} values of column "
                f"{name!r} ({some(list(shared[first]))}){others}, and no column says which study a slide is "
                "of: they may be different people, who count as one",
                fix=FIX,
                statistic=len(shared),
                threshold=0.0,
                slides=slides,
            )
        ]
    return []


def _columns(sample: Sample) -> dict[str, str]:
    own = {"accession": sample.accession} if sample.accession else {}
    return {**own, **sample.extra}
