"""The directories of runs and sweeps on disk. No module in here imports torch."""
