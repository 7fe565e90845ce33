"""A family: ratios of genes."""
