"""Types of cells, under one ontology."""
