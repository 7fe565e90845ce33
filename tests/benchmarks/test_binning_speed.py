"""Binning of transcripts, beside pandas and Pseudovisium; and ``stbench bin`` of a parquet file of many.

The command and pandas read the file in a fresh process each, which tells its CPU time and peak memory.
With STBENCH_BENCH=full the file has 100 million rows in the end, which pandas would hold in 14 GB.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

SIZES = {
    "transcripts": (120_000, 600_000, 3_000_000),
    "rows": (100_000, 1_000_000, 10_000_000, *[100_000_000] * (os.environ.get("STBENCH_BENCH") == "full")),
}
PANDAS_ROWS = 10_000_000
ROW_GROUP = 1_000_000
SIDE_UM, N_GENES = 10_000.0, 5000
BATCH = 2**18
PITCH_UM, STEP_UM = 100.0, 100.0 * np.sqrt(0.75)


class Drawn:
    """Transcripts in memory."""

    def __init__(self, frame):
        self.frame = frame
        self.features = np.array([f"G{gene}" for gene in range(N_GENES)])
        self.kinds = np.full(N_GENES, "gene")

    def batches(self, *, cells=False):
        from pytest_stbench.data.slide import TranscriptBatch

        x, y, gene, qv = (self.frame[name].to_numpy() for name in ("x", "y", "gene", "qv"))
        for start in range(0, len(x), BATCH):
            part = slice(start, start + BATCH)
            yield TranscriptBatch(x_um=x[part], y_um=y[part], feature=gene[part], qv=qv[part])


def bin_all(transcripts):
    from pytest_stbench.data.binning.units import bin_transcripts
    from pytest_stbench.spec.model import BinSpec

    genes = transcripts.features.tolist()
    return bin_transcripts(transcripts, genes, BinSpec(geometry="visium", min_tissue=0), what="bench")


@pytest.fixture(scope="module")
def frame(transcripts):
    import pandas as pd

    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.uniform(0, SIDE_UM, transcripts),
            "y": rng.uniform(0, SIDE_UM, transcripts),
            "gene": rng.integers(0, N_GENES, transcripts, dtype=np.int32),
            "qv": rng.uniform(0, 60, transcripts).astype(np.float32),
        }
    )


def grouped(frame):
    """Counts per (row, column, gene): the nearest of the two rows around each point, then a groupby."""
    kept = frame[frame["qv"] >= 20]
    x, y = kept["x"].to_numpy() - kept["x"].min(), kept["y"].to_numpy() - kept["y"].min()
    above = np.floor(y / STEP_UM)
    found = []
    for row in (above, above + 1):
        shifted = x - PITCH_UM / 2 * (row % 2)
        column = np.rint(shifted / PITCH_UM)
        found.append((row, column, np.hypot(shifted - column * PITCH_UM, y - row * STEP_UM)))
    lower = found[1][2] <= found[0][2]
    row, column, far = (np.where(lower, b, a) for a, b in zip(*found, strict=True))
    units = kept.assign(row=row.astype(np.int32), column=column.astype(np.int32))[far <= 27.5]
    return units.groupby(["row", "column", "gene"], sort=False).size()


@pytest.mark.benchmark(group="transcripts to spots of 55 um")
def test_binning_ours(benchmark, frame):
    binned = benchmark.pedantic(bin_all, args=(Drawn(frame),), rounds=3, warmup_rounds=1)
    assert binned.counts.sum() == grouped(frame).sum()


@pytest.mark.benchmark(group="transcripts to spots of 55 um")
def test_binning_pandas(benchmark, frame):
    counts = benchmark.pedantic(grouped, args=(frame,), rounds=3, warmup_rounds=1)
    assert counts.sum() > 0


@pytest.mark.benchmark(group="transcripts to spots of 55 um")
def test_binning_pseudovisium(benchmark, frame):
    """Its function for one batch, in one process; centres are rounded there, so counts differ a little."""
    generate = pytest.importorskip("Pseudovisium.pseudovisium_generate")
    table = frame[frame["qv"] >= 20].astype({"gene": str})

    def run():
        return generate.process_batch(table.copy(), PITCH_UM / 2, "gene", "x", "y", "None", spot_diameter=55)

    counts = benchmark.pedantic(run, rounds=1)
    assert len(counts[0])


@pytest.fixture(scope="module")
def file(tmp_path_factory, rows):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path_factory.mktemp("streamed") / "transcripts.parquet"
    names = pa.array([f"G{gene}" for gene in range(N_GENES)])
    rng = np.random.default_rng(1)
    part = min(rows, ROW_GROUP)
    writer = None
    for _ in range(rows // part):
        gene = pa.array(rng.integers(0, N_GENES, part, dtype=np.int32))
        table = pa.table(
            {
                "x_location": rng.random(part, np.float32) * np.float32(SIDE_UM),
                "y_location": rng.random(part, np.float32) * np.float32(SIDE_UM),
                "qv": rng.random(part, np.float32) * np.float32(60),
                "feature_name": pa.DictionaryArray.from_arrays(gene, names).cast(pa.string()),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()
    yield path
    path.unlink()


COMMAND = "from pytest_stbench.cli import main\nmain()\n"
PANDAS = """
import sys
import numpy as np, pandas as pd
from scipy import sparse
path, out = sys.argv[1:]
table = pd.read_parquet(path)
table = table[table["qv"] >= 20]
x, y = (table[f"{axis}_location"].to_numpy(np.float64) for axis in "xy")
x, y = x - x.min(), y - y.min()
pitch, step = 55.0, 55.0 * np.sqrt(0.75)
above = np.floor(y / step)
found = []
for row in (above, above + 1):
    shifted = x - pitch / 2 * (row % 2)
    column = np.rint(shifted / pitch)
    found.append((row, column, np.hypot(shifted - column * pitch, y - row * step)))
lower = found[1][2] <= found[0][2]
row, column, _ = (np.where(lower, b, a) for a, b in zip(*found))
counts = table.assign(row=row.astype(np.int32), column=column.astype(np.int32)).groupby(
    ["row", "column", "feature_name"], sort=False
).size()
counts.reset_index(name="n").to_parquet(out)
"""


@pytest.mark.parametrize("contestant", ["stbench bin", "pandas"])
@pytest.mark.benchmark(group="a parquet file of transcripts to hexagons, in a fresh process")
def test_streaming(fresh, benchmark, file, rows, tmp_path, contestant):
    """Time and memory of all that a user waits for: start, reading, counting, writing."""
    if contestant == "pandas":
        if rows > PANDAS_ROWS:
            pytest.skip("pandas would hold all rows at once")
        fresh(PANDAS, file, tmp_path / "out.parquet")
        return
    told = fresh(COMMAND, "bin", file, tmp_path / "out.h5ad", "--geometry", "tiled")
    assert f"transcripts: {rows:,} read" in told
    assert benchmark.extra_info.get("peak_mib", 0) < 1024
