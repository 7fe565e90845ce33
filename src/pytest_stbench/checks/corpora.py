"""Q21: data that a model has seen before it is tested on them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_stbench.checks.result import CheckResult, Finding, conclude
from pytest_stbench.checks.subject import known, normalised
from pytest_stbench.checks.wording import count, some
from pytest_stbench.extend import check

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.splits.table import Sample

HASH = "sha256:"

Hashes = Callable[[], Mapping[str, Mapping[str, Sequence[str]]]]
"""Gives data set -> slide -> hashes, each ``sha256:...``."""

_PARTS = re.compile(r"[/:|\s]+")


def slide_hash(slide: Slide) -> str:
    """Return ``sha256:...`` of a slide's measured genes and sorted units: equal under any slide name."""
    counts = slide.counts.copy()
    counts.sum_duplicates()
    rows = []
    genes = slide.genes.astype(str)
    for start, end in zip(counts.indptr[:-1], counts.indptr[1:], strict=True):
        found = sorted(zip(genes[counts.indices[start:end]], counts.data[start:end], strict=True))
        text = ",".join(f"{gene}={float(value):g}" for gene, value in found if value)
        rows.append(hashlib.sha256(text.encode()).hexdigest())
    return HASH + hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


@check(
    "Q21",
    severity="fail/warn",
    scope="model",
    needs="metadata",
    checklist=("S11",),
    after=("split_within_slide",),
)
def shared_corpus(
    *,
    pretraining: Sequence[str] | None,
    suite: Mapping[str, Sequence[Sample]],
    tested: Mapping[str, Collection[str]] | None = None,
    hashes: Hashes | None = None,
    files: Hashes | None = None,
    scope: Collection[str] = (),
    given: Sequence[str] = (),
) -> CheckResult:
    """Has the model seen the test data before, by corpus, accession, slide or content?

    Parameters
    ----------
    pretraining
        What the model declares: names of corpora (``HEST``), accessions (``GSE176078``, also
        ``HEST/GSE176078``), slide ids within a corpus (``HEST/TENX99``) and hashes of slides
        (``sha256:...``: of a file, as ``sha256sum`` prints it, or of the counts, :func:`slide_hash`).
        None: nothing is declared, which warns; an empty sequence declares that there was no
        pretraining.
    suite
        Samples of each data set of the task file.
    tested
        Slides of each data set that are in some test part; None: all.
    hashes
        Gives the hashes of each slide by data set; asked only where the model declares hashes.
    files
        Gives the hashes of the files of each slide by data set; asked only where there are several.
    scope
        What the task claims (``scope:``). Under ``zero-shot`` a test slide seen before fails, else it
        warns, as the model is then fitted on training slides anyway.
    given
        Sources of the reference atlas that the task hands to models, which count as seen.

    Notes
    -----
    A corpus in common without a list of its slides warns as unverifiable. Two data sets of the
    task file with slides of one accession, or with the same files, warn too: they are not two pieces of
    evidence. The
    statistic is the number of test slides seen before; ``details["ledger"]`` has one entry per data
    set and declared source that matches.
    """
    ledger = [*_ledger(pretraining or (), suite, tested, hashes), *_ledger(given, suite, tested, files)]
    exact = [entry for entry in ledger if entry["match"] != "corpus"]
    seen = sorted({slide for entry in exact for slide in entry["test_slides"]})
    findings = _seen_before(ledger, exact, seen, given, zero_shot="zero-shot" in scope)
    if pretraining is None:
        text = "the model does not declare what it was pretrained on"
        fix = "give it an attribute such as pretraining = ('HEST',), or pretraining = () if it was not"
        findings.append(Finding(status="warn", text=text, fix=fix))
    findings += _twice(suite) or _same_files(files() if files and len(suite) > 1 else {})
    return conclude(
        findings,
        passed="the model declares no pretraining"
        if not pretraining
        else f"none of {some(list(pretraining))} is a corpus, accession or slide of the data",
        statistic=len(seen),
        threshold=0.0,
        details={"ledger": ledger, "declared": None if pretraining is None else list(pretraining)},
    )


def _seen_before(
    ledger: Sequence[dict[str, Any]],
    exact: Sequence[dict[str, Any]],
    seen: list[str],
    given: Collection[str],
    *,
    zero_shot: bool,
) -> list[Finding]:
    """Return what was seen before, and what may have been."""

    def saw(entry: Mapping[str, Any], what: str) -> str:
        if entry["declared"] in given:
            return f"the reference atlas that models are given is of {what}"
        return f"the model was pretrained on {what}"

    findings = []
    if seen:
        first = next(entry for entry in exact if entry["test_slides"])
        findings.append(
            Finding(
                status="fail" if zero_shot else "warn",
                text=f"{saw(first, repr(first['declared']))}, which is the {first['match']} of "
                f"{count(len(seen), 'test slide')} of {first['dataset']} ({some(seen)})",
                fix="test on slides the model has not seen, or report these apart from all others",
                statistic=len(seen),
                threshold=0.0,
                slides=tuple(seen),
            )
        )
    entry = next((entry for entry in ledger if entry["match"] == "corpus"), None)
    if entry is not None:
        findings.append(
            Finding(
                status="warn",
                text=f"{saw(entry, 'the corpus ' + repr(entry['declared']))}, from which "
                f"{count(len(entry['test_slides']), 'test slide')} of {entry['dataset']} come too: whether "
                "these were among what it saw is unverifiable",
                fix="declare accessions or slides in `pretraining` of the model, or test on another corpus",
                statistic=len(entry["test_slides"]),
                threshold=0.0,
                slides=tuple(entry["test_slides"]),
            )
        )
    return findings


def _ledger(
    declared: Sequence[str],
    suite: Mapping[str, Sequence[Sample]],
    tested: Mapping[str, Collection[str]] | None,
    hashes: Hashes | None,
) -> list[dict[str, Any]]:
    """Return one entry per data set and declared source that has slides of it."""
    by_hash = hashes() if hashes and any(str(name).startswith(HASH) for name in declared) else {}
    entries = []
    for source in map(str, declared):
        for dataset, samples in suite.items():
            match, slides = _matching(source, samples, by_hash.get(dataset, {}))
            if not slides:
                continue
            test = set(slides) if tested is None else set(slides) & set(tested.get(dataset, ()))
            entries.append(
                {
                    "declared": source,
                    "dataset": dataset,
                    "match": match,
                    "slides": sorted(slides),
                    "test_slides": sorted(test),
                }
            )
    return entries


def _matching(
    source: str, samples: Sequence[Sample], hashes: Mapping[str, Sequence[str]]
) -> tuple[str, list[str]]:
    """Return how a declared source matches slides, the closest way first, and which."""
    if source.startswith(HASH):
        return "hash", [slide for slide, values in hashes.items() if source.casefold() in values]
    whole = normalised(source)
    # "HEST/TENX99": a name within a corpus; the corpus alone is then no match.
    parts = [normalised(part) for part in _PARTS.split(source) if normalised(part)]
    names = {whole, parts[-1]} if parts else {whole}
    if not whole:
        return "corpus", []
    accession = [s.slide for s in samples if known(s.accession) and normalised(s.accession) in names]
    if accession:
        return "accession", accession
    scoped = len(parts) > 1
    slides = [
        s.slide
        for s in samples
        if scoped and normalised(s.slide) == parts[-1] and normalised(s.corpus or "") in ("", parts[0])
    ]
    if slides:
        return "slide id", slides
    return "corpus", [s.slide for s in samples if known(s.corpus) and normalised(s.corpus) == whole]


def _twice(suite: Mapping[str, Sequence[Sample]]) -> list[Finding]:
    where: dict[str, dict[str, list[str]]] = {}
    for dataset, samples in suite.items():
        for sample in samples:
            if known(sample.accession):
                key = normalised(sample.accession)
                where.setdefault(key, {}).setdefault(dataset, []).append(sample.slide)
    shared = {key: found for key, found in where.items() if len(found) > 1 and _one_slide(found)}
    if not shared:
        return []
    slides = sorted({slide for found in shared.values() for names in found.values() for slide in names})
    return _dependent(next(iter(shared.values())), "the same slides of one accession", slides)


def _same_files(files: Mapping[str, Mapping[str, Sequence[str]]]) -> list[Finding]:
    """Report data sets that read the same slide from the same file."""
    where: dict[tuple[str, str], dict[str, str]] = {}
    for dataset, slides in files.items():
        times = Counter(value for values in slides.values() for value in set(values))
        for slide, values in slides.items():
            for value in set(values):
                # A file of several slides is told apart by their names.
                where.setdefault((value, slide if times[value] > 1 else ""), {})[dataset] = slide
    shared = [found for found in where.values() if len(found) > 1]
    if not shared:
        return []
    slides_of = sorted({slide for found in shared for slide in found.values()})
    return _dependent(shared[0], "slides of the same files", slides_of)


def _dependent(datasets: Iterable[str], what: str, slides: Sequence[str]) -> list[Finding]:
    return [
        Finding(
            status="warn",
            text=f"the data sets {' and '.join(sorted(datasets))} hold {what} ({some(slides)}), so they are "
            "not independent",
            fix="leave these slides out of one of them, or do not count them as two cohorts",
            statistic=len(slides),
            threshold=0.0,
            slides=tuple(slides),
        )
    ]


def _one_slide(found: Mapping[str, Iterable[str]]) -> bool:
    """Tell whether some slide stands in two data sets under one name."""
    seen: set[str] = set()
    for slides in found.values():
        names = {normalised(slide) for slide in slides}
        if names & seen:
            return True
        seen |= names
    return False
