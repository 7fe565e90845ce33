"""Any image encoder of timm by its name: ``timm:resnet18.a1_in1k``, ``timm:hf-hub:OWNER/NAME``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pytest_stbench.adapters import PatchEncoder
from pytest_stbench.models.weights import known_only, loading, local_file

NEEDS, EXTRA, LICENCE = {"timm": "timm", "torch": "torch"}, "image", None


def model(which: str) -> PatchEncoder:
    """Return the encoder, as its pretrained configuration says; patches are 0.5 um a pixel."""
    file = local_file(which)
    net = _net(which, str(file or ""))
    said: dict[str, Any] = net.pretrained_cfg
    found = PatchEncoder(net, said["input_size"][-1], mean=said["mean"], std=said["std"])
    vars(found).update(licence=said.get("license"), weights=file.digest if file else said.get("hf_hub_id"))
    vars(found).update(pretraining=("ImageNet",) if re.search("[._]in(1|12|21|22)k", which) else None)
    return found


@lru_cache(maxsize=1)  # folds share it: nobody trains it
def _net(which: str, file: str) -> Any:
    import timm

    if not which.startswith("hf-hub:"):
        known_only("timm", which.partition(".")[0], timm.list_models())
    given = {"pretrained_cfg_overlay": {"file": file, "hf_hub_id": None}} if file else {}
    with loading(f"timm:{which}"):
        return timm.create_model(which, pretrained=True, num_classes=0, **given)
