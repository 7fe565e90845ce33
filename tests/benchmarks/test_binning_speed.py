"""Binning of transcripts to spots, beside pandas and Pseudovisium; and 100 million of them, streamed.

Full size with STBENCH_BENCH=full: 3 million transcripts side by side, and the streaming test, which
writes a parquet file of 100 million and reports time and peak memory of a fresh process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FULL = os.environ.get("STBENCH_BENCH") == "full"
N = 3_000_000 if FULL else 100_000
STREAMED = 100_000_000
ROW_GROUP = 1_000_000
SIDE_UM, N_GENES = (10_000.0, 5000) if FULL else (3000.0, 300)
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
def frame():
    import pandas as pd

    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.uniform(0, SIDE_UM, N),
            "y": rng.uniform(0, SIDE_UM, N),
            "gene": rng.integers(0, N_GENES, N, dtype=np.int32),
            "qv": rng.uniform(0, 60, N).astype(np.float32),
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


@pytest.mark.benchmark(group="spots of 55 um")
def test_binning_ours(benchmark, frame):
    binned = benchmark.pedantic(bin_all, args=(Drawn(frame),), rounds=3, warmup_rounds=1)
    assert binned.counts.sum() == grouped(frame).sum()


@pytest.mark.benchmark(group="spots of 55 um")
def test_binning_pandas(benchmark, frame):
    counts = benchmark.pedantic(grouped, args=(frame,), rounds=3, warmup_rounds=1)
    assert counts.sum() > 0


@pytest.mark.benchmark(group="spots of 55 um")
def test_binning_pseudovisium(benchmark, frame):
    """Its function for one batch, in one process; centres are rounded there, so counts differ a little."""
    generate = pytest.importorskip("Pseudovisium.pseudovisium_generate")
    table = frame[frame["qv"] >= 20].astype({"gene": str})

    def run():
        return generate.process_batch(table.copy(), PITCH_UM / 2, "gene", "x", "y", "None", spot_diameter=55)

    counts = benchmark.pedantic(run, rounds=1)
    assert len(counts[0])


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    if not FULL:
        pytest.skip("100 million transcripts: set STBENCH_BENCH=full")
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path_factory.mktemp("streamed") / "transcripts.parquet"
    names = pa.array([f"G{gene}" for gene in range(N_GENES)])
    rng = np.random.default_rng(1)
    writer = None
    for _ in range(STREAMED // ROW_GROUP):
        gene = pa.array(rng.integers(0, N_GENES, ROW_GROUP, dtype=np.int32))
        table = pa.table(
            {
                "x_location": rng.random(ROW_GROUP, np.float32) * np.float32(SIDE_UM),
                "y_location": rng.random(ROW_GROUP, np.float32) * np.float32(SIDE_UM),
                "qv": rng.random(ROW_GROUP, np.float32) * np.float32(60),
                "feature_name": pa.DictionaryArray.from_arrays(gene, names).cast(pa.string()),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()
    yield path
    path.unlink()


@pytest.mark.benchmark(group="100 million transcripts, streamed in a fresh process")
def test_streaming(benchmark, file):
    def fresh():
        command = [sys.executable, __file__, str(file)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    found = benchmark.pedantic(fresh, rounds=1)
    benchmark.extra_info.update(found, file_mib=file.stat().st_size >> 20)
    assert found["read"] == STREAMED
    assert found["peak_mib"] < 1024


def peak_mib():
    """Largest resident memory of this program; getrusage would include what its parent held at the fork."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


def main(path):
    import time

    from pytest_stbench.data.readers.transcripts import open_transcripts

    started = time.perf_counter()
    binned = bin_all(open_transcripts(path))
    report = {
        "read": binned.notes["transcripts_read"],
        "kept": binned.notes["transcripts_kept"],
        "units": len(binned.units.ids),
        "seconds": round(time.perf_counter() - started, 2),
        "peak_mib": peak_mib(),
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
