"""Largest singular values of the normalised layers' effective weights, in the last checkpoint of each run.

    python scripts/spectral_norms.py RUN…       # run folders, or checkpoints

Under a spectral norm that holds, every value is 1, or just above where the power iteration lags behind the weights.
"""

import statistics
import sys
from pathlib import Path

import torch

from ganexp.build import load_run
from ganexp.errors import UserError


def spectral_norms(network: torch.nn.Module) -> dict[str, float]:
    """By layer: ‖W‖₂ of the weight that the forward pass uses, reshaped to (out, rest)."""
    network.eval()  # reading a weight in train mode would go on with its power iteration
    layers = {name: layer for name, layer in network.named_modules() if hasattr(layer, "parametrizations")}
    return {name: torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() for name, layer in layers.items()}


@torch.no_grad()
def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    for run in sys.argv[1:]:
        checkpoint = Path(run) if run.endswith(".ckpt") else Path(run) / "checkpoints" / "last.ckpt"
        _, gan, _, facts = load_run(str(checkpoint), "cpu")
        print(f"{run}, step {facts['step']:,}")
        for which in ("generator", "discriminator"):
            norms = spectral_norms(getattr(gan, which))
            if not norms:
                print(f"  {which}: no layer is normalised")
            else:
                middle, worst = statistics.median(norms.values()), max(norms, key=norms.__getitem__)
                print(f"  {which}: {len(norms)} layers, median {middle:.3f}, largest {norms[worst]:.3f} ({worst})")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
