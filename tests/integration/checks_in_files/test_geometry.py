"""Section 5 of the checks: coordinates, lattices, resolutions, images."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

LAST = "P06S1"
DISC_UM2 = np.pi * 27.5**2


def places(function):
    """Coordinates of one slide are something else."""

    def move(adata):
        adata.obsm["spatial"] = function(adata.obsm["spatial"].copy())

    return lambda files: files.change([LAST], move)


def scaled(factor):
    return places(lambda xy: xy * factor)


def one_nan(xy):
    xy[17, 0] = np.nan
    return xy


def array_indices(xy):
    return np.column_stack([xy[:, 0] // 50, xy[:, 1] // 86])


def xisium(*changes):
    """Spots formed of transcripts, with the fields that a file of ``stbench bin`` has."""

    def damage(files):
        def describe(adata):
            total = np.asarray(adata.X.sum(axis=1)).ravel()
            adata.obs["area_um2"] = DISC_UM2
            adata.obs["tissue_share"] = 1.0
            adata.obs["transcripts"] = total
            adata.uns["bin"] = {"geometry": "visium", "pitch_um": 100.0, "origin_um": np.zeros(2)}

        files.change(files.slides, describe)
        files.data.update(technology="Xenium", resolution="xisium")
        for change in changes:
            change(files)

    return damage


def obs(column, function):
    """A column of one slide is something else."""

    def change(adata):
        adata.obs[column] = function(adata.obs[column].to_numpy().copy())

    return lambda files: files.change([LAST], change)


def tiled(**said):
    """Gapless hexagons of 55 um, as ``stbench bin --geometry tiled`` writes them."""

    def damage(files):
        def shrink(adata):
            adata.obsm["spatial"] = adata.obsm["spatial"] * 0.55
            adata.obs["area_um2"] = 55.0**2 * np.sqrt(3) / 2
            adata.uns["bin"] = {"geometry": "tiled", "pitch_um": 55.0, "origin_um": np.zeros(2)}

        xisium()(files)
        files.change(files.slides, shrink)
        files.data.update(said)

    return damage


def square(xy):
    side = int(np.ceil(np.sqrt(len(xy))))
    row, column = np.divmod(np.arange(len(xy)), side)
    return np.column_stack([column, row]) * 100.0


def jitter(spread):
    return places(lambda xy: xy + np.random.default_rng(17).normal(0, spread, xy.shape))


def turned(xy):
    angle = 0.4
    return xy @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) + 2000


def little_tissue(share):
    def change(values):
        values[: round(share * len(values))] = 0.4
        return values

    return obs("tissue_share", change)


def thinned(slides, factor):
    """Slides are so many times shallower."""

    def thin(matrix, genes):
        return np.random.default_rng(18).binomial(matrix.astype(int), 1 / factor)

    return lambda files: files.counts(slides, thin)


def two_technologies(splits=("lopo",), factor=1.0):
    """Half of the slides are spots of Visium, half are spots formed of Xenium transcripts."""

    def damage(files):
        xisium()(files)
        files.data.pop("technology")
        files.data.pop("resolution")
        files.samples["technology"] = ["Visium", "Xenium"] * 3
        files.samples["resolution"] = ["spot", "xisium"] * 3
        files.task["splits"] = list(splits)
        thinned(files.slides[1::2], factor)(files)

    return damage


def one_of_another_resolution(files):
    two_technologies()(files)
    files.samples["technology"] = ["Visium"] * 5 + ["Xenium"]
    files.samples["resolution"] = ["spot"] * 5 + ["xisium"]


def wider_spots(files):
    """One slide is of another technology: spots at twice the distance."""
    files.data.pop("technology")
    files.samples["technology"] = ["Visium"] * 5 + ["ST"]
    scaled(2.0)(files)


def family(name):
    return lambda files: files.task.update(family=name)


def image(function, slide=LAST):
    """The picture of one slide is something else; function gets its pixels and the spots in them."""

    def damage(files):
        path = files.folder / "images" / f"{slide}.png"
        pixels = np.asarray(Image.open(path)).copy()
        changed = function(pixels, files.read(slide).obsm["spatial_image"])
        path.unlink()
        Image.fromarray(changed).save(path, compress_level=1)

    return damage


def white(share):
    """What lies below this share of the spots is blank glass."""

    def paint(pixels, xy):
        pixels[:, : int(np.quantile(xy[:, 0], share)) + 25] = 242
        return pixels

    return image(paint)


def cropped(share):
    """The picture ends before this share of the spots."""
    return image(lambda pixels, xy: pixels[:, : int(np.quantile(xy[:, 0], 1 - share)) - 5])


def mirrored(files):
    image(lambda pixels, xy: pixels[:, ::-1], "P01S1")(files)


def of_another_section(slide, other):
    """The picture of a slide is that of another patient."""

    def damage(files):
        path = files.folder / "images" / f"{slide}.png"
        path.unlink()
        os.link(files.folder / "images" / f"{other}.png", path)

    return damage


def moved(distance, slide="P01S1"):
    """Spots are put this far below where they are in the picture, um."""

    def move(adata):
        adata.obsm["spatial_image"] = adata.obsm["spatial_image"] + np.array([0, distance / 2.0])

    return lambda files: files.change([slide], move)


def pixel_size(factor):
    """The picture is said to be of other pixels than it has."""

    def damage(files):
        files.data["image"]["um_per_px"] *= factor

    return damage


CASES = [
    ("missing_coords", "one_nan", places(one_nan), "fail", (LAST,)),
    ("missing_coords", "all_zero", places(np.zeros_like), "fail", (LAST,)),
    ("missing_coords", "array_indices", places(array_indices), "fail", (LAST,)),
    ("missing_coords", "pixels", scaled(2.0), "fail", (LAST,)),
    ("missing_coords", "0.79", scaled(0.79), "fail", (LAST,)),
    ("missing_coords", "0.81", scaled(0.81), "pass", ()),
    ("missing_coords", "1.24", scaled(1.24), "pass", ()),
    ("missing_coords", "1.26", scaled(1.26), "fail", (LAST,)),
    ("xisium_geometry", "right", xisium(), "pass", ()),
    ("missing_coords", "tiled", tiled(), "pass", ()),
    ("missing_coords", "tiled_pitch_said", tiled(pitch_um=55), "pass", ()),
    ("xisium_geometry", "tiled", tiled(), "pass", ()),
    ("xisium_geometry", "tiled_pitch_said", tiled(pitch_um=55), "pass", ()),
    ("xisium_geometry", "turned", xisium(places(turned)), "pass", ()),
    ("xisium_geometry", "square", xisium(places(square)), "fail", (LAST,)),
    ("xisium_geometry", "pitch_3_percent", xisium(scaled(1.03)), "fail", (LAST,)),
    ("xisium_geometry", "pitch_1_percent", xisium(scaled(1.01)), "pass", ()),
    ("xisium_geometry", "jitter_3_um", xisium(jitter(3.0)), "fail", (LAST,)),
    ("xisium_geometry", "jitter_0.2_um", xisium(jitter(0.2)), "pass", ()),
    ("xisium_geometry", "area_7_percent", xisium(obs("area_um2", lambda v: v * 1.07)), "fail", (LAST,)),
    ("xisium_geometry", "area_3_percent", xisium(obs("area_um2", lambda v: v * 1.03)), "pass", ()),
    ("xisium_geometry", "half_the_transcripts", xisium(obs("transcripts", lambda v: v / 2)), "fail", (LAST,)),
    ("xisium_geometry", "tissue_35_percent", xisium(little_tissue(0.35)), "warn", (LAST,)),
    ("xisium_geometry", "tissue_25_percent", xisium(little_tissue(0.25)), "pass", ()),
    ("xisium_geometry", "11_times_shallower", two_technologies(("lotech",), 11.0), "warn", ("P02S1",)),
    ("xisium_geometry", "8_times_shallower", two_technologies(("lotech",), 8.0), "pass", ()),
    ("resolution_mismatch", "cell_types_on_spots", family("cell_types"), "fail", ()),
    ("resolution_mismatch", "niches_on_spots", family("niches"), "pass", ()),
    ("resolution_split", "mixed", two_technologies(), "fail", ("xisium",)),
    ("resolution_split", "other_in_test", one_of_another_resolution, "fail", (LAST, "xisium")),
    ("resolution_split", "lotech", two_technologies(("lotech",)), "pass", ()),
    ("resolution_split", "6_times_shallower", thinned([LAST], 6.0), "warn", ("P06",)),
    ("resolution_split", "4_times_shallower", thinned([LAST], 4.0), "pass", ()),
    ("resolution_split", "another_pitch", wider_spots, "warn", ("P06",)),
    ("image_registration", "background_7_percent", white(0.07), "pass", ()),
    ("image_registration", "background_15_percent", white(0.15), "warn", (LAST,)),
    ("image_registration", "background_35_percent", white(0.35), "fail", (LAST,)),
    ("image_registration", "outside_15_percent", cropped(0.15), "warn", (LAST,)),
    ("image_registration", "outside_35_percent", cropped(0.35), "fail", (LAST,)),
    ("image_registration", "mirrored", mirrored, "warn", ("P01S1",)),
    ("image_registration", "another_section", of_another_section(LAST, "P05S1"), "warn", (LAST,)),
    ("image_registration", "section_2_for_4", of_another_section("P04S1", "P02S1"), "warn", ("P04S1",)),
    ("image_registration", "moved_300_um", moved(300), "warn", ("P01S1",)),
    ("image_registration", "moved_20_um", moved(20), "pass", ()),
    ("image_registration", "pixels_7_percent", pixel_size(1.07), "fail", ()),
    ("image_registration", "pixels_3_percent", pixel_size(1.03), "pass", ()),
]  # fmt: skip


def test_defect(files, check, damage, status, named):
    damage(files)
    files.verdict(check, status, *named)


def test_a_slide_without_coordinates_cannot_be_read(files):
    files.change([LAST], lambda adata: adata.obsm.__delitem__("spatial"))
    done = files.command(str(files.save()))
    assert done.exit_code == 2
    assert f"{LAST}.h5ad: obsm has no 'spatial'" in done.output
