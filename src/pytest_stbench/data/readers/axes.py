"""Which of several columns are x and y, by their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Names of x and of y without case and punctuation, most telling first: pixels before grid indices.
_PAIRS = (
    (r"pxlcol(.*)", r"pxlrow\1"),
    (r"imagecol(.*)", r"imagerow\1"),
    (r"pixelx", r"pixely"),
    (r"xpixel", r"ypixel"),
    (r"xpx", r"ypx"),
    (r"xum", r"yum"),
    (r"xcentroid", r"ycentroid"),
    (r"centroidx", r"centroidy"),
    (r"xlocation", r"ylocation"),
    (r"centerxglobalpx", r"centeryglobalpx"),
    (r"xglobalpx", r"yglobalpx"),
    (r"centerx", r"centery"),
    (r"globalx", r"globaly"),
    (r"spatialx", r"spatialy"),
    (r"xcoord(inate)?", r"ycoord\1"),
    (r"coordx", r"coordy"),
    (r"x", r"y"),
)
_GRID = ((r"arraycol", r"arrayrow"), (r"col(umn)?", r"row"))


def axes_of(names: Sequence[str], *, grid: bool = False) -> tuple[str, str] | None:
    """Return the names of x and y among `names`, whatever their order; None where no pair is known.

    x is counted along the columns of an image (``pxl_col_in_fullres``, ``imagecol``), y along its
    rows. With `grid`, rows and columns of an array are known too, after everything else.
    """
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(re.sub(r"[^a-z0-9]", "", name.casefold()), name)
    for x, y in (*_PAIRS, *(_GRID if grid else ())):
        for bare, name in plain.items():
            found = re.fullmatch(x, bare)
            other = None if found is None else plain.get(found.expand(y) if "\\" in y else y)
            if other is not None:
                return name, other
    return None
