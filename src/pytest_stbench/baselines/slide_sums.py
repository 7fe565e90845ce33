"""Sufficient statistics of one training slide: made once, added in every fold that trains on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, finalize

import numpy as np
from scipy.sparse import csr_matrix, issparse

from pytest_stbench.data.holding import is_held, once
from pytest_stbench.data.origins import origin_of
from pytest_stbench.kernels.gram import GroupedGram, Moments, cross_moments

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import TrainSlide
    from pytest_stbench.data.origins import Origin
    from pytest_stbench.data.slide import Slide

BLOCK_ELEMENTS = 1 << 19
"""Features made dense at once, 4 MiB of float64: larger blocks leave the cache and cost fresh pages."""

MOST_BYTES = 1 << 29
"""What all slides together may have in memory; what is computed beyond it is not kept."""


@dataclass(slots=True, eq=False)
class _Sums:
    """Of one slide, some features and one scale of targets.

    ``places`` says for a gene in which of the ``parts`` tables of targets it is, and in which row: its mean,
    its squares, its products with the features. ``arrays`` has these tables by number, and ``xx``, the
    products of the features, where they are not put aside with the arrays of the slide.
    """

    n: int
    mean_x: NDArray[np.float64]
    places: dict[str, tuple[int, int]]
    parts: int
    arrays: dict[Hashable, NDArray[np.float64]]

    def moments(self, slide: Slide, key: Hashable, genes: Sequence[str]) -> Moments:
        """Return the statistics of the slide they are of, with these targets."""

        def array(name: Hashable) -> NDArray[np.float64]:
            found = self.arrays.get(name)
            return once(slide, ("sums", key, name), lambda: self.arrays[name]) if found is None else found

        places = np.array([self.places[gene] for gene in genes], dtype=np.intp).reshape(-1, 2)
        targets = np.empty((len(genes), 2 + len(self.mean_x)))
        for number in np.unique(places[:, 0]).tolist():
            here = places[:, 0] == number
            targets[here] = array(number)[places[here, 1]]
        mean_y, yy = targets[:, :2].T.copy()
        xy = np.ascontiguousarray(targets[:, 2:].T)
        return Moments(n=self.n, mean_x=self.mean_x, mean_y=mean_y, xx=array("xx"), xy=xy, yy=yy)


class _KeptSums:
    """By slide and what they are of, for as long as the slide is in memory."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._of: WeakKeyDictionary[Slide, dict[Hashable, _Sums]] = WeakKeyDictionary()

    def get(self, slide: Slide, key: Hashable) -> _Sums | None:
        return self._of.get(slide, {}).get(key)

    def keep(self, slide: Slide, key: Hashable, sums: _Sums, added: int) -> None:
        """Keep `sums`, which take `added` bytes more than what they replace, if there is room."""
        if is_held(slide):
            for name, values in sums.arrays.items():
                once(slide, ("sums", key, name), partial(np.asarray, values))
            sums.arrays.clear()
            self._of.setdefault(slide, {})[key] = sums
            return
        if self._held + added > self._most:
            return
        self._held += added
        self._of.setdefault(slide, {})[key] = sums
        finalize(slide, self._let_go, added)

    def _let_go(self, size: int) -> None:
        self._held -= size


_KEPT = _KeptSums(MOST_BYTES)


def slide_gram(
    slide: TrainSlide,
    genes: Sequence[str],
    recipe: Hashable,
    features: Callable[[TrainSlide], Any],
    *,
    lasting: bool = True,
) -> GroupedGram:
    """Return the statistics of a slide's units, as those of one group.

    Parameters
    ----------
    slide
        Its ``target`` (n, g) has the columns `genes`.
    recipe
        With what the slide is made of it decides the features; None where nobody can say so: nothing is kept.
    features
        Gives the features, (n, d), dense or sparse; called where the statistics are not known.
    lasting
        Whether another fold may have the same features: else the statistics would take the place of others.
    """
    origin = origin_of(slide)
    if origin is None or recipe is None or not slide.n_units:
        return direct_gram(features(slide), slide.target)
    absent = ~origin.measured(genes)
    present = [str(gene) for gene in np.asarray(genes, dtype=object)[~absent]]
    sums = _sums(slide, origin, recipe, present, features, lasting=lasting)
    gram = GroupedGram(len(sums.mean_x), len(genes))
    gram.add_part(0, absent, sums.moments(origin.slide, _key(origin, recipe), present))
    return gram


def _sums(
    slide: TrainSlide,
    origin: Origin,
    recipe: Hashable,
    genes: Sequence[str],
    features: Callable[[TrainSlide], Any],
    *,
    lasting: bool,
) -> _Sums:
    """Return what is known of a slide, with all of `genes`."""
    key = _key(origin, recipe)
    known = _KEPT.get(origin.slide, key)
    wanted = [gene for gene in genes if known is None or gene not in known.places]
    if known is not None and not wanted:
        return known
    # What later folds may ask for costs little beside the features.
    more = [] if known is not None else [gene for gene in origin.further if gene not in set(wanted)]
    names = [*wanted, *more]
    x, y = features(slide), origin.values(names)
    if known is None:
        (whole,) = direct_gram(x, y).parts()
        found = _Sums(whole.n, whole.mean_x, {}, 0, {"xx": whole.xx})
        mean_y, xy, yy = whole.mean_y, whole.xy, whole.yy
    else:
        found = replace(known, places=dict(known.places), arrays=dict(known.arrays))
        mean_y, xy, yy = cross_moments(dense_blocks(x), y, known.mean_x)
    found.places |= {gene: (found.parts, row) for row, gene in enumerate(names)}
    found.arrays[found.parts] = np.column_stack([mean_y, yy, xy.T])
    found.parts += 1
    if lasting:
        added = len(names) * found.mean_x.nbytes + (whole.xx.nbytes if known is None else 0)
        _KEPT.keep(origin.slide, key, found, added)
    return found


def _key(origin: Origin, recipe: Hashable) -> Hashable:
    return recipe, origin.observed, origin.scale


def direct_gram(x: Any, target: NDArray[np.floating]) -> GroupedGram:
    """Return the statistics of features `x` (n, d), dense or sparse, and `target` (n, t), as one group."""
    gram = GroupedGram(x.shape[1], target.shape[1])
    for rows, block in dense_blocks(x):
        gram.add(0, block, target[rows])
    return gram


class SparseProduct:
    """The product of two sparse matrices, of which rows are made when they are asked for."""

    def __init__(self, left: csr_matrix, right: csr_matrix) -> None:
        self._left, self._right = left, right
        self.shape = (left.shape[0], right.shape[1])

    def __getitem__(self, rows: Any) -> csr_matrix:
        """Return the rows, sparse."""
        return csr_matrix(self._left[rows] @ self._right)


def dense_blocks(x: Any) -> Iterator[tuple[slice, NDArray[np.floating]]]:
    """Yield (rows, dense features) that cover `x`: dense input at once, sparse input in blocks."""
    if not (issparse(x) or isinstance(x, SparseProduct)):
        yield slice(0, len(x)), x
        return
    step = max(1, BLOCK_ELEMENTS // max(1, x.shape[1]))
    for start in range(0, x.shape[0], step):
        rows = slice(start, start + step)
        yield rows, x[rows].toarray()
