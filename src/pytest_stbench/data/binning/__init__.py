"""Units formed out of the transcripts or cells of a slide: lattices of discs, hexagons or squares."""
