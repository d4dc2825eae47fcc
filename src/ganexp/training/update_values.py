"""Keep values of the updates on the device until they are logged, so that no update waits for the device."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganexp import log_keys
from ganexp.training import processes


class UpdateValues:
    """The values to log: values of each network's last update, and the network's mean loss since the last logging."""

    def __init__(self) -> None:
        self.last: dict[str, Tensor] = {}
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add_loss(self, network: str, loss: Tensor) -> None:
        """Include the loss of an update in the mean loss of its network."""
        total = self._sums.get(network)
        self._sums[network] = loss if total is None else total + loss
        self._counts[network] = self._counts.get(network, 0) + 1

    def keep_terms(self, network: str, loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        """Keep the loss of an update, and the terms of this loss if there are several."""
        self.last[log_keys.loss_key(network)] = loss.detach()
        if len(terms) > 1:
            self.last |= {log_keys.loss_key(network, name): term.detach() for name, term in terms.items()}

    def keep_accuracies(self, accuracies: Mapping[str, Tensor]) -> None:
        """Keep the discriminator's accuracy on each kind of images."""
        self.last |= {log_keys.accuracy_key(kind): value for kind, value in accuracies.items()}

    def keep_gradient_norm(self, network: str, parameters: list[nn.Parameter]) -> None:
        """Keep the norm of a network's gradient."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norms = torch.stack([norm.float() for norm in torch._foreach_norm(gradients)])
        self.last[log_keys.gradient_norm_key(network)] = torch.linalg.vector_norm(norms)

    def means(self) -> dict[str, Tensor]:
        """Return the mean loss of each network that has been updated since the last logging."""
        return {network: total / self._counts[network] for network, total in self._sums.items()}

    def take(self, further: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the kept values and the `further` values as numbers, and begin new means. This waits for the device.

        If there are several processes, each process returns the means over all processes.
        """
        means = {log_keys.mean_key(network): mean for network, mean in self.means().items()}
        self._sums, self._counts = {}, {}
        values = {**self.last, **means, **further}
        numbers = torch.stack([value.float() for value in values.values()])
        processes.average([numbers])
        return dict(zip(values, numbers.tolist(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return the sums and counts of the losses as plain numbers, so that a resumed run logs the same means."""
        return {"sums": {name: total.item() for name, total in self._sums.items()}, "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Restore the sums and counts of the losses."""
        self._sums = {name: torch.tensor(total, device=device) for name, total in state["sums"].items()}
        self._counts = dict(state["counts"])
