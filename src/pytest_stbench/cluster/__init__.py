"""The cells of a grid predicted outside of pytest: in this process, or on the workers of dask.distributed."""
