"""Jobs of commands done in this process, or on the workers of dask.distributed."""
