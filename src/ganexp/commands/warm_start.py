"""Start a training with the weights of another run."""

import math
from typing import Any

from ganexp.checkpoint import differences, read_checkpoint
from ganexp.console import say, short_path
from ganexp.errors import UserError
from ganexp.loaded_run import find_checkpoint
from ganexp.training.gan import GAN
from ganexp.training.schedules import set_stage


def warm_start(init_from: str | None, gan: GAN) -> dict[str, Any] | None:
    """Load the weights of each network that a checkpoint has under the same name; leave the other networks unchanged.

    The averaged generator gets the weights of the checkpoint's averaged generator or, if the checkpoint has no averaged
    generator, the weights of the loaded generator. The optimizers, the step and the random state are those of a new
    run. Only tensors and plain values are read.

    Args:
        init_from: path of a checkpoint, or of a run, whose best checkpoint is used; None changes nothing.
        gan: the networks of the new run, which are changed.

    Returns:
        The path and step of the checkpoint and the names of the loaded networks; None if `init_from` is None.

    Raises:
        UserError: the checkpoint is missing, is damaged or has none of the networks, or the weights of a network do not
            fit the new network.
    """
    if init_from is None:
        return None
    path = find_checkpoint(init_from, "init_from")
    checkpoint = read_checkpoint(path)
    state = checkpoint["state_dict"]
    stored = {name: _below(state, f"networks.{name}.") for name in gan.networks}
    loaded = [name for name, weights in stored.items() if weights]
    if not loaded:
        raise UserError(f"init_from={init_from}: {path} has none of the networks {', '.join(gan.networks)}")
    for name in loaded:
        if lines := differences(stored[name], gan.networks[name].state_dict()):
            how = "Choose the model, its sizes and data.resolution as in that run, or leave init_from out."
            raise UserError("\n".join([f"init_from={init_from}: the {name} of that run does not fit:", *lines, how]))
    for name in loaded:
        gan.networks[name].load_state_dict(stored[name])
    if gan.averaged_generator is not None:
        averages = _below(state, "averaged_generator.")
        network = {f"network.{name}": value for name, value in gan.generator.state_dict().items()}
        gan.averaged_generator.load_state_dict(averages or network)
    # the loaded states contain the stage of the other run; without growth, all networks have full size
    set_stage(gan.modules(), 0, gan.growth or (lambda step: math.inf))
    step = checkpoint["ganexp"]["step"]
    say(f"initial weights: {', '.join(loaded)} of {short_path(path)} at step {step:,}")
    return {"checkpoint": str(path), "step": step, "networks": loaded}


def _below(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
