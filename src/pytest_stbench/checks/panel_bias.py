"""Q31: genes that read differently because another panel measured them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from pytest_stbench.checks.result import CheckResult, Finding, conclude
from pytest_stbench.checks.subject import known, normalised, panel_of
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.checks.wording import count, percent, some
from pytest_stbench.extend import check
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide

MIN_GENES = 10
MAX_GENES = 300
MAX_UNITS = 5000
MIN_UNITS = 30
SEED = 0


@check(
    "Q31",
    severity="warn",
    scope="dataset",
    reasons={
        "max_rank": "a gene a fifth of the ranks higher on one panel is another gene to a model",
        "max_ratio": "components estimated from few patients differ twofold by chance",
        "min_mantel": "half of the co-expression is then the panel's, not the tissue's",
    },
    checklist=("S3",),
    after=("split_within_slide",),
)
def panel_effect(
    dataset: Subject,
    *,
    max_rank: float = 0.2,
    max_ratio: float = 2.0,
    min_mantel: float = 0.5,
) -> CheckResult:
    """Do the same genes read alike on every panel that measured them?

    For the genes that two panels share (up to 300, highest first; at least 10), over slides:

    - within a slide genes are ranked by their mean log-normalised level; the median over genes of
      the difference of mean rank percentile between two panels (the statistic) above `max_rank`
      warns;
    - the variance of a gene's level between panels above `max_ratio` times that between patients of
      one panel warns (components of a nested analysis of variance, summed over genes; it needs a
      panel with two patients);
    - gene-gene correlations whose agreement between slides of two panels is below `min_mantel` of
      that between slides of one panel warn (Mantel correlation; it needs a panel with two slides).

    ``details`` give detection rates per panel. One panel only: nothing to compare.
    """
    groups: dict[str, dict[str, list[tuple[Slide, str]]]] = {}
    patients = {s.slide: str(s.patient) if known(s.patient) else s.slide for s in dataset.samples}
    for slide in dataset.slides():
        panel = slide.meta.panel_id or panel_of(dataset, slide.meta.slide_id)
        organ = normalised(slide.meta.organ or dataset.config.organ or "")
        if known(panel) and slide.n_units >= MIN_UNITS:
            who = patients.get(slide.meta.slide_id, slide.meta.slide_id)
            groups.setdefault(organ, {}).setdefault(str(panel), []).append((slide, who))
    findings: list[Finding] = []
    details: dict[str, object] = {}
    worst = 0.0
    compared = 0
    for organ, slides in sorted(groups.items()):
        if len(slides) < 2:  # one panel has nothing to be compared with
            continue
        panels = {panel: [_Profile(*one) for one in found] for panel, found in slides.items()}
        shared = _shared(panels)
        if len(shared) < MIN_GENES:
            continue
        compared += len(panels)
        found = _Comparison(panels, shared)
        worst = max(worst, found.rank)
        findings += found.findings(max_rank, max_ratio, min_mantel)
        details[organ or "all"] = {
            "rank_difference": found.rank,
            "variance_ratio": found.ratio,
            "mantel_between_over_within": found.mantel,
            "detection": found.detection,
            "genes": len(shared),
        }
    return conclude(
        findings,
        passed=f"{count(compared, 'panel')} agree on their shared genes (rank difference {worst:.2f})"
        if compared
        else "no two panels measured ten genes in common in one organ",
        statistic=worst if compared else None,
        threshold=max_rank if compared else None,
        details=details,
    )


class _Profile:
    """Level, detection rate and correlations of the genes of one slide, of which no count is kept."""

    def __init__(self, slide: Slide, patient: str) -> None:
        self.patient = patient
        self._slide = slide
        self._rows = np.argsort(np.asarray(slide.unit_names).astype(str), kind="stable")
        if len(self._rows) > MAX_UNITS:
            self._rows = self._rows[np.sort(stream(SEED, "panel bias").sample(len(self._rows), MAX_UNITS))]
        self.sums = np.nan_to_num(as_numbers(slide.counts[self._rows].sum(axis=0)).ravel())

    def places(self) -> dict[str, int]:
        """Return the column of each gene that was measured."""
        known = np.flatnonzero(self._slide.measured)
        return dict(zip(self._slide.genes[known].tolist(), known.tolist(), strict=True))

    def of(
        self, genes: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return mean level (g,), detection rate (g,) and correlation (g, g) of `genes`."""
        place = self.places()
        columns = [place[gene] for gene in genes]
        found = self._slide.counts[self._rows][:, columns].toarray()
        counts = np.maximum(np.nan_to_num(as_numbers(found)), 0)
        total = np.maximum(np.nan_to_num(as_numbers(self._slide.libsize)[self._rows]), 1.0)
        values = np.log1p(1e4 * counts / total[:, None])
        centred = values - values.mean(axis=0)
        spread = np.sqrt((centred**2).sum(axis=0))
        centred = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)
        return values.mean(axis=0), (counts > 0).mean(axis=0), centred.T @ centred


def _shared(panels: Mapping[str, Sequence[_Profile]]) -> list[str]:
    profiles = [profile for found in panels.values() for profile in found]
    genes = set(profiles[0].places())
    for profile in profiles[1:]:
        genes = genes & profile.places().keys()
    level = dict.fromkeys(genes, 0.0)
    for profile in profiles:
        place = profile.places()
        for gene in genes:
            level[gene] += float(profile.sums[place[gene]])
    return sorted(sorted(genes, key=lambda gene: (-level[gene], gene))[:MAX_GENES])


class _Comparison:
    """The panels of one organ on the genes they share."""

    def __init__(self, panels: Mapping[str, Sequence[_Profile]], genes: Sequence[str]) -> None:
        self.names = sorted(panels)
        self._genes = np.array(genes)
        level, panel, patient, matrices = [], [], [], []
        self.detection: dict[str, float] = {}
        for number, name in enumerate(self.names):
            rates = []
            for profile in panels[name]:
                mean, rate, correlation = profile.of(genes)
                level.append(mean)
                rates.append(rate)
                matrices.append(correlation[np.triu_indices(len(genes), 1)])
                panel.append(number)
                patient.append(f"{number} {profile.patient}")
            self.detection[name] = float(np.median(np.mean(rates, axis=0)))
        self._panel = np.array(panel)
        levels = np.array(level)
        self.rank, self._diverging = self._rank_difference(levels)
        self.ratio = self._variance_ratio(levels, np.array(patient))
        self.mantel = self._mantel(np.array(matrices))

    def _rank_difference(self, levels: NDArray[np.float64]) -> tuple[float, NDArray[np.intp]]:
        """Return the largest median rank difference of two panels, and genes, most different first."""
        ranks = np.array([rankdata(row) / len(row) for row in levels])
        means = [ranks[self._panel == number].mean(axis=0) for number in range(len(self.names))]
        pairs = [np.abs(a - b) for i, a in enumerate(means) for b in means[:i]]
        worst = max(pairs, key=lambda difference: float(np.median(difference)))
        return float(np.median(worst)), np.argsort(-worst, kind="stable")

    def _variance_ratio(self, levels: NDArray[np.float64], patient: NDArray[np.str_]) -> float | None:
        """Return the variance component of panels over that of patients within panels; None if unknown."""
        people = np.unique(patient)
        means = np.array([levels[patient == who].mean(axis=0) for who in people])
        panel = np.array([int(who.split(" ", 1)[0]) for who in people])
        sizes = np.bincount(panel, minlength=len(self.names)).astype(np.float64)
        free = len(people) - len(self.names)
        if free < 1:  # without a second patient in some panel nothing tells people from panels
            return None
        centre = np.array([means[panel == number].mean(axis=0) for number in range(len(self.names))])
        within = ((means - centre[panel]) ** 2).sum(axis=0) / free
        grand = means.mean(axis=0)
        between = (sizes[:, None] * (centre - grand) ** 2).sum(axis=0) / (len(self.names) - 1)
        per = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(self.names) - 1)
        component = max(float((between - within).sum()) / per, 0.0)
        return float(component / within.sum()) if within.sum() > 0 else None

    def _mantel(self, matrices: NDArray[np.float64]) -> float | None:
        centred = matrices - matrices.mean(axis=1, keepdims=True)
        size = np.sqrt((centred**2).sum(axis=1))
        if not (size > 0).all():
            return None
        agreement = (centred @ centred.T) / np.outer(size, size)
        upper = np.triu_indices(len(matrices), 1)
        same = (self._panel[:, None] == self._panel)[upper]
        values = agreement[upper]
        if not same.any() or same.all() or values[same].mean() <= 0:
            return None
        return float(values[~same].mean() / values[same].mean())

    def findings(self, max_rank: float, max_ratio: float, min_mantel: float) -> list[Finding]:
        """Return what differs more than it may."""
        panels = some(self.names)
        genes = tuple(str(gene) for gene in self._genes[self._diverging[:20]])
        found: list[tuple[str, float, float, tuple[str, ...]]] = []
        if self.rank > max_rank:
            text = f"shared genes differ by {percent(self.rank)} of the ranks between panels {panels} "
            text += f"({percent(max_rank)} allowed), {some(genes)} most"
            found.append((text, self.rank, max_rank, genes))
        if self.ratio is not None and self.ratio > max_ratio:
            text = f"expression varies {self.ratio:.2g} times as much between panels {panels} as between "
            text += f"patients of one panel ({max_ratio:g} allowed)"
            found.append((text, self.ratio, max_ratio, genes))
        if self.mantel is not None and self.mantel < min_mantel:
            text = f"gene-gene correlations agree {percent(self.mantel)} as well between panels {panels} as "
            text += f"within one ({percent(min_mantel)} expected at least)"
            found.append((text, self.mantel, min_mantel, ()))
        fix = "evaluate panels separately (`panels: separate`), or leave out genes whose probes disagree"
        return [
            Finding(status="warn", text=text, fix=fix, statistic=value, threshold=limit, genes=named)
            for text, value, limit, named in found
        ]
