"""A table of transcripts counted into the units of a lattice, as an AnnData file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.binning.units import bin_transcripts
from pytest_stbench.data.features import GENE
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.readers.transcripts import open_transcripts
from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.data.binning.units import Binned
    from pytest_stbench.spec.model import BinSpec

BLOCK_COUNTS = 1 << 24
"""Counts, zeros included, that are written at once."""
MOST_NARROW = np.iinfo(np.int32).max
"""Stored counts that can be numbered by 32 bits."""


def bin_file(
    table: Path,
    out: Path,
    spec: BinSpec,
    *,
    staging: Path | None = None,
    progress: Callable[[int], object] | None = None,
) -> Binned:
    """Count the transcripts of `table` and write them to `out`, which is complete or as it was.

    Parameters
    ----------
    table
        Parquet or csv.
    out
        An h5ad file, in a folder that is there.
    spec
        The lattice, and what is left out.
    staging
        Folder of the same file system in which it is written; default: that of `out`.
    progress
        Told how many rows were read since it was last told, in both passes.

    Raises
    ------
    DataError
        For a table that cannot be read, or of which nothing is left.
    StbenchError
        Where it cannot be written.
    """
    transcripts = open_transcripts(table)
    genes = tuple(dict.fromkeys(transcripts.features[transcripts.kinds == GENE].tolist()))
    binned = bin_transcripts(transcripts, genes, spec, what=str(table), progress=progress)
    _write(out, staging or out.parent, binned, genes, spec)
    return binned


@quiet_anndata()
def _write(out: Path, staging: Path, binned: Binned, genes: tuple[str, ...], spec: BinSpec) -> None:
    """Write an AnnData file and move it to its place when it is complete."""
    import anndata as ad
    import h5py
    import pandas as pd
    from anndata.io import sparse_dataset, write_elem

    units = binned.units
    index = units.array_index
    obs = {"array_row": index[:, 0], "array_col": index[:, 1], **binned.measures}
    settings = {key: value for key, value in spec.model_dump().items() if value is not None}
    result = ad.AnnData(
        obs=pd.DataFrame(obs, index=units.names),
        var=pd.DataFrame(index=list(genes)),
        uns={
            "bin": {**settings, "origin_um": list(spec.origin_um), "pitch_um": units.lattice.pitch_um},
            "notes": binned.notes,
            "spatial_units": "um",
        },
    )
    result.obsm["spatial"] = units.xy_um
    try:
        with tempfile.TemporaryDirectory(prefix=".stbench-", dir=staging) as staged:
            part = Path(staged) / out.name
            result.write_h5ad(part)
            step = max(1, BLOCK_COUNTS // max(1, len(genes)))
            with h5py.File(part, "r+") as file:
                # Block by block: all counts at once can be larger than the table they are taken from.
                first = binned.table.take(units.ids[:step])
                if _stored_at_most(binned, len(genes)) >= MOST_NARROW:
                    # What is appended is numbered as the first block is.
                    first.indptr = first.indptr.astype(np.int64)
                write_elem(file, "X", first)
                whole: Any = sparse_dataset(file["X"])
                for start in range(step, len(units.ids), step):
                    whole.append(binned.table.take(units.ids[start : start + step]))
            os.replace(part, out)  # noqa: PTH105  # the one call that is atomic on every system
    except OSError as error:
        raise StbenchError(f"cannot write {out}: {error.strerror or error}") from None


def _stored_at_most(binned: Binned, n_genes: int) -> int:
    """Return how many counts can be other than zero, which nobody knows before they are taken."""
    return min(binned.notes["transcripts_kept"], len(binned.units.ids) * n_genes)
