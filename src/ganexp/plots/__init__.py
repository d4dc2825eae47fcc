"""Functions from data to pictures and figures."""
