"""The genes of niches."""
