"""Let Lightning train on pretend CUDA tensors, without a GPU."""

import contextlib
from unittest import mock

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies import SingleDeviceStrategy

from ganexp.training import trainer as trainers


class PretendAccelerator(CPUAccelerator):
    """An accelerator that needs no GPU driver."""

    def setup_device(self, device):
        assert device.type == "cuda"


@contextlib.contextmanager
def pretend_trainer(precision):
    """Let `trainers.make_trainer` return a trainer for pretend CUDA tensors within the `with` block."""

    def make(**arguments):
        half = precision == "bf16-mixed"
        plugin = pl.plugins.MixedPrecision("bf16-mixed", "cuda") if half else pl.plugins.Precision()
        arguments |= {
            "accelerator": PretendAccelerator(),
            "strategy": SingleDeviceStrategy(torch.device("cuda", 0)),
            "plugins": [*arguments["plugins"], plugin],
            "precision": None,
        }
        return pl.Trainer(**arguments)

    with mock.patch.object(trainers, "pl", mock.Mock(wraps=pl, Trainer=make)):
        yield
