"""The commands that a user types, one file for each."""
