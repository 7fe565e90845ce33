"""Parquet and csv tables, by column and in parts; what goes wrong is a ``DataError`` naming the file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

ROWS = 1_000_000


def columns_of(path: Path) -> tuple[str, ...]:
    """Return the names of the columns; the header alone is read."""
    with _readable(path):
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            return tuple(pq.read_schema(path).names)
        import pandas as pd

        return tuple(pd.read_csv(path, sep=_separator(path), nrows=0).columns)


def parts_of(path: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield `columns` of a table in parts of at most a million rows; text may come as categories."""
    wanted = list(dict.fromkeys(columns))
    with _readable(path):
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(path, read_dictionary=_texts(path, wanted)) as file:
                # Over many row groups at once the iterator keeps the bytes of all of them.
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(batch_size=ROWS, row_groups=[group], columns=wanted):
                        yield batch.to_pandas()
            return
        import pandas as pd

        text = {name: str for name in wanted if name not in _NUMBERS}
        with pd.read_csv(
            path, sep=_separator(path), usecols=wanted, chunksize=ROWS, dtype=text, keep_default_na=True
        ) as parts:
            yield from parts


def _texts(path: Path, columns: Sequence[str]) -> list[str]:
    """Return which columns of a parquet file hold text: few values, each many times."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    is_text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return [n for n in columns if n in schema.names and any(is_a(schema.field(n).type) for is_a in is_text)]


def whole(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a table, or some of its columns."""
    import pandas as pd

    there = columns_of(path)
    wanted = there if columns is None else tuple(dict.fromkeys(columns))
    for name in wanted:
        if name not in there:
            message = f"{path}: no column {name!r}; it has {listing(there)}{nearest(name, there)}"
            raise DataError(message)
    with _readable(path):
        if path.suffix == ".parquet":
            return pd.read_parquet(path, columns=list(wanted))
        return pd.read_csv(path, sep=_separator(path), usecols=list(wanted), low_memory=False)


_NUMBERS = frozenset(
    {"x_location", "y_location", "x_um", "y_um", "x_global_px", "y_global_px", "global_x", "global_y", "x",
     "y", "qv", "is_control"}
)  # fmt: skip


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


def _separator(path: Path) -> str:
    return "\t" if ".tsv" in path.suffixes else ","


def text(values: Any) -> list[str]:
    """Return values as text; bytes are decoded."""
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]
