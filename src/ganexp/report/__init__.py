"""Many run folders read as one: tables over seeds, comparisons, and a page to look at. No torch."""
