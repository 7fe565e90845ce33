"""How coordinates of h5ad files become um, and the images beside the files."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from pytest_stbench.data.propose import vocabulary
from pytest_stbench.data.technology import lattice_of
from pytest_stbench.data.wording import listing

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.data.propose.h5ad import H5adFacts
    from pytest_stbench.data.propose.proposal import Proposal

TOLERANCE = 0.2
CELL_SPACING_UM = (2.0, 60.0)


def add_scale(proposal: Proposal, files: list[H5adFacts]) -> None:
    """Find how coordinates become um: said by the file, or from the pitch of the lattice."""
    keys = [key for key in vocabulary.SCALE if all(key in facts.scales for facts in files)]
    lattice = lattice_of(proposal.dataset.get("technology"), proposal.resolution)
    spacing = median(facts.spacing for facts in files)
    if keys:
        proposal.dataset["scale"] = {"um_per_px": f"uns:{keys[0]}"}
    elif any(facts.scales for facts in files):
        having = [facts.path.stem for facts in files if facts.scales]
        proposal.missing["scale"] = (
            f"only some files say um per px in uns ({listing(having)}): those left are taken as um"
        )
    elif lattice is not None and files[0].spatial is not None:
        ratios = [lattice.pitch_um / facts.spacing for facts in files]
        if max(ratios) > min(ratios) * (1 + TOLERANCE):
            proposal.missing["scale"] = (
                f"um per unit of the coordinates; by the pitch of {lattice.pitch_um:g} um it differs "
                "between files, "
                f"{min(ratios):.4g} to {max(ratios):.4g}: write it into uns['um_per_px'] of each"
            )
        elif abs(median(ratios) - 1) > TOLERANCE:
            proposal.dataset["scale"] = {"um_per_px": float(f"{median(ratios):.4g}")}
            proposal.remarks["scale"] = (
                f"from the pitch: neighbouring centres are {spacing:.4g} apart, which is "
                f"{lattice.pitch_um:g} um"
            )
    elif files[0].spatial is not None:
        low, high = CELL_SPACING_UM
        plausible = "plausible" if low <= spacing <= high else "NOT PLAUSIBLE for cells in um"
        proposal.missing["scale"] = (
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
