"""Co-expression."""
