"""Keep values of the updates on the device until they are logged, so that no update waits for the device."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganexp import log_keys
from ganexp.training import processes


class UpdateValues:
    """The values to log: values of each network's last update, and each network's mean loss since the last logging.

    Attributes:
        last: the values of each network's last update; they are not logged yet.
        taken: the names of the values that were logged last.
    """

    def __init__(self) -> None:
        self.last: dict[str, Tensor] = {}
        self.taken: set[str] = set()
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

    def take(self, further: Mapping[str, Tensor], device: torch.device) -> dict[str, float]:
        """Return the kept values and the `further` values as numbers, and begin new means. This waits for `device`.

        If there are several processes, each process returns the means over all processes.
        """
        means = {log_keys.mean_key(network): mean for network, mean in self.means().items()}
        values = {**self.last, **means, **further}
        self.last, self._sums, self._counts, self.taken = {}, {}, {}, set(values)
        numbers = torch.stack([value.to(device, torch.float32) for value in values.values()])
        processes.average([numbers])
        return dict(zip(values, numbers.tolist(), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return the values that are not logged yet as plain numbers, so that a resumed run logs the same values."""
        return {"last": _numbers(self.last), "sums": _numbers(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` has returned, on the CPU: the networks are not on their device yet."""
        self.last, self._sums = (
            {name: torch.tensor(value) for name, value in state[key].items()} for key in ("last", "sums")
        )
        self._counts = dict(state["counts"])


def _numbers(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in values.items()}
