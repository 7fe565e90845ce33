"""All figures of somebody's data as files: PNG, PDF, CSV and captions."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_stbench import __version__
from pytest_stbench.errors import DataMissing, ResultsError, StbenchError
from pytest_stbench.metrics.niche_arms import MIN_UNITS
from pytest_stbench.report.figures import (
    checklist as path_figure,
    coexpression as matrices,
    landscape as field_figure,
    niches as lists,
    pairs,
    panels as panel_figure,
    resolution as units,
    variable_genes as genes,
)
from pytest_stbench.report.figures.figure import CannotDraw, Made, NotMade, styled, written
from pytest_stbench.report.figures.opened import reason_of
from pytest_stbench.results.checklist import checklist_of
from pytest_stbench.results.schema import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.report.figures.opened import Opened, Subject
    from pytest_stbench.report.figures.pairs import Pair
    from pytest_stbench.results.provenance import DatasetRecord

CAPTIONS = "captions.md"


@dataclass(slots=True)
class Figures:
    """Makes the figures one by one; ``not_made`` and ``captions`` grow with them.

    `kept` is a results file whose predictions are drawn; None for a baseline that is fitted here.
    """

    store: Path
    write: Callable[[str, bytes], None]
    kept: Path | None = None
    tell: Callable[[str], object] = id
    captions: list[str] = field(default_factory=list)
    not_made: list[NotMade] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    _prefix: str = ""

    @property
    def of_data(self) -> list[str]:
        """Figures that show the data, not the field alone."""
        return [name for name in self.made if name != field_figure.NAME]

    def all(self, sources: Sequence[Opened]) -> None:
        """Make the figures of all sources.

        Raises ``ResultsError`` for kept predictions that cannot be used, and ``StbenchError`` where none of
        the data sets can be read.
        """
        labels = _labels(sources)
        several = sum(map(len, labels)) > 1
        records: list[DatasetRecord] = []
        found: list[panel_figure.Panel] = []
        missing = ""
        for source, named in zip(sources, labels, strict=True):
            prefixes = {name: f"{_plain(label)}-" if several else "" for name, label in named.items()}
            records += self._judged(source, named, prefixes)
            for subject in source.subjects(self.store, named):
                self._prefix = prefixes[subject.name]
                if subject.missing:
                    self._absent(subject)
                    continue
                missing = self._of_subject(subject, found) or missing
                subject.close()
        if len(self.unreadable) == sum(map(len, labels)):
            raise StbenchError("\n".join(f"{name}: {why}" for name, why in self.unreadable.items()))
        self._prefix = ""
        self._try(panel_figure.NAME, lambda: panel_figure.panels(found), unread=missing)
        self._try(field_figure.NAME, lambda: field_figure.landscape(records))

    def text(self, title: str, notes: Sequence[str]) -> bytes:
        """Return the captions of all figures, and what was not made, as Markdown."""
        made_by = (
            f"Made by `stbench figures`, pytest-stbench {__version__}. Each figure has a PNG (300 dpi), a "
            "PDF (text stays text, maps are pixels) and its numbers as CSV."
        )
        lines = [f"# Figures of {title}", "", made_by, ""]
        lines += [f"- note: {note}" for note in notes]
        lines += ["", *self.captions] if notes else self.captions
        if self.not_made:
            lines += ["## Not made", ""]
            lines += [f"- **{one.name}**: {one.why}. What to do: {one.fix}." for one in self.not_made]
        return ("\n".join(lines).rstrip() + "\n").encode()

    def _of_subject(self, subject: Subject, found: list[panel_figure.Panel]) -> str:
        """Make what shows one data set; return why its panels were not read."""
        self._try(genes.NAME, lambda: genes.variable_genes(subject))
        predicted = self._predictions(subject)
        self._try(matrices.NAME, lambda: matrices.coexpression(predicted(niches=False), subject.label))
        self._try(lists.NAME, lambda: lists.niche_signatures(predicted(niches=True), subject.label))
        try:
            found += panel_figure.panels_of(subject)
            missing = ""
        except StbenchError as error:
            missing = str(error)
        self._try(units.NAME, lambda: units.resolution(subject))
        return missing

    def _predictions(self, subject: Subject) -> Callable[..., Pair]:
        """Return what gives truth and prediction of a slide, with niches or any; each is made once."""
        known: dict[str, Pair] = {}

        def predicted(*, niches: bool) -> Pair:
            if self.kept is not None:
                slides = subject.run.views.dataset(subject.name).slide_ids
                return pairs.kept(self.kept, slides, niches=niches)
            fits = lists.has_niches if niches else None
            try:
                slide = subject.largest(fits, among=subject.tested())
            except CannotDraw as error:
                if not niches:
                    raise
                why = f"no slide of {subject.label} has units of two niches, {MIN_UNITS} of one and beside it"
                fix = "name the column of niches: `keys: {niche: COLUMN}` in a task file"
                raise CannotDraw(why, fix) from error
            name = slide.meta.slide_id
            if name not in known:
                known[name] = pairs.fitted(subject, name)
            return known[name]

        return predicted

    def _judged(
        self, source: Opened, labels: Mapping[str, str], prefixes: Mapping[str, str]
    ) -> list[DatasetRecord]:
        self.tell("checks")
        found = source.judged(self.store / "checks")
        self.unreadable |= {labels[name]: why for name, why in found.unreadable.items() if name in labels}
        results = Results(checks=found.checks, datasets=found.datasets, tasks=found.tasks)
        steps = checklist_of(results)
        for name in source.task.spec.datasets:
            self._prefix = prefixes[name]
            own = [step for step in steps if step.dataset == name]
            self._try(path_figure.NAME, partial(path_figure.checklist, own, labels[name]))
        return [record for record in found.datasets if "+" not in record.name]

    def _absent(self, subject: Subject) -> None:
        why, fix = reason_of(DataMissing(subject.missing))
        for name in (genes.NAME, matrices.NAME, lists.NAME, units.NAME):
            self.not_made.append(NotMade(name=f"{self._prefix}{name}", why=why, fix=fix))

    def _try(self, name: str, make: Callable[[], Made], *, unread: str = "") -> None:
        whole = f"{self._prefix}{name}"
        self.tell(whole)
        try:
            made = make()
        except ResultsError:
            raise
        except StbenchError as error:
            why, fix = reason_of(error)
            why = f"{why} ({unread})" if unread else why
            self.not_made.append(NotMade(name=whole, why=_sentence(why), fix=_sentence(fix)))
            return
        for ending, content in _files(made):
            self.write(f"{whole}{ending}", content)
        self.captions += _caption(whole, made)
        self.made.append(whole)


def _files(made: Made) -> Iterator[tuple[str, bytes]]:
    with styled():
        drawing = made.draw()
        png, pdf = written(drawing)
    yield ".png", png
    yield ".pdf", pdf
    for name, table in made.tables.items():
        yield (f".{name}.csv" if name else ".csv"), _csv(table)


def _csv(table: Any) -> bytes:
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text.encode()


def _caption(name: str, made: Made) -> list[str]:
    tables = ", ".join(f"`{name}.{table}.csv`" if table else f"`{name}.csv`" for table in made.tables)
    lines = [f"## {name}", "", f"**{made.title}.** {made.caption}", "", f"Numbers: {tables}."]
    if made.left_out:
        lines += ["", *(f"- left out: {one}" for one in made.left_out)]
    return [*lines, ""]


def _labels(sources: Sequence[Opened]) -> list[dict[str, str]]:
    """Return for each source how its data sets are called here: by their names, which are made different."""
    seen: Counter[str] = Counter()
    found = []
    for source in sources:
        named = {}
        for name in source.task.spec.datasets:
            seen[name] += 1
            named[name] = name if seen[name] == 1 else f"{name}-{seen[name]}"
        found.append(named)
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)


def _sentence(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
