"""Cell-cell communication."""
