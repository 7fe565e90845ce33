from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.data.binning.source import BinnedSource
from pytest_stbench.data.image import Image
from pytest_stbench.errors import DataError


@pytest.fixture
def slide(cells):
    """Cells 20 um apart on 600 x 450 um, of two types: the left half is type a."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(0, 601, 20.0), np.arange(0, 451, 20.0)))
    types = np.where(x < 300, "a", "b").astype(object)
    types[::7] = None
    return cells(
        np.column_stack([x, y]),
        xy_px=np.column_stack([x, y]) * 2 + 5,
        image=Image(lambda: np.zeros((9, 9, 3), np.uint8), mpp=0.5),
        embedding=np.zeros((len(x), 3), np.float32),
        labels={"cell_type": types, "niche": np.full(len(x), "n", dtype=object)},
        notes={"duplicate_symbols_summed": 1},
    )


def test_transcripts_are_binned_and_cells_described(slide, source, uniform, spec):
    drawn = uniform()
    native = replace(slide, transcripts=drawn, segmentations={"cell": object()})
    raw = BinnedSource(source(native), spec("visium")).read("s")
    assert raw.transcripts is drawn
    assert raw.segmentations is native.segmentations
    assert raw.embedding is None
    assert raw.image is native.image
    assert raw.pitch_um == 100.0
    assert raw.genes.tolist() == ["A", "B"]
    assert raw.unit_names.tolist() == [f"{r}x{c}" for r, c in raw.array_index]
    assert raw.xy_px == pytest.approx(raw.xy_um * 2 + 5)
    assert raw.counts.dtype == np.int32
    assert raw.counts.sum() == raw.notes["transcripts_kept"] == raw.measures["transcripts"].sum()
    assert set(raw.measures) == {"tissue_share", "area_um2", "transcripts", "cells", "type:a", "type:b"}
    assert raw.measures["cells"].sum() == raw.notes["cells_kept"] > 0
    assert raw.notes["cells_kept"] + raw.notes["cells_outside_units"] == raw.notes["cells_read"] == 713
    assert raw.notes["duplicate_symbols_summed"] == 1
    left, right = raw.xy_um[:, 0] < 250, raw.xy_um[:, 0] > 350
    assert set(raw.labels["cell_type"][left]) == {"a"}
    assert set(raw.labels["cell_type"][right]) == {"b"}
    assert (raw.measures["type:a"][left] == 1).all()
    assert raw.measures["type:a"] + raw.measures["type:b"] == pytest.approx(1.0)
    assert all(len(values) == len(raw.xy_um) for values in raw.measures.values())


def test_cells_are_binned_where_there_are_no_transcripts(slide, source, spec):
    raw = BinnedSource(source(slide), spec("square", size_um=100, min_tissue=0)).read("s")
    assert raw.counts.sum() == slide.counts.sum()
    assert raw.measures["cells"].sum() == 713
    assert raw.pitch_um == 100.0
    assert raw.array_index.min() == 0
    assert raw.notes["cells_outside_units"] == 0


def test_fractional_counts_stay(slide, source, spec):
    raw = BinnedSource(source(replace(slide, counts=slide.counts * 0.5)), spec("tiled")).read("s")
    assert raw.counts.dtype == np.float64


def test_a_slide_of_transcripts_alone_has_no_cell_measures(cells, source, uniform, spec):
    native = cells(np.empty((0, 2)), transcripts=uniform())
    raw = BinnedSource(source(native), spec("tiled")).read("s")
    assert set(raw.measures) == {"tissue_share", "area_um2", "transcripts"}
    assert raw.xy_px is None


def test_what_a_source_says_is_passed_on(slide, source, spec):
    binned = BinnedSource(source(slide), spec())
    assert binned.genes("s") == ("A", "B")
    assert binned.offers() == {"image", "transcripts"}
    assert binned.files("s") == ()


def test_the_fingerprint_holds_every_parameter(slide, source, spec):
    variants = [
        spec(), spec("tiled"), spec("square", size_um=8), spec("square", size_um=16), spec(min_qv=10),
        spec(min_tissue=0.4), spec(origin_um=(1, 0)), spec(origin_um=(0, 1)),
    ]  # fmt: skip
    found = {BinnedSource(source(slide), one).fingerprint() for one in variants}
    assert len(found) == len(variants)
    assert all(text.startswith("memory/1\nbinning/1 tissue/1 ") for text in found)


@pytest.mark.parametrize(
    ("change", "native", "message"),
    [
        ({}, "spot", "declared as resolution 'spot' and it has no transcripts; leave out `bin`"),
        ({}, "bin", "declared as resolution 'bin'"),
        ({"transcripts": True}, "spot", "declared as resolution 'spot'; leave out `bin`"),
        ({"pitch_um": 100.0}, None, "slide s: .*its units stand on a lattice, as spots or bins do"),
        ({"array_index": True}, None, "its units stand on a lattice"),
    ],
)
def test_units_that_are_no_cells_are_refused(slide, source, uniform, spec, change, native, message):
    if "transcripts" in change:
        change = {"transcripts": uniform()}
    if "array_index" in change:
        change = {"array_index": np.zeros((713, 2), np.int64)}
    binned = BinnedSource(source(replace(slide, **change)), spec(), {"s": native})
    with pytest.raises(DataError, match=message):
        binned.read("s")


def test_cells_that_are_declared_as_such_are_binned(slide, source, spec):
    native = replace(slide, array_index=np.zeros((713, 2), np.int64))
    assert len(BinnedSource(source(native), spec(), {"s": "cell"}).read("s").unit_names)
