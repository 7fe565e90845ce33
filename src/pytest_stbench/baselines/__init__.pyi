from .controls import shuffled as shuffled, shuffled_genes as shuffled_genes
from .coords import Coords as Coords
from .gene_gene_ridge import GeneGeneRidge as GeneGeneRidge
from .he_colour import HeColour as HeColour
from .hest_probe import HestProbe as HestProbe
from .knn import Knn as Knn
from .libsize import Libsize as Libsize
from .oracle_patient_mean import OraclePatientMean as OraclePatientMean
from .otsu_watershed import OtsuWatershed as OtsuWatershed
from .pca_ridge import PcaRidge as PcaRidge
from .smooth import Smooth as Smooth
from .train_mean import TrainMean as TrainMean
from .voronoi_nuclei import VoronoiNuclei as VoronoiNuclei
