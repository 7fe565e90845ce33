from .known_truth import latent as latent, truth as truth
from .source import open_source as open_source
from .table import simulated_samples as simulated_samples
