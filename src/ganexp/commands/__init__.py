"""The commands of ganexp, one per file."""
