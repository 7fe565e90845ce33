"""``source: catalog``: replaced by the reader of the entry when a task file is loaded.

The merge stands in :mod:`pytest_stbench.spec.catalog_entries`, so that schema, fingerprint and checks see
the whole data set. What comes here was made without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample


def index_source(config: DatasetSpec, roots: Sequence[Path], store: Path | None) -> NoReturn:  # noqa: ARG001  # the signature of an index
    """Refuse, as :func:`open_source` does."""
    open_source(config, (), roots)


@reader(
    "R09", "catalog", index=index_source, needs_path=True, files="those of the reader that the entry names"
)
def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> NoReturn:  # noqa: ARG001  # the signature of a reader
    """A public data set by name: `path` is an entry of `stbench data list`.

    Refuse: a data set of the catalog has the reader that its entry names.
    """
    raise DataError(
        f"source catalog: {config.path!r} stands for an entry that was not merged; load the task file with "
        "`load_task`, or write the keys of the entry (`stbench data show`) yourself"
    )
