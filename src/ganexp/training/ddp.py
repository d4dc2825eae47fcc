"""A Lightning strategy for several processes that does not wrap the networks.

torch's DistributedDataParallel averages the gradient of a parameter as soon as the backward pass has computed it. In a
GAN, the generator's update goes through the discriminator without computing the gradients of the discriminator's
parameters, and penalties take gradients within the forward pass. Therefore this strategy averages all gradients of an
update together, after the backward pass.
"""

from collections.abc import Sequence
from typing import Any

from pytorch_lightning.overrides.distributed import _sync_module_states
from pytorch_lightning.plugins.layer_sync import TorchSyncBatchNorm
from pytorch_lightning.strategies import DDPStrategy, ParallelStrategy
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from ganexp.training import processes

SYNCHRONISED = (nn.BatchNorm1d, nn.BatchNorm2d)  # exactly these classes; their subclasses compute something else


class AveragedGradients(DDPStrategy):
    """Average the gradients, the loss and the running statistics of batch norm over the processes, once per update."""

    def setup_environment(self) -> None:
        """Choose the device. Lightning's method would also give every process the same random state."""
        ParallelStrategy.setup_environment(self)
        self.set_world_ranks()
        self._process_group_backend = self._get_process_group_backend()

    def configure_ddp(self) -> None:
        """Give every process the weights of the process with rank 0, and do not wrap the networks."""
        assert self.model is not None
        _sync_module_states(self.model)
        self.norms = [layer for layer in self.model.modules() if isinstance(layer, _BatchNorm)]

    def backward(
        self,
        closure_loss: Tensor,
        optimizer: Optimizer | None,
        *args: Any,
        inputs: Sequence[nn.Parameter] = (),
        **kwargs: Any,
    ) -> Tensor:
        """Compute the gradients of `inputs`; replace the gradients and the loss by their means over the processes.

        The running statistics of batch norm are averaged too, so that they are the same in every process after a step.
        """
        result = super().backward(closure_loss, optimizer, *args, inputs=inputs, **kwargs)
        gradients = [parameter.grad for parameter in inputs if parameter.grad is not None]
        statistics = [each for norm in self.norms for each in (norm.running_mean, norm.running_var)]
        processes.average([*gradients, closure_loss.detach(), *(each for each in statistics if each is not None)])
        return result


class SyncBatchNorm(TorchSyncBatchNorm):
    """Compute the statistics of plain batch norm over the images of all processes.

    Lightning's class would also replace the batch norm classes of ganexp, which compute something else.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        """Replace every plain batch norm in `model`."""
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if type(child) in SYNCHRONISED:
                    setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
        return model


def unsynchronised(network: nn.Module) -> list[str]:
    """Return the names of batch norms that use the statistics of a batch, but are not replaced by `SyncBatchNorm`."""
    layers = network.named_modules()
    return [
        name for name, layer in layers if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and _is_other_norm(layer)
    ]


def _is_other_norm(layer: nn.Module) -> bool:
    return type(layer) not in SYNCHRONISED and bool(getattr(layer, "needs_separate_batches", True))
