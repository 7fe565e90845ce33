"""What is proposed: records, and the task file and samples table that are written of them."""

from __future__ import annotations

import csv
import io
import json
import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_stbench.resources import lr_pairs, signatures
from pytest_stbench.spec.yaml_lines import parse_tree, plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

POPULATION_MIN = 6
"""From this number of patients on a sign-flip test over patients can reach 0.05."""
LOPO_MAX = 10
SPOT_GENES = 10_000
"""A panel this large counts as the whole transcriptome."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One slide of the samples table; what is not known stays None."""

    slide: str
    patient: str | None = None


@dataclass(slots=True, kw_only=True)
class Proposal:
    """A data set as found.

    ``dataset`` holds the keys of a data set of a task file in the order of writing; ``remarks`` a
    comment for a key, ``missing`` the keys that were not found with what to do, ``notes`` what a
    reader of the file must know. ``table`` says that a samples table must be written because the
    files do not name the patients, or not usably. ``observed`` is a panel for whole
    transcriptomes.
    """

    what: str
    dataset: dict[str, Any]
    rows: list[Row]
    n_genes: int = 0
    observed: tuple[str, ...] = ()
    image: bool = False
    resolution: str = "spot"
    table: bool = False
    slide_column: str = "slide"
    remarks: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def name_panel(self, size: int, *, whole: bool) -> None:
        """Name the gene set: that of a `whole` transcriptome, or by its size."""
        self.dataset["panel"] = "whole_transcriptome" if whole else f"panel_{size}"
        if not whole:
            self.remarks["panel"] = "a name for the gene set and its version; write the real one"

    @property
    def patients(self) -> tuple[str, ...]:
        """The distinct known patients, sorted."""
        return tuple(sorted({row.patient for row in self.rows if row.patient is not None}))

    @property
    def patients_known(self) -> bool:
        """Whether every slide has a patient."""
        return all(row.patient is not None for row in self.rows)

    @property
    def family(self) -> str:
        """``expression`` where there is an image, ``imputation`` where there is none."""
        return "expression" if self.image else "imputation"

    @property
    def claim(self) -> str:
        """``population`` only where enough patients are known."""
        return "population" if self.patients_known and len(self.patients) >= POPULATION_MIN else "exploratory"

    @property
    def split(self) -> str:
        """The design that the number of patients allows."""
        if not self.patients_known or len(self.patients) < 2:
            return "within"
        return "lopo" if len(self.patients) <= LOPO_MAX else "pgkf"


PANEL_SIZE = 300
"""As large as published targeted panels."""

SMALLEST_PANEL = 50
"""Fewer genes that are known are no panel: the species or the names are others."""


def proposed_panel(genes: Iterable[str]) -> tuple[str, ...]:
    """Return the best known of `genes`, sorted: none where too few are known.

    How well a gene is known is in how many of the shipped signatures and ligand-receptor pairs
    it is; upper and lower case do not matter, so that mouse genes are found by human symbols.
    """
    named = Counter(gene for members in signatures().values() for gene in members)
    named.update(gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor))
    known = [gene for gene in genes if gene.upper() in named]
    chosen = sorted(known, key=lambda gene: (-named[gene.upper()], gene))[:PANEL_SIZE]
    return tuple(sorted(chosen)) if len(chosen) >= SMALLEST_PANEL else ()


WIDTH = 108
MAX_ASKED = 50
HIDDEN_FOLDS = 5
MIN_DETECTION = {"spot": 0.1, "bin": 0.02, "cell": 0.02}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+ -]*")


def task_text(name: str, proposal: Proposal, path: Path) -> str:
    """Return the task file called `name`; `path` is where it will stand, for the parser."""
    n = len(proposal.patients)
    known = f"{n} patients" if proposal.patients_known else "patients not known"
    lines = _comment(f"Proposed by `stbench new` from {proposal.what}: {len(proposal.rows)} slides, {known}.")
    lines += _comment(
        "Read every line before you rely on a score. `#?` marks what was not found: fill it in."
    )
    for note in proposal.notes:
        lines += _comment(f"NOTE: {note}")
    lines += ["stbench: 1", f"name: {scalar(name)}", "version: 1", f"family: {proposal.family}"]
    why = "" if proposal.claim == "population" else "  # fewer than 6 patients show nothing beyond themselves"
    lines.append(f"claim: {proposal.claim}{why}")
    lines += ["datasets:", f"  {re.sub(r'[^A-Za-z0-9_.]+', '_', name)}:"]
    for key, value in proposal.dataset.items():
        lines += _key(key, samples_name(name) if value == "SAMPLES" else value, proposal.remarks.get(key))
    for key, advice in proposal.missing.items():
        lines += _comment(f"{key}: {advice}", "    ", mark="#?")
    lines += _design(name, proposal)
    text = "\n".join(lines) + "\n"
    plain(parse_tree(text, path).root)
    return text


def samples_text(proposal: Proposal) -> str:
    """Return the samples table: one row per slide, the patient empty where nobody knows."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([proposal.slide_column, "patient"])
    table.writerows([row.slide, row.patient or ""] for row in proposal.rows)
    return text.getvalue()


def samples_name(name: str) -> str:
    """Return the file name of the samples table of the task `name`."""
    return f"{name}.samples.csv"


def panel_text(proposal: Proposal) -> str:
    """Return the list of the genes that a model is given, one a line."""
    return "".join(f"{gene}\n" for gene in ("gene", *proposal.observed))


def panel_name(name: str) -> str:
    """Return the file name of the panel of the task `name`."""
    return f"{name}.panel.csv"


def scalar(value: Any) -> str:
    """Return `value` as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {scalar(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(scalar, value)) + "]"
    if isinstance(value, str):
        safe = _PLAIN.fullmatch(value) and value == value.strip() and value.casefold() not in _WORDS
        return value if safe else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


_WORDS = frozenset({"null", "true", "false"})


def _comment(text: str, indent: str = "", mark: str = "#") -> list[str]:
    width = WIDTH - len(indent) - len(mark) - 1
    return [f"{indent}{mark} {line}" for line in textwrap.wrap(text, width, break_on_hyphens=False)]


def _key(key: str, value: Any, remark: str | None) -> list[str]:
    line = f"    {key}: {scalar(value)}"
    if remark is None:
        return [line]
    beside = f"{line}  # {remark}"
    return [beside] if len(beside) <= WIDTH else [*_comment(remark, "    "), line]


def _design(name: str, proposal: Proposal) -> list[str]:
    lines = [f"splits: [{proposal.split}]"]
    if proposal.split == "within":
        lines = [
            *_comment(
                "Blocks of one slide: a point value, never a claim about new patients. Use lopo from 2 "
                "patients on."
            ),
            *lines,
        ]
    hidden = HIDDEN_FOLDS if proposal.family == "imputation" and not proposal.observed else 1
    asked = max(1, min(MAX_ASKED, proposal.n_genes // hidden))
    detection = MIN_DETECTION.get(proposal.resolution, 0.1)
    lines += ["preprocess:", f"  genes: {{select: svg, n: {asked}, min_detection: {detection:g}}}"]
    if proposal.family == "imputation" and proposal.observed:
        lines += [
            *_comment(
                f"A model is given the {len(proposal.observed)} genes that signatures and ligand-receptor "
                "pairs name most often, as a targeted panel would measure them; others are asked. Put your "
                "own panel there."
            ),
            f"imputation: {{observed: {{file: {panel_name(name)}}}}}",
        ]
    elif proposal.family == "imputation":
        lines += [
            *_comment(
                "A fifth of the genes is hidden and asked. `observed: {file: panel.csv}` asks for your own "
                "panel."
            ),
            f"imputation: {{hide: {{folds: {HIDDEN_FOLDS}, fold: 0}}}}",
        ]
    if not proposal.patients_known:
        reason = "patients are not known yet: blocks within slides only"
        required = "[technology, resolution, panel]"
        lines += [
            *_comment("Take this out as soon as the column `patient` of the samples table is filled."),
            "checks:",
            f"  metadata_missing: {{required: {required}, reason: {scalar(reason)}}}",
        ]
    if proposal.split != "within":
        primary = "pearson_gene" if proposal.family == "expression" else "spearman_gene"
        lines += [
            *_comment(
                "What a release must meet; decided from 6 patients on. `--stbench-plan` says what yours "
                "can decide."
            ),
            "# gates:",
            f"#   {primary}: {{beats: {{baselines: [train_mean, ridge], margin: 0.02}}}}",
        ]
    return lines
