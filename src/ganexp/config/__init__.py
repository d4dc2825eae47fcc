"""The config of a run: its schema, its checks, and the instantiation of objects."""
