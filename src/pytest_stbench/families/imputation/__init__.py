"""Panel extension."""
