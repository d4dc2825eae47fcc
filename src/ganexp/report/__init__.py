"""Read many run directories, and compare them in tables and on an HTML page. Must not import torch."""
