"""What ``stbench check`` found, as one self-contained HTML page: the page of a report without scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench import __version__
from pytest_stbench.report.findings import concession_lines, counted
from pytest_stbench.report.page.checks import Kind, Path, kinds_of, passed_of, paths_of
from pytest_stbench.report.page.glossary import of_checks
from pytest_stbench.report.page.pictures import Picture, Slide, limits, outlined
from pytest_stbench.report.page.render import anchor, page, shown
from pytest_stbench.results.checklist import checklist_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.report.lint import Report
    from pytest_stbench.run.quality.slide_views import SlideView


@dataclass(frozen=True, slots=True)
class View:
    """Maps of one slide: its depth, and the genes that checks found worst."""

    dataset: str
    slide: str
    bar: str
    pictures: list[tuple[Picture, str]]
    without: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One source with what its section shows."""

    report: Report
    id: str
    counted: str
    paths: list[Path]
    kinds: list[Kind]
    passed: dict[str, list[str]]
    conceded: list[str]
    not_run: dict[str, list[str]]
    views: list[View]


def lint_page(reports: Sequence[Report]) -> str:
    """Return the page: for each source its checklist, all checks, waivers, and what was not judged.

    Numbers say where they stand in the JSON of the same sources, as
    :func:`~pytest_stbench.report.lint.lint_data` returns it.
    """
    sections = []
    before = 0
    for number, report in enumerate(reports):
        sections.append(_section(report, number, before))
        before += len(report.checks)
    return page(
        "check.html.j2",
        title="stbench check",
        version=__version__,
        headline=_headline(reports),
        sections=sections,
        words=of_checks(),
    )


def _headline(reports: Sequence[Report]) -> str:
    checks = [check for report in reports for check in report.checks]
    unreadable = sum(len(report.unreadable) for report in reports)
    failed = sum(check.status == "fail" for check in checks)
    if unreadable:
        return (
            f"Not all could be read ({unreadable} not), so this is not the whole answer: {counted(checks)}."
        )
    if failed:
        return f"This data is not ready: {counted(checks)}. Each failure says how to mend it."
    if not checks:
        return "No check was run."
    return f"No check failed: {counted(checks)}."


def _section(report: Report, number: int, before: int) -> Section:
    checks = [(check, f"0:checks.{before + place}") for place, check in enumerate(report.checks)]
    return Section(
        report=report,
        id=anchor("source", number, report.title),
        counted=counted(report.checks),
        paths=paths_of(checklist_of(report.results), tasks=False),
        kinds=kinds_of(checks, section=number),
        passed=passed_of(report.checks),
        conceded=concession_lines(report.checks),
        not_run=report.not_run_by_reason,
        views=[_view(seen) for seen in report.views],
    )


def _view(seen: SlideView) -> View:
    slide = Slide(seen.xy_um)
    shown_maps = {"counts per unit": (seen.libsize, "how deep each unit was measured")}
    shown_maps |= {gene: (values, f"named by {seen.why[gene]}") for gene, values in seen.genes.items()}
    pictures = []
    for name, (values, why) in shown_maps.items():
        low, high = limits(values)
        span = f"colours from {shown(low, 0)} to {shown(high, 0)}"
        picture = slide.map(values, low, high, f"{name} on slide {seen.slide}, {span}")
        pictures.append((picture, f"{name}: {why} · {span}"))
    for own in seen.outlines:
        said = f"Outlines {own.name} in a window of slide {seen.slide}, coloured by counts"
        picture, bar = outlined(own, seen.units, seen.libsize, seen.xy_um, said)
        words = (
            f"{own.name}: each outline is a {own.kind}, coloured by counts; dots are units, grey is of none"
        )
        pictures.append((picture, f"{words} · {bar}"))
    return View(seen.dataset, seen.slide, slide.bar, pictures, seen.without)
