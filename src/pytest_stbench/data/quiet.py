"""What anndata says of tables that are in order, left out in one place."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quiet_anndata() -> Iterator[None]:
    """Let nobody see two warnings of anndata that no user can act on; all others come through.

    Building, reading and writing an AnnData belongs inside, so that a run with ``-W error`` does
    what a run without it does.
    """
    with warnings.catch_warnings():
        # Repeated names are for the checks to report.
        warnings.filterwarnings("ignore", ".* names are not unique", UserWarning)
        # anndata up to 0.13 reads this option of pandas for every table; pandas 3 deprecates it, and
        # pandas 4 will not have it. To go with the first bound `anndata>` above 0.13.
        warnings.filterwarnings(
            "ignore",
            r"The 'future\.infer_string' option is deprecated",
            DeprecationWarning,
            module=r"anndata(\.|$)",
        )
        yield
