"""The config of a run: its schema, its checks, and what is built from it."""
