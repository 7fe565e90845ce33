"""Any vision encoder of lazyslide-models by its key: ``lazyslide:uni2``, ``lazyslide:virchow2``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pytest_stbench.adapters import PatchEncoder
from pytest_stbench.models.weights import known_only, loading, local_file, refuse_code_of_others

NEEDS, EXTRA, LICENCE = {"lazyslide_models": "lazyslide-models", "torch": "torch"}, "image", None


def model(which: str) -> PatchEncoder:
    """Return the encoder with its own transform; one that runs code of a hub is refused."""
    from lazyslide_models import MODEL_REGISTRY, ImageModel, TimmModel

    known = [key for key, one in MODEL_REGISTRY.items() if issubclass(one, ImageModel | TimmModel)]
    known_only("lazyslide-models", which, known)
    kind, file = MODEL_REGISTRY[which], local_file(which)
    refuse_code_of_others(f"lazyslide:{which}", kind)
    found = PatchEncoder(_net(which, str(file or "")), mean=(0, 0, 0), std=(1 / 255,) * 3)  # as bytes
    terms = {"licence": str(kind.license), "commercial": kind.commercial, "gated": kind.is_gated}
    vars(found).update(weights=file.digest if file else kind.hf_url, **terms)
    return found


@lru_cache(maxsize=1)  # folds share it: nobody trains it
def _net(which: str, file: str) -> Any:
    import torch
    from lazyslide_models import MODEL_REGISTRY

    with loading(f"lazyslide:{which}"):
        card = MODEL_REGISTRY[which](**({"model_path": file} if file else {}))
    net, transform = torch.nn.Sequential(card.model), card.get_transform()
    net.forward = lambda pixels: card.encode_image(transform(pixels.byte()))
    return net
