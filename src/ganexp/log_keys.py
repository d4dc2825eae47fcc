"""The names under which a run logs its values: in metrics.jsonl, in TensorBoard and in every other logger.

Each logged point has `step` (the number of generator updates), the other axes, and values of one kind: losses (with the
discriminator's accuracy, gradient norms and further values of the objective), scores, the discriminator's mean logits
(with the corresponding mean probabilities), or a failure that the guard has found. Must not import torch.
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
EPOCHS = AXIS + "epochs"  # batches taken from the training split, divided by the batches of an epoch
SECONDS = AXIS + "seconds"  # seconds of training, without evaluation


def loss_key(network: str, term: str | None = None) -> str:
    """Return the key of a network's loss, or of one named term of it: loss/generator, loss/generator/adversarial."""
    return f"{LOSS}{network}" if term is None else f"{LOSS}{network}/{term}"


def mean_key(network: str) -> str:
    """Return the key of the mean of a network's losses since the last logged point: loss/generator_mean."""
    return loss_key(network) + MEAN


def accuracy_key(images: str) -> str:
    """Return the key of the share of images that D classifies correctly: discriminator/accuracy_real, …_fake."""
    return f"{ACCURACY}{images}"


def gradient_norm_key(network: str) -> str:
    """Return the key of the norm of a network's gradient, before it is clipped: gradient_norm/generator."""
    return f"{GRADIENT_NORM}{network}"


def objective_key(name: str) -> str:
    """Return the key of a further value of the objective: objective/k for BEGAN's k."""
    return f"{OBJECTIVE}{name}"


def score_key(name: str) -> str:
    """Return the key of a score: score/fid_classifier for fid_classifier."""
    return f"{SCORE}{name}"


def evaluated_key(name: str) -> str:
    """Return the key of a score of `ganexp evaluate`: evaluated/fid_classifier for fid_classifier."""
    return f"{EVALUATED}{name}"


def logit_key(images: str) -> str:
    """Return the key of the discriminator's mean logit on one kind of images: d_logit/train, d_logit/fake."""
    return f"{LOGIT}{images}"


def probability_key(images: str) -> str:
    """Return the key of D's mean probability that images of one kind are real: probability/train, probability/fake."""
    return f"{PROBABILITY}{images}"


def guard_key(kind: str) -> str:
    """Return the key of a failure that the guard has found: guard/floor. Its value is 1 at the step of the failure."""
    return f"{GUARD}{kind}"
