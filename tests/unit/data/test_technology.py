from __future__ import annotations

import pytest

from pytest_stbench.data.technology import lattice_of


@pytest.mark.parametrize(
    ("technology", "resolution", "pitch", "expected"),
    [
        ("ST", "spot", None, ("square", 200.0)),
        ("legacy ST", None, None, ("square", 200.0)),
        ("Visium", "spot", None, ("hex", 100.0)),
        ("visium", "spot", 110.0, ("hex", 110.0)),
        ("Visium HD", "bin", None, ("square", 16.0)),
        ("Visium HD", "bin", 8.0, ("square", 8.0)),
        ("Xenium", "xisium", None, ("hex", 100.0)),
        ("Xenium", "xisium", 55.0, ("hex", 55.0)),
    ],
)
def test_known_lattices(technology, resolution, pitch, expected):
    lattice = lattice_of(technology, resolution, pitch)
    assert (lattice.kind, lattice.pitch_um) == expected


@pytest.mark.parametrize(
    ("technology", "resolution"), [("Xenium", "cell"), ("ST", "cell"), (None, None), ("CosMx", None)]
)
def test_no_lattice(technology, resolution):
    assert lattice_of(technology, resolution, 50.0) is None
