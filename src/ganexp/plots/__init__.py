"""Functions that turn data into pictures and figures."""
