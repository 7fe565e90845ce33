"""Cell-type proportions of spots."""
