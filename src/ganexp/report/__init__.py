"""Read many run directories, and compare them in tables and on an HTML page. This module must not import torch."""
