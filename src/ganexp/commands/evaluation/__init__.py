"""The modules of `ganexp evaluate`."""
