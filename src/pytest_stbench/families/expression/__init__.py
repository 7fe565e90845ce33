"""Expression from H&E."""
