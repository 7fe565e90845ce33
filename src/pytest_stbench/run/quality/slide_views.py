"""What a page shows of data beside its checks: where units lie, how deep, and the genes found worst."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.region import outlines_of
from pytest_stbench.errors import DataError, DataMissing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.data.region import Outlines
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.results.check_record import CheckRecord

SLIDES, GENES = 4, 4
"""Slides of a data set, and genes of a slide, that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlideView:
    """One slide: places in um, shape (units, 2), counts of each unit over all genes, and of a few genes.

    ``why`` names the check that found a gene worst. ``outlines`` are windows on its segmentations, of which
    ``without`` says why there are none; ``units`` names the units.
    """

    dataset: str
    slide: str
    xy_um: NDArray[np.float64]
    libsize: NDArray[np.float64]
    genes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    units: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, np.str_))
    outlines: Sequence[Outlines] = ()
    without: str = ""


def slide_views(dataset: Dataset, name: str, checks: Sequence[CheckRecord]) -> list[SlideView]:
    """Return views of a few slides of a data set, those that findings are about first.

    Slides that cannot be read, or whose units have no place, have none.
    """
    own = [check for check in checks if check.dataset == name and check.status in ("warn", "fail")]
    named = [slide for check in own for finding in check.findings for slide in finding.slides]
    known = dataset.slide_ids
    asked = [slide for slide in dict.fromkeys((*named, *known)) if slide in known]
    worst = _worst(own)
    found: list[SlideView] = []
    for slide_id in asked[:SLIDES]:
        try:
            slide = dataset.slide(slide_id)
        except (DataError, DataMissing):
            continue
        if not np.isfinite(slide.xy_um).all(axis=1).any():
            continue
        places = {gene: place for place, gene in enumerate(slide.genes.tolist())}
        chosen = [gene for gene in worst if gene in places and slide.measured[places[gene]]][:GENES]
        counts = slide.counts.tocsc()[:, [places[gene] for gene in chosen]].toarray()
        outlines, without = _outlines(slide)
        found.append(
            SlideView(
                units=slide.unit_names,
                outlines=outlines,
                without=without,
                dataset=name,
                slide=slide_id,
                xy_um=slide.xy_um,
                libsize=slide.libsize,
                genes={gene: counts[:, n].astype(np.float64) for n, gene in enumerate(chosen)},
                why=worst,
            )
        )
    return found


def _outlines(slide: Slide) -> tuple[list[Outlines], str]:
    try:
        return outlines_of(slide), ""
    except DataError as error:
        return [], str(error)


def _worst(checks: Sequence[CheckRecord]) -> dict[str, str]:
    """Return the genes of findings with their check, the first of each check before the second of any."""
    lists = [(check.name, [g for finding in check.findings for g in finding.genes]) for check in checks]
    found: dict[str, str] = {}
    for place in range(max((len(genes) for _, genes in lists), default=0)):
        for name, genes in lists:
            if place < len(genes):
                found.setdefault(genes[place], name)
    return found
