from .build import build_input as build_input, build_train as build_train, build_truth as build_truth
from .dataset import Dataset as Dataset
from .gene_lists import read_gene_list as read_gene_list
from .image import Image as Image
from .input_image import InputImage as InputImage
from .inputs import (
    ModelSlide as ModelSlide,
    TaskInfo as TaskInfo,
    TrainSlide as TrainSlide,
    TruthSlide as TruthSlide,
    digest as digest,
)
from .samples import load_samples as load_samples
from .slide import Slide as Slide, SlideMeta as SlideMeta
