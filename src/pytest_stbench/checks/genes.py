"""Q16: gene names that are not current symbols of one species."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_stbench.checks.result import CheckResult, Finding, conclude, nothing_to_judge, worst_slide
from pytest_stbench.checks.symbols import BUILTIN, genomes, unknown_symbols
from pytest_stbench.checks.wording import count, percent, ranked, some
from pytest_stbench.extend import check
from pytest_stbench.resources import gene_aliases

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pytest_stbench.checks.subject import Subject

ENSEMBL = re.compile(r"ENS[A-Z]*G\d+(\.\d+)?")
TITLE_CASE = re.compile(r"(?=.*[a-z])[A-Z][a-z0-9]+")
READING_FRAME = re.compile(r"C(\d+|[XY])orf\d+")
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)"
DUPLICATE = "duplicate:"
TO_SYMBOLS = "map Ensembl ids to HGNC symbols (without version) in every file"
ONE_SPECIES = "keep one species a data set, or map mouse genes to human orthologues"

DATE = re.compile(
    rf"\d{{1,2}}-{_MONTH}(-\d{{2,4}})?|{_MONTH}-\d{{1,4}}|\d{{4}}-\d{{2}}-\d{{2}}( 00:00:00)?", re.IGNORECASE
)


@check(
    "Q16",
    severity="fail",
    scope="dataset",
    reasons={
        "mixed_low": "a real annotation holds a few odd names; more than 2% is a second naming scheme",
        "mixed_high": "the counterpart of mixed_low",
        "min_reference": "annotation releases differ by some per cent, not by a fifth",
        "reference": "no list is shipped: the right one is that of the data's annotation release",
    },
    checklist=("S3",),
    after=("metadata_missing",),
)
def gene_ids(
    dataset: Subject,
    *,
    mixed_low: float = 0.02,
    mixed_high: float = 0.98,
    min_reference: float = 0.8,
    reference: str | None = None,
) -> CheckResult:
    """Are gene names current symbols of one species: no Ensembl mix, aliases, duplicates, dates?

    Fails when between `mixed_low` and `mixed_high` of a slide's names are Ensembl ids, or of its
    symbols are in mouse case (``Erbb2``; open reading frames such as ``C1orf159`` excepted), when
    slides disagree on either, when a name is blank or a date of a spreadsheet (``1-Mar``), and when
    `mixed_low` of a slide's names begin with a genome (``GRCh38_TP53``) or are ids of several species.
    Of findings of one status the one on most names is the gravest.
    Warns on Ensembl ids throughout, duplicates, retired symbols, and when less than
    `min_reference` of the symbols (20 or more) are known, retired ones included: those of GENCODE
    release 48, or of the list `reference` (a file with one symbol a line or a column ``gene``).
    """
    for _ in dataset.slides():
        pass  # duplicates are noted while slides are read
    panels = {str(slide): tuple(map(_name, genes)) for slide, genes in dataset.panels.items()}
    names = sorted({name for genes in panels.values() for name in genes})
    if not names:
        return nothing_to_judge("no slide lists a gene", "check the gene names of the files (`var`)")
    ensembl = {name for name in names if ENSEMBL.fullmatch(name)}
    symbols = [name for name in names if name and name not in ensembl]
    mouse = {name for name in symbols if TITLE_CASE.fullmatch(name) and not READING_FRAME.fullmatch(name)}
    band = (mixed_low, mixed_high)
    share = len(ensembl) / len(names)
    findings = [
        *_spoilt(panels, names),
        *genomes(panels, mixed_low),
        *_mixed(panels, ensembl, frozenset(), band, "Ensembl ids", TO_SYMBOLS),
        *_mixed(panels, mouse, ensembl, band, "symbols in mouse case (Erbb2)", ONE_SPECIES),
        *_duplicates(panels, getattr(dataset, "notes", None)),
        *(_ids_throughout(ensembl, share, mixed_high) if share > mixed_high else ()),
    ]
    renamed: Mapping[str, str] = getattr(dataset, "renamed", {})
    retired = sorted((set(names) & gene_aliases().keys()) | renamed.keys())
    findings += _retired(retired, renamed)
    findings += unknown_symbols(symbols, reference, min_reference)
    findings.sort(key=lambda finding: -len(finding.genes))
    return conclude(
        findings,
        passed=f"{count(len(names), 'gene name')}, current symbols of one species as far as can be told",
        statistic=share,
        threshold=mixed_low,
        details={
            "names": len(names),
            "ensembl": len(ensembl),
            "mouse_case": len(mouse),
            "retired": {name: gene_aliases()[name] for name in retired},
            "reference": reference or BUILTIN,
        },
    )


def _ids_throughout(ensembl: Collection[str], share: float, limit: float) -> list[Finding]:
    return [
        Finding(
            status="warn",
            text=f"{percent(share)} of the gene names are Ensembl ids: "
            "no signature and no ligand-receptor pair will be found",
            fix="name the genes by HGNC symbol",
            statistic=share,
            threshold=limit,
            genes=tuple(sorted(ensembl)),
        )
    ]


def _retired(retired: Sequence[str], renamed: Mapping[str, str]) -> list[Finding]:
    """Report retired symbols: those that were replaced when the slides were read, and those left."""
    if not retired:
        return []
    left = [name for name in retired if name not in renamed]
    pairs = [f"{name} (now {gene_aliases()[name]})" for name in left or retired]
    done = f", {len(renamed):,} of them read under the current symbol" if renamed else ""
    fix = "rename them to the current symbol in the files, so that other tools find them too"
    if left:
        fix = "rename them to the current symbol before genes are matched"
    return [
        Finding(
            status="warn",
            text=f"{count(len(retired), 'retired symbol')}{done}: {some(pairs)}",
            fix=fix,
            statistic=len(retired),
            threshold=0.0,
            genes=tuple(retired),
        )
    ]


def _name(value: object) -> str:
    """Return a gene name as text; None and nan are blank."""
    if value is None or value != value:  # nan, of whatever float type, is not itself
        return ""
    return str(value).strip()


def _spoilt(panels: Mapping[str, Sequence[str]], names: Iterable[str]) -> list[Finding]:
    findings = []
    dates = [name for name in names if DATE.fullmatch(name)]
    if dates:
        where = tuple(sorted(slide for slide, genes in panels.items() if set(dates) & set(genes)))
        findings.append(
            Finding(
                status="fail",
                text=f"{count(len(dates), 'gene name')} that a spreadsheet made a date ({some(dates)})",
                fix="export the names again without a spreadsheet (1-Mar was MARCHF1 or MTARC1)",
                statistic=len(dates),
                threshold=0.0,
                slides=where,
                genes=tuple(dates),
            )
        )
    blank = {slide: n for slide, genes in panels.items() if (n := sum(not name for name in genes))}
    if blank:
        worst = ranked(blank)
        findings.append(
            Finding(
                status="fail",
                text=f"{count(blank[worst[0]], 'blank gene name')} on slide {worst[0]}",
                fix="write the symbol of every gene into the file's gene index, or drop the rows",
                statistic=blank[worst[0]],
                threshold=0.0,
                slides=worst,
            )
        )
    return findings


def _mixed(
    panels: Mapping[str, Sequence[str]],
    kind: Collection[str],
    left_out: Collection[str],
    band: tuple[float, float],
    what: str,
    fix: str,
) -> list[Finding]:
    """Report slides where only a part of the names is of a `kind`, or slides that disagree."""
    shares: dict[str, float] = {}
    known: dict[tuple[str, ...], float | None] = {}
    for slide, genes in panels.items():
        key = tuple(genes)
        if key not in known:
            kept = [name for name in key if name and name not in left_out]
            known[key] = sum(name in kind for name in kept) / len(kept) if kept else None
        share = known[key]
        if share is not None:
            shares[slide] = share
    low, high = band
    mixed = sorted(
        (s for s, share in shares.items() if low <= share <= high), key=lambda s: (abs(shares[s] - 0.5), s)
    )
    if mixed:
        share, where = shares[mixed[0]], tuple(mixed)
        text = f"{percent(share)} of the names of slide {mixed[0]} are {what}, the rest are not"
    elif shares and min(shares.values()) < low and max(shares.values()) > high:
        where = tuple(sorted(slide for slide, value in shares.items() if value > high))
        share = len(where) / len(shares)
        text = (
            f"{count(len(where), 'slide')} of {len(shares):,} ({some(where)}) use {what}, the others do not"
        )
    else:
        return []
    return [
        Finding(
            status="fail",
            text=text,
            fix=fix,
            statistic=share,
            threshold=low,
            slides=where,
            genes=tuple(sorted(set(panels[where[0]]) & set(kind))),
        )
    ]


def _duplicates(panels: Mapping[str, Sequence[str]], notes: object) -> list[Finding]:
    """Report genes that have several columns in a file.

    Readers sum such columns and note of how many genes they were (``duplicate_genes``) and which
    (``duplicate:NAME``); an old and a new symbol of one gene stay two columns.
    """
    table = gene_aliases()
    noted = notes if isinstance(notes, Mapping) else {}
    found: dict[str, int] = dict(noted.get("duplicate_genes", {}))
    named: dict[str, set[str]] = {}
    for note, slides_with in noted.items():
        if note.startswith(DUPLICATE):
            for slide in slides_with:
                named.setdefault(slide, set()).add(note.removeprefix(DUPLICATE))
    for slide, genes in panels.items():
        times = Counter(genes)
        twice = {name for name, n in times.items() if n > 1 and name}
        twice |= {name for name in times.keys() & table.keys() if table[name] in times}
        found[slide] = found.get(slide, 0) + len(twice)
        named.setdefault(slide, set()).update(twice)
    everything = tuple(sorted(set().union(*named.values())))

    def text(slide: str) -> str:
        which = f" ({some(sorted(named[slide]))})" if named[slide] else ""
        return f"{count(found[slide], 'gene')} with more than one column{which} on slide {slide}"

    return worst_slide(
        {slide: n for slide, n in found.items() if n},
        text,
        "give every gene one column: its columns are summed, an old and a new symbol are not",
        status="warn",
        genes=dict.fromkeys(found, everything),
    )
