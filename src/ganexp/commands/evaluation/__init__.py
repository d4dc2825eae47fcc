"""The parts of `ganexp evaluate`."""
