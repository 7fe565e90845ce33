from .images import PatchEncoder as PatchEncoder, Segmenter as Segmenter
from .imputer import Imputer as Imputer
from .labeller import Labeller as Labeller
from .training_cells import reference as reference
