"""Start, check, resume and list the jobs of a sweep."""
