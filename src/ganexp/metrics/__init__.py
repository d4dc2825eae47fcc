"""Scores of generated images, the feature extractors of these scores, and statistics of the real images."""
