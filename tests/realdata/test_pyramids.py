"""H&E of her2st as pyramids in tiles, as scanners write them: the scores are those of the JPEG files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PillowImage
from tests.unit.data.images.slides import JPEG, write_pyramid

import pytest_stbench

SLIDES = ("A1", "A2", "B4", "C2", "C3", "C4", "C5", "C6")
"""The sections that have an image, of three patients."""

MOST = 0.005
MOST_OF_RMSE = 0.02
TASK = """\
stbench: 1
name: {name}
version: 1
family: expression
claim: exploratory
datasets:
  her2st:
    source: h5ad
    path: her2st/sections/*.h5ad
    samples: her2st/samples.csv
    slides: [A1, A2, B4, C2, C3, C4, C5, C6]
    keys: {{patient: patient, slide: sample}}
    scale: {{um_per_px: "uns:um_per_px"}}
    image: {{path: "{path}", um_per_px: "uns:image.um_per_px", spatial: spatial_image, mpp: 3.25}}
    technology: ST
    resolution: spot
    panel: whole_transcriptome
    organ: breast
    disease: HER2+ carcinoma
    preservation: fresh_frozen
    absent_gene: zero
splits: [lopo]
preprocess:
  genes: {{select: svg, n: 50, min_detection: 0.1}}
metrics: [pearson_gene, spearman_gene, rmse]
baselines: []
"""


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """A folder of data with both kinds of images, and a task on each."""
    found = tmp_path_factory.mktemp("pyramids")
    own = found / "her2st"
    (own / "pyramids").mkdir(parents=True)
    for part in ("sections", "images", "samples.csv"):
        (own / part).symlink_to(data / "her2st" / part)
    for name in SLIDES:
        with PillowImage.open(own / "images" / f"{name}.jpg") as picture:
            pixels = np.asarray(picture)
        write_pyramid(
            own / "pyramids" / f"{name}.tif", pixels, levels=4, side=256, compression=JPEG, quality=90
        )
    for kind, suffix in (("images", "jpg"), ("pyramids", "tif")):
        text = TASK.format(name=kind, path=f"her2st/{kind}/{{slide}}.{suffix}")
        (found / f"{kind}.stbench.yaml").write_text(text)
    return found


@pytest.mark.filterwarnings("ignore")
def test_pyramids_give_the_scores_of_the_images_they_are_made_of(folder):
    of = {}
    for kind in ("images", "pyramids"):
        run = pytest_stbench.evaluate(folder / f"{kind}.stbench.yaml", "ridge", store=folder / "store")
        scores = run.to_frame().query("role == 'model'").set_index("metric").value
        of[kind] = scores.astype(float)
    assert sorted(of["images"].index) == ["pearson_gene", "rmse", "spearman_gene"]
    assert of["images"]["pearson_gene"] > 0.1, "colours say something here"
    change = (of["images"] - of["pyramids"]).abs()
    assert 0 < change.drop("rmse").max() < MOST, of
    # Edges are changed by compressing anew and by smaller levels, and with them how high predictions lie.
    assert 0 < change["rmse"] < MOST_OF_RMSE * of["images"]["rmse"], of
