"""The names under which a run logs its values: in metrics.jsonl, in TensorBoard and in every other logger.

Each logged point has `step` (the number of generator updates), the other axes, and values of one of these kinds:

losses      the losses, the discriminator's accuracy, gradient norms and further values of the objective
scores      the scores of an evaluation
logits      the discriminator's mean logits, and the mean probabilities that these logits stand for
failures    a failure of the training that the callback `guard` has found

This module must not import torch.
"""

LOSS = "loss/"
OBJECTIVE = "objective/"
SCORE = "score/"
EVALUATED = "evaluated/"
LOGIT = "d_logit/"
PROBABILITY = "probability/"
ACCURACY = "discriminator/accuracy_"
GRADIENT_NORM = "gradient_norm/"
MEAN = "_mean"
GUARD = "guard/"
AXIS = "axis/"

LEARNING_RATE = "learning_rate/"
SPEED = "speed/"
MEMORY = "memory/"

IMAGES_PER_SECOND = SPEED + "images_per_second"  # real images per second of training
D_STEPS = AXIS + "d_steps"  # discriminator updates
IMAGES = AXIS + "images"  # real images that the discriminator has seen
EPOCHS = AXIS + "epochs"  # batches taken from the training split, divided by the number of batches in an epoch
SECONDS = AXIS + "seconds"  # seconds of training, without evaluation


def loss_key(network: str, term: str | None = None) -> str:
    """Return the key of a network's loss or of a term of the loss, such as loss/generator/adversarial."""
    return f"{LOSS}{network}" if term is None else f"{LOSS}{network}/{term}"


def mean_key(network: str) -> str:
    """Return the key of the mean of a network's losses since the last logged point, such as loss/generator_mean."""
    return loss_key(network) + MEAN


def accuracy_key(images: str) -> str:
    """Return the key of the discriminator's accuracy on one kind of images, such as discriminator/accuracy_real."""
    return f"{ACCURACY}{images}"


def gradient_norm_key(network: str) -> str:
    """Return the key of the norm of a network's gradient, before it is clipped, such as gradient_norm/generator."""
    return f"{GRADIENT_NORM}{network}"


def objective_key(name: str) -> str:
    """Return the key of a value that the objective logs besides its losses, such as objective/k for BEGAN's k."""
    return f"{OBJECTIVE}{name}"


def score_key(name: str) -> str:
    """Return the key of a score, such as score/fid_classifier for fid_classifier."""
    return f"{SCORE}{name}"


def evaluated_key(name: str) -> str:
    """Return the key of a score of `ganexp evaluate`, such as evaluated/fid_classifier for fid_classifier."""
    return f"{EVALUATED}{name}"


def logit_key(images: str) -> str:
    """Return the key of the discriminator's mean logit on one kind of images, such as d_logit/train."""
    return f"{LOGIT}{images}"


def probability_key(images: str) -> str:
    """Return the key of the discriminator's mean probability that images of one kind are real.

    An example of such a key is probability/fake, for generated images.
    """
    return f"{PROBABILITY}{images}"


def guard_key(kind: str) -> str:
    """Return the key of a failure that the callback `guard` has found, such as guard/floor.

    The value under this key is 1 at the step of the failure.
    """
    return f"{GUARD}{kind}"
