"""Real images: datasets, the stream of training batches and the Lightning data module."""
