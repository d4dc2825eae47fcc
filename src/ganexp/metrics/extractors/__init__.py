"""Feature extractors: networks that return the features and class logits from which scores are computed."""
