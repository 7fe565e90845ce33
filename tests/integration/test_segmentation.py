"""Masks of models in this process and of models elsewhere, scored tile by tile."""

from __future__ import annotations

import runpy
import sys

import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main

TASK = {
    "family": "segmentation",
    "datasets": {
        "sim": {
            "params": {
                "resolution": "cell",
                "patients": 2,
                "units": 150,
                "genes": 60,
                "image": True,
            },
            "technology": "Xenium",
            "resolution": "cell",
        }
    },
    "preprocess": None,
    "imputation": None,
    "segmentation": {"object": "nucleus", "tile_px": 256, "max_tiles": 2},
    "metrics": ["pq", "dice"],
    "claim": "exploratory",
}

MODELS = '''
import numpy as np
import pytest
from skimage.measure import label


class Dark:
    """Dark pixels; how dark is learned from the true nuclei of training tiles."""

    name = "dark"
    revision = "1"

    def fit(self, train, task):
        tiles = [tile for slide in train for tile in slide.tiles()]
        assert tiles and all(region.shape == mask.shape for region, mask in tiles)
        inside = np.concatenate([region.image[mask > 0].mean(axis=1) for region, mask in tiles])
        outside = np.concatenate([region.image[mask == 0].mean(axis=1) for region, mask in tiles])
        self.level = (np.median(inside) + np.median(outside)) / 2

    def segment(self, slide, region):
        assert slide.n_units == 0 and region.kind == "nucleus"
        return label(region.image.mean(axis=2) < self.level, connectivity=1)


class Foreground:
    name = "foreground"
    revision = "1"

    def segment(self, slide, region):
        return region.image.mean(axis=2) < 150


@pytest.fixture
def dark():
    return Dark


@pytest.fixture
def foreground():
    return Foreground
'''

ELSEWHERE = """
import pathlib, sys
import numpy as np
from skimage.measure import label

source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
for facts in source.rglob("task.json"):
    fold = facts.parent
    inside, outside = [], []
    for path in sorted((fold / "train").glob("*.npz")):
        tile = np.load(path)
        grey = tile["image"].mean(axis=2)
        inside.append(grey[tile["mask"] > 0])
        outside.append(grey[tile["mask"] == 0])
    level = (np.median(np.concatenate(inside)) + np.median(np.concatenate(outside))) / 2
    masks = {}
    for path in sorted((fold / "test").glob("*.npz")):
        assert "mask" not in np.load(path)
        slide, tile = path.stem.split("+")
        grey = np.load(path)["image"].mean(axis=2)
        masks.setdefault(slide, {})[tile] = label(grey < level, connectivity=1).astype(np.int32)
    where = out / fold.relative_to(source)
    where.mkdir(parents=True)
    for slide, tiles in masks.items():
        np.savez_compressed(where / f"{slide}.npz", **tiles)
"""


@pytest.fixture(scope="module")
def bench(make_bench):
    bench = make_bench()
    bench.write("conftest.py", MODELS)
    bench.task(**TASK)
    return bench


def test_a_model_learns_from_tiles_and_is_scored_beside_the_baselines(bench):
    run = bench.run("--stbench-model=dark", "-k", "contract or pq or dice")
    assert {run.outcome(name) for name in run.names if name.startswith("contract")} == {"passed"}
    assert 0.3 < run.properties("pq[sim-lopo]")["stbench.value"] < 1
    assert run.properties("dice[sim-lopo]")["stbench.value"] > 0.8


def test_foreground_without_instances_fails_the_contract(bench):
    run = bench.run("--stbench-model=foreground", "-k", "contract")
    assert {run.outcome(name) for name in run.names if name.startswith("contract")} == {"failed"}
    assert "tell instances apart, for example by skimage.measure.label" in run.out


def test_masks_made_elsewhere_give_the_same_numbers(bench, monkeypatch):
    done = CliRunner().invoke(
        main, ["export-inputs", str(bench.folder / "mini.stbench.yaml"), str(bench.folder / "inputs")]
    )
    assert done.exit_code == 0, done.output
    script = bench.write("elsewhere.py", ELSEWHERE)
    monkeypatch.setattr(sys, "argv", [str(script), str(bench.folder / "inputs"), str(bench.folder / "out")])
    runpy.run_path(str(script))
    here = bench.run("--stbench-model=dark", "-k", "pq")
    there = bench.run(f"--stbench-model=predictions:{bench.folder / 'out'}", "-k", "pq")
    names = [name for name in here.names if name.startswith("pq")]
    assert names
    assert [there.properties(n)["stbench.value"] for n in names] == [
        here.properties(n)["stbench.value"] for n in names
    ]
