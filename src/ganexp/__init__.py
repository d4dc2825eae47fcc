"""ganexp: any GAN experiment as one command."""

__version__ = "0.1.0"
