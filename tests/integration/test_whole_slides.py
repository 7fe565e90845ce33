"""Nothing that looks at images decodes a whole slide; tasks on slides that are read in parts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import anndata
import h5py
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from scipy.sparse import csr_matrix
from tests.unit.data.images.slides import JPEG, tissue, write_pyramid
from tests.unit.data.readers.bundles import write_xenium

from pytest_stbench.baselines.he_colour import HeColour
from pytest_stbench.checks.image_fit import image_fit
from pytest_stbench.cli import main
from pytest_stbench.cli.patch_files import write_patches
from pytest_stbench.data.build import build_input
from pytest_stbench.data.image import Image
from pytest_stbench.data.images.tiff import TiffPyramid
from pytest_stbench.data.images.tile_cache import TILES
from pytest_stbench.data.readers.patches import image_of_patches
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.families.robustness.perturbations import PERTURBATIONS
from pytest_stbench.families.segmentation.declare import Segmentation
from pytest_stbench.families.segmentation.tiles import region_of, tiles_of
from pytest_stbench.kernels.streams import stream
from pytest_stbench.run.details.tissue_image import small_image

SIDE, TILE, MPP = 2048, 128, 0.5
UNITS = 64
TILES_OF_LEVEL_0 = (SIDE // TILE) ** 2


def write(path, seed=0):
    """A slide of five levels: pink noise with a dark blot around each unit."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(170, 230, (SIDE, SIDE, 3)).astype(np.uint8)
    for x, y in places().astype(int):
        pixels[y - 9 : y + 9, x - 9 : x + 9] = [90, 50, 140]
    with tifffile.TiffWriter(path) as file:
        for level in range(5):
            file.write(
                pixels[:: 2**level, :: 2**level].copy(), tile=(TILE, TILE), photometric="rgb",
                compression="zlib", metadata=None, subfiletype=int(level > 0),
            )  # fmt: skip
    return path


def places():
    x, y = np.meshgrid(np.linspace(150, 500, 8), np.linspace(150, 500, 8))
    return np.column_stack([x.ravel(), y.ravel()])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("slides") / "slide.tif")


@pytest.fixture
def slide(path):
    xy = places()
    rng = np.random.default_rng(1)
    counts = csr_matrix(rng.poisson(3, (UNITS, 20)))
    return Slide(
        meta=SlideMeta(slide_id="A1", resolution="spot"), unit_names=np.arange(UNITS).astype(str),
        genes=np.arange(20).astype(str), measured=np.ones(20, bool), counts=counts,
        libsize=np.asarray(counts.sum(axis=1)).ravel(), n_detected=np.ones(UNITS, np.int64),
        xy_um=xy * MPP, xy_px=xy, image=Image(path, mpp=MPP),
    )  # fmt: skip


@pytest.fixture
def decoded(monkeypatch):
    """Tiles of level 0 that were decoded, in order."""
    TILES.forget()
    found = []
    real = TiffPyramid._tile

    def counted(self, descriptor, level, *at):
        if not level:
            found.append(at)
        return real(self, descriptor, level, *at)

    monkeypatch.setattr(TiffPyramid, "_tile", counted)
    return found


def given(slide):
    return build_input(slide, observed=None, with_image=True, with_embedding=False)


def twin(slide):
    """The slide with its image in memory."""
    return replace(slide, image=Image.from_array(slide.image.pixels(), mpp=MPP))


def test_colours_of_patches(slide, decoded):
    found = HeColour().features(given(slide))
    assert len(decoded) == len(set(decoded)), "each tile once"
    assert len(decoded) < TILES_OF_LEVEL_0 / 4
    np.testing.assert_array_equal(found, HeColour().features(given(twin(slide))))


def test_the_check_of_places_reads_small_levels(slide, decoded):
    found = image_fit(slide, slide.xy_px, 0.8)
    assert not decoded
    assert found.outside == 0
    assert found.scale == pytest.approx(1)
    assert found.rank is not None


@pytest.mark.parametrize("mpp", [None, 0.3])
def test_tiles_of_segmentation(slide, decoded, mpp):
    block = Segmentation(tile_px=256, mpp=mpp)
    tiles = tiles_of(slide, block)
    found = region_of(slide, tiles[0], "nucleus")
    assert 0 < len(decoded) <= 9
    expected = region_of(twin(slide), tiles[0], "nucleus")
    assert np.abs(found.image.astype(int) - expected.image).max() <= 1


def test_perturbations_are_those_of_patches(slide, decoded):
    original = given(slide)
    for change in PERTURBATIONS:
        if change.needs == "image":
            changed = change.change(original, stream(0, change.name))
            assert changed.patches(size=32, mpp=MPP, units=[0]).shape == (1, 32, 32, 3)
    assert len(set(decoded)) <= 4


def test_the_small_image_of_a_report(slide, decoded):
    found, scale = small_image(slide)
    assert len(decoded) < TILES_OF_LEVEL_0 / 4, "what the units cover"
    expected, other = small_image(twin(slide))
    assert scale == other
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 12, "of noise, sampled and averaged"


def test_patches_are_written_as_hest_reads_them(slide, decoded, tmp_path):
    lost = slide.xy_px.copy()
    lost[5] = np.nan
    image = slide.image.input(lost)
    write_patches(image, slide.unit_names, tmp_path / "A1.h5")
    assert len(decoded) == len(set(decoded)) < TILES_OF_LEVEL_0 / 4
    with h5py.File(tmp_path / "A1.h5") as file:
        assert file["img"].shape == (UNITS - 1, 224, 224, 3)
        assert file["img"].chunks == (1, 224, 224, 3)
        np.testing.assert_array_equal(file["img"][()], np.delete(image.patches(224, 0.5), 5, axis=0))
        np.testing.assert_array_equal(file["coords"][0], [150 - 112, 150 - 112])
    back, _, without = image_of_patches(tmp_path / "A1.h5", slide.unit_names, slide.xy_um, MPP)
    assert (back.mpp, without) == (0.5, 1)


def test_inputs_of_whole_slides_are_exported_as_patches(tmp_path, make_bench):
    bench = make_bench("slides")
    names = [f"P{number}" for number in range(4)]
    (bench.folder / "data").mkdir()
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        data = anndata.AnnData(csr_matrix(rng.poisson(3, (UNITS, 30)).astype(np.float32)))
        data.obs_names, data.var_names = [f"u{i}" for i in range(UNITS)], [f"G{i}" for i in range(30)]
        data.obsm["spatial"] = places() * MPP
        data.obsm["px"] = places()
        data.write_h5ad(bench.folder / "data" / f"{name}.h5ad")
        write(bench.folder / "data" / f"{name}.tif", number)
    bench.write("samples.csv", "slide,patient\n" + "".join(f"{name},{name}\n" for name in names))
    task = bench.task(
        "mini", family="expression", imputation=None, metrics=["pearson_gene"], splits=[{"pgkf": {"k": 2}}],
        preprocess={"genes": {"select": "all"}},
        datasets={"sim": None, "own": {
            "source": "h5ad", "path": "data/*.h5ad", "samples": "samples.csv",
            "image": {"path": "data/{slide}.tif", "um_per_px": MPP, "spatial": "px"},
        }},
    )  # fmt: skip
    done = CliRunner().invoke(main, ["export-inputs", str(task), str(bench.folder / "inputs")])
    assert done.exit_code == 0, done.output
    inputs = bench.folder / "inputs"
    assert not (inputs / "images").exists()
    files = sorted(inputs.rglob("patches/*.h5"))
    assert len(files) == 8, "four slides in two folds"
    assert len({file.stat().st_ino for file in files}) == 4, "each written once"
    fold = files[0].parent.parent
    units = anndata.read_h5ad(next(fold.rglob(f"t*/{files[0].stem}.h5ad")))
    with h5py.File(files[0]) as file:
        assert [name.decode() for name in file["barcode"][:, 0]] == units.obs_names.tolist()
        middle = file["coords"][()] + file["img"].attrs["patch_size_src"] / 2
        assert np.abs(middle - units.obsm["image"]).max() <= 0.5


PAGE = Path(__file__).parents[2] / "docs" / "images.md"
CELLS, UM, MARGIN_UM = 60, 0.25, 100.0
TORCH = """
import numpy as np
import pytest
import torch


class Net:
    def __init__(self):
        torch.manual_seed(0)
        self.network = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 7, stride=4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2),
            torch.nn.Flatten(),
        ).eval()

    def encoder(self, patches):
        with torch.inference_mode():
            return self.network(torch.from_numpy(patches).permute(0, 3, 1, 2).float() / 255).numpy()

{embed}

@pytest.fixture
def net():
    return Net
"""


@pytest.fixture(scope="module")
def of_bundles(make_bench):
    """Bundles of cells with an H&E in JPEG tiles whose corner lies beside theirs, and two tasks on them."""
    bench = make_bench("bundles")
    names = ["P0", "P1"]
    per_px = 0.2125  # of the morphology image, as the bundles say
    corner = -50 - MARGIN_UM
    rows = [(UM / per_px, 0, corner / per_px), (0, UM / per_px, corner / per_px), (0, 0, 1)]
    for seed, name in enumerate(names):
        write_xenium(bench.folder / "bundles" / name, seed=seed, n_cells=CELLS)
        size = {"PhysicalSizeX": UM, "PhysicalSizeY": UM}
        path = bench.folder / f"{name}.ome.tif"
        write_pyramid(path, tissue(2048, 2048, seed), levels=4, side=256, compression=JPEG, ome=size)
        np.savetxt(bench.folder / f"{name}.csv", rows, delimiter=",")
    bench.write("samples.csv", "slide,patient\n" + "".join(f"{name},{name}\n" for name in names))
    own = {
        "source": "xenium", "path": "bundles/*", "samples": "samples.csv", "technology": "Xenium",
        "resolution": "cell", "panel": "breast", "organ": "breast", "disease": "carcinoma",
        "preservation": "FFPE", "image": {"path": "{slide}.ome.tif", "alignment": "{slide}.csv"},
    }  # fmt: skip
    waived = ("panel_mismatch", "housekeeping_only_panel", "ubiquitous_low_variability", "no_spatial_signal")
    shared = {
        "imputation": None, "claim": "exploratory", "datasets": {"sim": None, "own": own},
        "checks": {name: {"waive": True, "reason": "a made-up panel of four genes"} for name in waived},
    }  # fmt: skip
    low = {"min_counts": 1, "min_genes": 1}
    bench.task(
        "slides-expression", shared, family="expression", metrics=["pearson_gene"],
        preprocess={"genes": {"select": "all"}, "filter": low},
    )  # fmt: skip
    bench.task(
        "slides-segmentation", shared, family="segmentation", metrics=["pq"],
        preprocess={"genes": None, "filter": low}, segmentation={"object": "cell", "max_tiles": 2},
    )  # fmt: skip
    return bench


def answered(run):
    """Whether the model was asked for both slides, kept the contract and has a score."""
    items = [f"{what}[own-lopo-P{k}]" for what in ("contract", "pearson_gene", "pq") for k in (0, 1)]
    asked = [name for name in items if name in run.names]
    assert len(asked) == 4, run.out
    return {run.outcome(name) for name in asked} == {"passed"}


def test_a_task_of_expression_runs_on_slides_in_tiles(of_bundles):
    run = of_bundles.run("slides-expression.stbench.yaml", "--stbench-model=ridge")
    assert answered(run), run.out


def test_a_task_of_segmentation_runs_on_slides_in_tiles(of_bundles, decoded):
    run = of_bundles.run("slides-segmentation.stbench.yaml", "--stbench-model=otsu_watershed")
    assert answered(run), run.out
    assert decoded


def test_a_net_of_torch_runs_on_slides_in_tiles(of_bundles):
    pytest.importorskip("torch")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (embed,) = [block for block in blocks if block.startswith("def embed")]
    indented = "".join(f"    {line}\n" for line in embed.splitlines())
    of_bundles.conftest(TORCH.format(embed=indented))
    run = of_bundles.run("slides-expression.stbench.yaml", "--stbench-model=net")
    assert answered(run), run.out
