"""Feature extractors: networks whose features and class logits the scores are computed from."""
