"""How coordinates of h5ad files become um, and the images beside the files."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from pytest_stbench.data.propose import vocabulary
from pytest_stbench.data.propose.h5ad_keys import scale_of
from pytest_stbench.data.technology import lattice_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.data.propose.h5ad import H5adFacts
    from pytest_stbench.data.propose.proposal import Proposal
    from pytest_stbench.data.technology import Lattice

CELL_SPACING_UM = (2.0, 60.0)


def add_scale(proposal: Proposal, files: list[H5adFacts], by: str | None) -> None:
    """Find how coordinates become um, and how far apart neighbours are: what the files say.

    Raises ``DataError`` where a file says two sizes of one unit.
    """
    lattice = lattice_of(proposal.dataset.get("technology"), proposal.resolution)
    if files[0].place is None or files[0].place.get("spatial", "") is None:
        return
    pitches = {facts.pitch_um() for facts in files}
    if len(pitches) == 1 and (pitch := pitches.pop()) is not None and lattice is None:
        proposal.dataset["pitch_um"] = float(f"{pitch:.6g}")
    try:
        scale, remark = scale_of(files, by, lattice)
    except LookupError as error:
        proposal.missing["scale"] = _unsaid(files, by, lattice, str(error))
        return
    if scale is not None:
        proposal.dataset["scale"] = scale
    if remark is not None:
        proposal.remarks["scale"] = remark


def _unsaid(files: list[H5adFacts], by: str | None, lattice: Lattice | None, having: str) -> str:
    """Return what is to be done where not every file says its unit."""
    if having:
        return f"only some slides say um per unit ({having}): those left are taken as um"
    spacing = median(facts.spacing(by) for facts in files)
    if lattice is not None:
        return (
            f"um per unit of the coordinates: neighbours are {spacing:.4g} apart (median), and do not lie as "
            f"on a lattice of {lattice.pitch_um:g} um, so it cannot be told"
        )
    low, high = CELL_SPACING_UM
    plausible = "plausible" if low <= spacing <= high else "NOT PLAUSIBLE for cells in um"
    return (
        f"left out, so coordinates are taken as um: the nearest neighbour is {spacing:.3g} away "
        f"(median), {plausible}"
    )


def add_image(proposal: Proposal, files: list[H5adFacts], by: str | None, root: Path) -> None:
    """Declare the images beside the files where every slide has one with a known scale."""
    slides = [row.slide for row in proposal.rows]
    homes = dict.fromkeys(facts.path.parent for facts in files)
    places = [place for home in homes for place in (home, home / "images", home.parent / "images")]
    for place in places:
        for suffix in vocabulary.IMAGES:
            having = [slide for slide in slides if (place / f"{slide}.{suffix}").is_file()]
            if not having or not place.is_relative_to(root):
                continue
            path = (place.relative_to(root) / f"{{slide}}.{suffix}").as_posix()
            wanted = [facts for facts in files if set(facts.slides_by(by)) & set(having)]
            scales = {facts.image_scale for facts in wanted}
            spatial = next(
                (name for name in ("spatial_image",) if all(name in facts.obsm for facts in wanted)),
                "spatial",
            )
            scale = scales.pop() if len(scales) == 1 else None
            if len(having) < len(slides):
                proposal.notes.append(
                    f"images of {len(having)} of {len(slides)} slides ({path}): a task on expression from "
                    "H&E is one more "
                    f"file, with `slides: [{', '.join(having)}]` and `image:`"
                )
            elif scale is None:
                proposal.missing["image"] = f"{path} is there; its um per px is not known, so it is not used"
            else:
                proposal.image = True
                proposal.dataset["image"] = {"path": path, "um_per_px": f"uns:{scale}", "spatial": spatial}
            return
