"""What a feature is: a gene, or an antibody, a control, a codeword; told by what the file says of it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from numpy.typing import NDArray

    Names = Sequence[object] | NDArray[Any]

GENE = "gene"

ANTIBODIES = frozenset({"antibody", "protein", "isotype_control"})
"""What antibodies measure: another molecule than counts of genes, on another scale."""

CONTROLS = frozenset(
    {
        "negative_control", "negative_control_probe", "negative_control_codeword", "genomic_control",
        "system_control", "blank", "spike_in",
    }
)  # fmt: skip
"""Negative controls: what is seen of them is background. Codewords that no probe uses are none of them."""

TYPE_COLUMNS = ("feature_types", "feature_type", "modality", "codeword_category", "codeclass", "CodeClass")
"""Columns of ``var`` that tell kinds apart; of those that are there the first that does so counts."""

_SAID = {
    "gene": (
        "gene_expression", "gene", "genes", "gex", "rna", "mrna", "transcript", "transcripts",
        "predesigned_gene", "custom_gene", "endogenous",
    ),
    "protein": ("protein_expression", "protein", "proteins", "prot"),
    "antibody": ("antibody_capture", "antibody", "antibodies", "adt", "ab"),
    "isotype_control": ("isotype_control", "isotype"),
    "multiplexing": ("multiplexing_capture", "hto", "hashtag"),
    "crispr_guide": ("crispr_guide_capture", "crispr", "sgrna", "guide_rna"),
    "antigen": ("antigen_capture", "antigen"),
    "peak": ("peaks", "peak", "atac", "chromatin_accessibility"),
    "custom": ("custom", "custom_capture"),
    "negative_control": ("negative_control", "control"),
    "negative_control_probe": ("negative_control_probe", "negative", "negative_probe"),
    "negative_control_codeword": ("negative_control_codeword",),
    "genomic_control": ("genomic_control", "genomic_control_probe"),
    "system_control": ("system_control", "systemcontrol", "false_code"),
    "blank": ("blank", "blank_codeword"),
    "spike_in": ("spike_in", "ercc"),
    "unassigned_codeword": ("unassigned_codeword", "unassigned"),
    "deprecated_codeword": ("deprecated_codeword", "deprecated"),
    "no_gene": ("no_gene",),
}  # fmt: skip
_KIND = {word: kind for kind, words in _SAID.items() for word in words}
_VAGUE = frozenset({"no_gene", "negative_control"})
"""Words that leave open which kind it is: the name may say it."""

_NAMED = re.compile(
    r"""
    (?P<negative_control_codeword> neg(ative)?[ _-]?(ctrl|control)[ _-]?codeword )  # Xenium
    | (?P<negative_control_probe>
        neg(ative)?[ _-]?(ctrl|control)[ _-]?probe    # NegControlProbe_00042 (Xenium)
        | neg(ative)?[ _-]?(prb|probe)(?![a-z])       # NegPrb3 (CosMx)
        | negative\d+$                                # Negative10 (CosMx)
        | antisense[ _-]                              # Xenium, the first panels
      )
    | (?P<negative_control> neg(ative)?[ _-]?(ctrl|control) )
    | (?P<blank> blank[ _-] | blank\d+$ )             # BLANK_0006 (Xenium), Blank-1 (MERSCOPE)
    | (?P<unassigned_codeword> unassigned[ _-]?codeword )
    | (?P<deprecated_codeword> deprecated[ _-]?codeword )
    | (?P<genomic_control> intergenic[ _-]?region | genomic[ _-]?control )
    | (?P<system_control> system[ _-]?control | false[ _-]?code\d* )    # SystemControl12, FalseCode12 (CosMx)
    | (?P<spike_in> ercc-\d+$ )
    | (?P<stain> channel-(?=[a-z]) )                  # Channel-PanCK, stains of CosMx protein slides
    | (?P<isotype_control>
        isotype                                       # Isotype_MOPC.21
        | (mouse|ms|rat|rt|rabbit|rb|hamster|hmr|goat)[ ._-]?ig[gm]    # mouse_IgG2a (10x), Rb IgG (CosMx)
        | igg\d[abc]*k?([ ._-]|$)                     # IgG2a_control_TotalSeqB
      )
    | (?P<antibody>
        (adt|ab|prot|protein|antibody)[_:]            # adt_CD4 (Seurat)
        | anti[ _-](?!sense)
        | (hu|ms|hums|humsrt)\.(?=[a-z])              # Hu.CD4, HuMs.CD44 (TotalSeq-A)
      )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""How names begin that vendors give to what is no gene. BLNK, NEGR1, ANTXR1, ADTRP do not match."""

_MARKED = re.compile(
    r"""
    (?P<isotype_control> [ ._-]isotype )              # IgG1 isotype control
    | (?P<antibody>
        [ ._-](totalseq[ ._-]?[abcd]?|adt)([ ._-]\d+)?$            # CD4_TotalSeqB, CD4-ADT
        | [_.](ab|prot|protein|antibody)([._-]\d+)?$               # CD4_prot
      )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What marks a name further on."""


def kinds_of(
    names: Names,
    said: Names | None = None,
    ids: Names | None = None,
) -> NDArray[np.str_]:
    """Return the kind of each feature, (n,): ``gene``, or what else it is.

    Parameters
    ----------
    names
        Names of the features, (n,). A name that a vendor gives to controls, or that is marked as
        that of an antibody, tells the kind of a feature of which nothing else is said, or that is
        said to be a gene.
    said
        What the file says each of them is, (n,): ``feature_types`` of 10x, ``codeword_category``
        of Xenium, ``codeclass`` of CosMx, ``modality``; None where it says nothing. A word that is
        not known is a kind of its own beside known words; a column without any known word (the
        biotypes of genes, say) tells nothing.
    ids
        A second name of each, (n,), such as the id in the vendor's table of features.

    Returns
    -------
    numpy.ndarray
        ``gene``, ``protein``, ``antibody``, ``isotype_control``, ``negative_control_probe``,
        ``negative_control_codeword``, ``unassigned_codeword``, ``deprecated_codeword``, ``genomic_control``,
        ``system_control``, ``blank``, ``spike_in``, ``custom``, ``multiplexing``, ``crispr_guide``, or an
        unknown word in lower case. Isotype controls are told from other antibodies by their names.

    Notes
    -----
    Words and names are those of Cell Ranger, Space Ranger, Xenium Onboard Analysis, CosMx (AtoMx),
    MERSCOPE and of BioLegend's TotalSeq.
    """
    by_name = [_by_name(str(name)) for name in names]
    if ids is not None:
        by_name = [
            _by_name(str(other)) if kind == GENE else kind for kind, other in zip(by_name, ids, strict=True)
        ]
    words = [None if word is None else _plain(str(word)) for word in said] if said is not None else []
    if not any(word in _KIND for word in set(words)):
        return np.array(by_name, dtype=np.str_)
    kinds = [_both(word, named) for word, named in zip(words, by_name, strict=True)]
    return np.array(kinds, dtype=np.str_)


def genes_in(names: NDArray[np.str_], kinds: NDArray[np.str_]) -> tuple[str, ...]:
    """Return the names of the genes among features, each once, in their order."""
    return tuple(dict.fromkeys(names[kinds == GENE].tolist()))


def kinds_column(
    columns: Collection[str], read: Callable[[str], Iterable[object]]
) -> tuple[object | None, ...] | None:
    """Return what a table of features says of each, by the first of :data:`TYPE_COLUMNS` with a known word.

    `read` returns a column, None where it has no value. None where no column tells kinds apart.
    """
    for column in TYPE_COLUMNS:
        if column in columns:
            found = tuple(read(column))
            if any(word is not None and _plain(str(word)) in _KIND for word in set(found)):
                return found
    return None


def _both(word: str | None, named: str) -> str:
    """Return the kind of a feature by what is said of it and by its name."""
    if not word:
        return named
    kind = _KIND.get(word, word)
    if kind == GENE or kind in _VAGUE:
        return named if named != GENE else kind
    return "isotype_control" if kind in ANTIBODIES and named == "isotype_control" else kind


@lru_cache(maxsize=2**17)
def _by_name(name: str) -> str:
    match = _NAMED.match(name) or _MARKED.search(name)
    return GENE if match is None else str(match.lastgroup)


@lru_cache(maxsize=1024)
def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", word.casefold()).strip("_")
