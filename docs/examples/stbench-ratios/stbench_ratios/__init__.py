"""An example of what a package adds to pytest-stbench."""
