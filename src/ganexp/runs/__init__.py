"""The directories of runs and sweeps on disk. No module in this package imports torch."""
