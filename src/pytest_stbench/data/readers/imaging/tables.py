"""Parquet and csv tables, by column and in parts; what goes wrong is a ``DataError`` naming the file."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from scipy import sparse

from pytest_stbench.data.delimited import before_header
from pytest_stbench.data.naming import KnownCells, coded
from pytest_stbench.data.untrusted import refuse_hollow
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from pytest_stbench.data.naming import Coded


class Layout(TypedDict):
    """What pandas has to know of a table in text."""

    sep: str
    skiprows: int


ROW_NUMBERS = re.compile(r"|Unnamed: \d+|__index_level_\d+__|index")
"""Names of columns in which pandas and R write row numbers; no gene is called so."""

ROWS = 1_000_000
CELLS = 1 << 24
"""Values of a matrix in text that are held at once."""


def columns_of(path: Path) -> tuple[str, ...]:
    """Return the names of the columns; the header alone is read."""
    with _readable(path):
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            meta = pq.read_metadata(path)
            size = 8 * meta.num_rows * meta.num_columns
            refuse_hollow(path, f"the table of {meta.num_rows} rows", size, path.stat().st_size)
            return tuple(pq.read_schema(path).names)
        import pandas as pd

        return tuple(pd.read_csv(path, **_layout(path), nrows=0).columns)


def first_of(names: Iterable[str], there: Container[str]) -> str | None:
    """Return the first of several names of a column that a table has; None where it has none."""
    return next((name for name in names if name in there), None)


def features_of(path: Path, keys: Container[str]) -> tuple[list[str], int]:
    """Return the columns of a matrix that hold counts, and how many of row numbers are left aside.

    `keys` are the columns that name the cell.
    """
    others = [name for name in columns_of(path) if name not in keys]
    features = [name for name in others if not ROW_NUMBERS.fullmatch(name)]
    return features, len(others) - len(features)


def parts_of(
    path: Path, columns: Sequence[str], names: Sequence[str] = (), *, rows: int = ROWS, repeats: bool = True
) -> Iterator[pd.DataFrame]:
    """Yield `columns` of a table in parts of at most `rows` rows.

    Those in `names` hold ids: they come as they stand in the file, also where integers have holes; of a
    csv they alone are text, or, where none is named, all but coordinates and qualities. Text may come as
    categories, unless its values hardly ever repeat (`repeats`).
    """
    wanted = list(dict.fromkeys(columns))
    with _readable(path):
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(path, read_dictionary=_texts(path, wanted) if repeats else []) as file:
                # Over many row groups at once the iterator keeps the bytes of all of them.
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(batch_size=rows, row_groups=[group], columns=wanted):
                        yield _frame(batch, names)
            return
        import pandas as pd

        text = dict.fromkeys(names or [name for name in wanted if name not in _NUMBERS], str)
        with pd.read_csv(
            path, **_layout(path), usecols=wanted, chunksize=rows, dtype=text, keep_default_na=True
        ) as parts:
            yield from parts


def matrix_of(
    path: Path, features: Sequence[str], keys: Sequence[str], cells: Callable[[pd.DataFrame], Coded]
) -> tuple[NDArray[np.str_], sparse.csr_matrix, int]:
    """Return names and counts of the cells in a matrix of text, and how many rows are in no cell.

    Parameters
    ----------
    path
        A table of one cell a row.
    features, keys
        Columns of counts, and those that name the cell.
    cells
        Returns the cells of a part of the table, coded as by :func:`~pytest_stbench.data.naming.cells_of`.
    """
    blocks, names, background = [], [np.empty(0, dtype=object)], 0
    rows = max(1, CELLS // max(1, len(features)))
    for part in parts_of(path, [*keys, *features], keys, rows=rows):
        with ids_of(path):
            codes, found = cells(part)
        kept = codes >= 0
        background += int((~kept).sum())
        names.append(found[codes[kept]])
        blocks.append(sparse.csr_matrix(numbers_of(part, list(features), path)[kept]))
    every = np.concatenate(names)
    if not len(every):
        raise DataError(f"{path}: no cell beside {background} rows in no cell; copy the file anew")
    return every.astype(np.str_), sparse.vstack(blocks, format="csr"), background


def numbers_of(table: pd.DataFrame, columns: Sequence[str], path: Path) -> NDArray[np.float64]:
    """Return columns of a table as (n, k) float64. Raises ``DataError`` where one holds text."""
    for name in columns:
        dtype = table[name].dtype
        if getattr(dtype, "kind", "O") not in "biuf":
            held = table[name].dropna()
            example = f", such as {str(held.iloc[0])!r}" if len(held) else ""
            raise DataError(f"{path}: column {name} holds {dtype}, not numbers{example}; copy the file anew")
    return table[list(columns)].to_numpy(dtype=np.float64, na_value=np.nan)


def _texts(path: Path, columns: Sequence[str]) -> list[str]:
    """Return which columns of a parquet file hold text: few values, each many times."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    is_text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return [n for n in columns if n in schema.names and any(is_a(schema.field(n).type) for is_a in is_text)]


def _frame(table: pa.RecordBatch | pa.Table, names: Sequence[str]) -> pd.DataFrame:
    """Return a part as data frame; integer ids with holes as categories: floats would round them."""
    import pyarrow as pa

    frame: pd.DataFrame = table.to_pandas()
    for name in table.schema.names:
        column = table.column(name)
        if name in names and column.null_count and pa.types.is_integer(column.type):
            frame[name] = column.dictionary_encode().to_pandas().array
        elif name not in frame:  # pandas has made it the index
            frame[name] = column.to_pandas().array
    return frame


def read_table(path: Path, columns: Sequence[str] | None = None, names: Sequence[str] = ()) -> pd.DataFrame:
    """Return a table, or some of its columns; `names` as for :func:`parts_of`."""
    import pandas as pd

    there = columns_of(path)
    wanted = there if columns is None else tuple(dict.fromkeys(columns))
    for name in wanted:
        if name not in there:
            raise DataError(f"{path}: no column {name!r}; it has {listing(there)}{nearest(name, there)}")
    with _readable(path):
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = pq.read_table(
                path,
                columns=list(wanted),
                read_dictionary=_texts(path, names),
                use_pandas_metadata=True,
                partitioning=None,
            )
            return _frame(table.unify_dictionaries(), names)
        return pd.read_csv(
            path,
            **_layout(path),
            usecols=list(wanted),
            dtype=dict.fromkeys(names, str),
            low_memory=False,
        )


def missing_in(path: Path, column: str) -> NDArray[np.bool_]:
    """Return in which rows a column has no value, (n,); where the file counts none, no value is read."""
    with _readable(path):
        if path.suffix != ".parquet":
            return np.asarray(read_table(path, [column], [column])[column].isna())
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            meta = file.metadata
            place = file.schema_arrow.names.index(column)
            groups = [meta.row_group(group).column(place) for group in range(meta.num_row_groups)]
            counted = [group.statistics for group in groups if group.is_stats_set]
            if len(counted) == len(groups) and all(one.null_count == 0 for one in counted):
                return np.zeros(meta.num_rows, dtype=bool)
            found = [np.asarray(batch.column(0).is_null()) for batch in file.iter_batches(columns=[column])]
    return np.concatenate([np.empty(0, dtype=bool), *found])


_NUMBERS = frozenset(
    {"x_location", "y_location", "x_um", "y_um", "x_global_px", "y_global_px", "global_x", "global_y", "x",
     "y", "qv", "is_control", "MIDCount", "MIDCounts", "UMICount", "count", "counts"}
)  # fmt: skip


@contextmanager
def ids_of(path: Path) -> Iterator[None]:
    """Turn what makes names of ids impossible into a ``DataError`` naming the file."""
    try:
        yield
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    import zlib

    import pandas.errors
    import pyarrow as pa

    failures = (
        OSError, EOFError, ValueError, KeyError, UnicodeDecodeError, zlib.error, pa.ArrowException,
        pandas.errors.ParserError, pandas.errors.EmptyDataError,
    )  # fmt: skip
    try:
        yield
    except failures as error:
        message = f"{path}: cannot be read as a table (truncated, damaged or another format): {error}"
        raise DataError(message) from error


def _layout(path: Path) -> Layout:
    above, separator = before_header(path)
    return {"sep": separator, "skiprows": above}


def known_cells(path: Path | None, column: str) -> Container[object]:
    """Return the names in a table of cells, read when the first is looked up; none without a table.

    They stand in `column`, or in the first where there is none of that name.
    """
    if path is None:
        return frozenset()

    def read() -> Iterable[object]:
        there = columns_of(path)
        name = column if column in there else there[0]
        table = read_table(path, [name], [name])
        with ids_of(path):
            return set(coded(table[name])[1].tolist())

    return KnownCells(read)


def rows_of(
    names: Sequence[str] | NDArray[np.str_], listed: NDArray[np.object_], path: Path, of: str
) -> NDArray[np.intp]:
    """Return the row of each of `names` among those that the table `path` lists.

    Raises ``DataError`` where it lacks one.
    """
    if np.array_equal(np.asarray(names, dtype=object), listed):
        return np.arange(len(listed))
    order = {name: row for row, name in enumerate(listed.tolist())}
    rows = [order.get(str(name), -1) for name in names]
    absent = [str(name) for name, row in zip(names, rows, strict=True) if row < 0]
    if absent:
        raise DataError(f"{path}: lacks {len(absent)} cells of {of}, such as {absent[0]!r}; copy both anew")
    return np.array(rows, dtype=np.intp)
