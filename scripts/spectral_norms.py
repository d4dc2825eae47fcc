"""Measure the largest singular value of each layer with spectral norm, in the last checkpoint of each run.

    python scripts/spectral_norms.py RUN…       # run directories or checkpoint files

The values belong to the weights that the forward pass uses. If spectral norm works, every value is 1 or slightly more,
because the single power iteration per update only approximates the largest singular value.
"""

import statistics
import sys
from pathlib import Path

import torch

from ganexp.errors import UserError
from ganexp.loaded_run import load_run


def spectral_norms(network: torch.nn.Module) -> dict[str, float]:
    """Return ‖W‖₂ of each layer with spectral norm; W is the weight in the forward pass, as a matrix."""
    network.eval()  # in training mode, reading a weight would run its power iteration
    layers = {name: layer for name, layer in network.named_modules() if hasattr(layer, "parametrizations")}
    return {name: torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() for name, layer in layers.items()}


@torch.no_grad()
def main() -> None:
    """Print the step of each run, and, for each of the two networks, the median and the maximum of the norms."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    for run in sys.argv[1:]:
        checkpoint = Path(run) if run.endswith(".ckpt") else Path(run) / "checkpoints" / "last.ckpt"
        gan = load_run(str(checkpoint), "cpu").gan
        print(f"{run}, step {gan.step:,}")
        for which in ("generator", "discriminator"):
            norms = spectral_norms(getattr(gan, which))
            if not norms:
                print(f"  {which}: no layer has spectral norm")
            else:
                median, largest = statistics.median(norms.values()), max(norms, key=norms.__getitem__)
                print(f"  {which}: {len(norms)} layers, median {median:.3f}, largest {norms[largest]:.3f} ({largest})")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
