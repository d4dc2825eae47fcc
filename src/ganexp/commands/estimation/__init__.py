"""Estimate time, memory and disk space of a run."""
