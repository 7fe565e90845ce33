"""Genes without a count on some slides that all others have: panels that were joined with zeros."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.checks.result import Finding, worst_slide
from pytest_stbench.checks.subject import normalised
from pytest_stbench.checks.wording import count, percent, some
from pytest_stbench.kernels.blocks import blocks as blocks_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.checks.subject import Subject
    from pytest_stbench.data.slide import Slide

MIN_EXPECTED = 5.0
"""Counts of a gene that a slide should have, by the lowest share of the others: fewer may be none."""

SURE = 25.0
"""Counts that the strongest genes of a block should have.

Crops of one tissue (CosMx, 40 to 67 cells) lack up to 91 of 212 genes by place alone; their fifth should have
15 counts at most.
"""

CHANCE_FACTOR = 10.0
"""A block is as many times larger than what chance leaves without a count."""

SHARE = 0.05
STRONG = 500.0
"""Over the number of the other slides: what a block must reach, as a share of the genes that are judged or in
the counts that each of its strongest genes should have.

Genes that some people hardly have are missing by blocks too, the more of them the fewer slides there are to
compare. In 30 sections of breast cancer of 8 patients (her2st), and in random 2 to 30 of them, the largest
such block is 0.8 % of the genes judged on 2 to 4 slides, 0.4 % on 5 and 0.3 % on 6 or more; its fifth gene
should have 240 counts on 2 slides, 82 on 6 and 26 on 12.
"""

ORGANS_SHARE = 0.2
"""What a block must reach instead, as a share of the genes that are judged, among slides of several organs.

Organs use different genes: of 1 to 6 sections of breast cancer (her2st) beside 1 or 2 of prostate, on genes
that vary in prostate, the largest such block is 13 % of the genes judged on 2 slides, 10 % on 3 and 4 % on 4
or 5. Panels of breast and lung (Xenium, CosMx) joined with zeros lack 23 to 69 % on each slide.
"""

_PERSONAL = re.compile(
    r"""
    XIST|TSIX                                                                     # in women alone
    |(RPS4|EIF1A|EIF2S3|DDX3|USP9|TMSB4|NLGN4|PCDH11|TBL1)Y\d?|KDM5D|UTY|ZFY|SRY|PRKY|AMELY|TXLNGY|BCORP1
    |TTTY\d+[A-Z]?|LINC00278                                                      # in men alone
    |(GSTM1|GSTT1|GSTT2B?|UGT2B17|UGT2B28|LILRA3|LCE3[BC]|CFHR[13]|APOBEC3B|FCGR3B|HLA-DRB[345]|KIR.*)
    |CCL[34]L\d|(IG[HKL]|TR[ABDG])V.*                             # lost in some people; of single clones
    """,
    re.VERBOSE,
)
"""Genes that a person may not have, or not use: their absence is biology, not a panel."""


def joined_with_zeros(dataset: Subject, *, min_block: int, min_detection: float) -> list[Finding]:
    """Return a failure where a block of genes was not measured on slides whose files list it.

    Of the slides of one technology, a gene counts that has no count at all on some of them and is
    seen in `min_detection` of the units of each other one that lists it. `min_block` such genes on one
    slide fail that are ten times as many as chance leaves there, and either so large a share of the genes or
    so strong on other slides as no difference of people makes them (:data:`SHARE`), `min_block` of them
    with 25 expected counts. Slides that are said to be of one organ are compared with each other, and
    those of several together by a larger share (:data:`ORGANS_SHARE`). Genes of which the
    slide should have fewer than 5 counts, by the lowest share that the gene has elsewhere, are rare and do
    not count; nor do those that some people do not have (of the sex chromosomes, common deletions,
    receptor segments).
    """
    groups: dict[str, list[_Seen]] = {}
    for slide in dataset.slides():
        name = slide.meta.slide_id
        listed = np.isin(slide.genes, np.array(dataset.panels.get(name, ()), dtype=np.str_)) & slide.measured
        key = normalised(slide.meta.technology or "")
        groups.setdefault(key, []).append(_Seen(name, slide, listed))
    blocks: dict[str, tuple[str, ...]] = {}
    for slides in groups.values():
        organs: dict[str, list[_Seen]] = {}
        for seen in slides:
            organs.setdefault(seen.organ, []).append(seen)
        if len(organs.keys() - {""}) > 1:
            blocks |= _blocks(slides, min_block, min_detection, ORGANS_SHARE * (len(slides) - 1), np.inf)
        else:
            organs = {"": slides}
        for alike in organs.values():
            if len(alike) > 1:
                found = _blocks(alike, min_block, min_detection, SHARE, STRONG)
                blocks |= {slide: genes for slide, genes in found.items() if slide not in blocks}
    return worst_slide(
        {slide: len(genes) for slide, genes in blocks.items()},
        lambda slide: f"{count(len(blocks[slide]), 'gene')} ({some(blocks[slide])}) without a count on slide "
        f"{slide}",
        "take the columns that were filled with zeros out of the files of these slides, so that each "
        "lists its own panel; then write `absent_gene: mask` or `panels: separate`, or nothing: genes in "
        "common are asked",
        min_block,
        tail=f", and in {percent(min_detection)} or more of the units of each other slide: not measured "
        "there, panels were joined with zeros",
        genes=blocks,
    )  # fmt: skip


class _Seen:
    """How often each gene is seen on a slide; nothing of its counts is kept."""

    def __init__(self, name: str, slide: Slide, listed: NDArray[np.bool_]) -> None:
        counts, self.genes = slide.counts, slide.genes
        n_genes = counts.shape[1]
        self.name, self.listed = name, listed
        self.organ = normalised(slide.meta.organ or "")
        self.totals = np.zeros(n_genes)
        seen, missing = np.zeros(n_genes, np.intp), np.zeros(n_genes, bool)
        # Sums of whole numbers are exact in any parts; all at once they would be made 64 bits wide.
        whole = counts.data.dtype.kind in "iu"
        for part in blocks_of(len(counts.data), np.dtype(np.intp).itemsize) if whole else [slice(None)]:
            data, columns = counts.data[part], counts.indices[part]
            positive = data > 0
            plain = bool(positive.all())
            seen += np.bincount(columns if plain else columns[positive], minlength=n_genes)
            finite = np.isfinite(data)
            plain &= bool(finite.all())
            values = data if plain else np.where(finite & positive, data, 0).astype(np.float64)
            self.totals += np.bincount(columns, weights=values, minlength=n_genes)
            missing |= np.bincount(columns[~finite], minlength=n_genes) > 0
        self.detection = seen / max(1, counts.shape[0])
        self.empty = listed & (seen == 0) & ~missing


def _blocks(
    slides: Sequence[_Seen], min_block: int, min_detection: float, share_wanted: float, strong: float
) -> Mapping[str, tuple[str, ...]]:
    """Return the genes that were not measured, by slide, of slides of one technology.

    The last two are as :data:`SHARE` and :data:`STRONG`, over the number of the other slides.
    """
    listed = np.stack([slide.listed for slide in slides])
    empty = np.stack([slide.empty for slide in slides])
    detection = np.stack([slide.detection for slide in slides])
    totals = np.stack([slide.totals for slide in slides])
    depth = totals.sum(axis=1)
    seen = listed & ~empty
    everywhere = seen.any(axis=0) & (~seen | (detection >= min_detection)).all(axis=0)
    with np.errstate(all="ignore"):
        share = np.where(seen, totals / np.maximum(depth, 1)[:, None], np.inf).min(axis=0)
    names = slides[0].genes
    common = np.array([_PERSONAL.fullmatch(str(name).upper()) is None for name in names], dtype=bool)
    found, others = {}, len(slides) - 1
    for row, slide in enumerate(slides):
        expected = share * depth[row]
        judged = everywhere & common & (expected >= MIN_EXPECTED)
        block = judged & empty[row]
        asked = judged & listed[row]
        least = max(min_block, CHANCE_FACTOR * np.exp(-expected[asked]).sum())
        if block.sum() < least:
            continue
        weakest = np.sort(expected[block])[-min_block]
        large = block.sum() >= share_wanted / others * asked.sum()
        if weakest >= SURE and (large or weakest >= strong / others):
            found[slide.name] = tuple(sorted(map(str, names[block].tolist())))
    return found
