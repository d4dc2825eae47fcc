"""ganexp: run GAN experiments from configs, each with one command."""

__version__ = "0.1.0"
