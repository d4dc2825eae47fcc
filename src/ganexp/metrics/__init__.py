"""Scores of generated images, the feature extractors they use, and statistics of the real images."""
