from .blocks import within_masks as within_masks
from .filter import filter_units as filter_units
from .fitted import FittedPreprocess as FittedPreprocess, fit_preprocess as fit_preprocess
from .gene_families import share_stem as share_stem, stem as stem
from .genes import GeneSelection as GeneSelection
from .normalise import from_counts as from_counts, normalise_counts as normalise_counts
from .statistics import SlideStatistics as SlideStatistics, slide_statistics as slide_statistics
