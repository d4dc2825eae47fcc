"""A length in epochs becomes a number of steps, or of discriminator updates, that draw all batches of the epochs."""

import pytest
from omegaconf import OmegaConf

from ganexp.errors import UserError
from ganexp.training.length import epochs_of, in_steps

IMAGES, BATCH = 1050, 100  # an epoch has 10 batches; the incomplete batch is left out


def planned(rule="FixedRatio", epochs=6, every=3, training_images=None, **arguments):
    """Return a config whose schedule is given in epochs."""
    updates = {"_target_": f"ganexp.training.updates.{rule}", **arguments}
    schedule = {"steps": None, "epochs": epochs, "evaluate_every": None, "evaluate_every_epochs": every}
    schedule |= {"evaluate_by": "steps", "max_d_steps": None, "batch_size": BATCH, "updates": updates}
    return OmegaConf.create({"schedule": schedule, "data": {"training_images": training_images}})


@pytest.mark.parametrize(
    ("arguments", "steps", "every"),
    [
        ({}, 60, 30),
        ({"n_critic": 5}, 12, 6),
        ({"n_critic": 5, "reuse_real": True}, 60, 30),
        ({"n_critic": 4}, 15, 8),  # 7.5 steps are rounded up
        ({"rule": "LossLimit"}, 60, 30),  # a rule without a limit
        ({"rule": "LossLimit", "limit": 0.5, "reuse_real": True}, 60, 30),
    ],
)
def test_epochs_become_steps_by_the_batches_of_a_step(arguments, steps, every):
    cfg = planned(**arguments)
    schedule = in_steps(cfg, IMAGES).schedule
    assert (schedule.steps, schedule.evaluate_every, schedule.evaluate_by) == (steps, every, "steps")
    assert schedule.max_d_steps is None
    assert cfg.schedule.steps is None  # only a copy was changed
    assert epochs_of(in_steps(cfg, IMAGES), IMAGES) == 6


def test_epochs_count_the_images_to_train_on():
    cfg = in_steps(planned(training_images=420), IMAGES)  # 4 batches in an epoch
    assert (cfg.schedule.steps, cfg.schedule.evaluate_every) == (24, 12)
    assert epochs_of(cfg, IMAGES) == 6


def test_last_step_completes_the_epochs():
    """If the last step did not complete the epochs, the checkpoint of the last epoch could not be kept."""
    for n_critic in range(1, 12):
        cfg = in_steps(planned(epochs=1, every=1, n_critic=n_critic), IMAGES)
        assert 1 <= epochs_of(cfg, IMAGES) < 1 + n_critic / 10


def test_loss_limit_counts_epochs_in_d_updates():
    cfg = in_steps(planned("LossLimit", limit=0.5), IMAGES)
    schedule = cfg.schedule
    assert (schedule.steps, schedule.max_d_steps) == (60, 60)
    assert (schedule.evaluate_every, schedule.evaluate_by) == (30, "d_steps")
    assert epochs_of(cfg, IMAGES) == 6


@pytest.mark.parametrize(
    ("arguments", "every"),
    [
        ({}, 30),
        ({"n_critic": 5}, 30),
        ({"n_critic": 5, "reuse_real": True}, 150),  # each batch is used in five updates
        ({"n_gen": 2}, 15),  # half of the steps only update the generator, each with a batch of its own
        ({"rule": "LossLimit"}, 30),
        ({"rule": "LossLimit", "limit": 0.5}, 30),
    ],
)
def test_interval_of_evaluations_can_be_counted_in_d_updates(arguments, every):
    cfg = planned(**arguments)
    cfg.schedule.evaluate_by = "d_steps"
    for _ in range(2):  # a resumed run converts its config again
        cfg = in_steps(cfg, IMAGES)
        assert (cfg.schedule.evaluate_every, cfg.schedule.evaluate_by) == (every, "d_steps")


def test_unknown_number_of_d_updates_in_an_epoch_is_refused():
    cfg = planned("LossLimit", limit=0.5, reuse_real=True)
    cfg.schedule.evaluate_by = "d_steps"
    with pytest.raises(UserError, match=r"^schedule\.evaluate_by=d_steps: .* give schedule\.evaluate_every=N"):
        in_steps(cfg, IMAGES)


@pytest.mark.parametrize(
    ("arguments", "images", "message"),
    [
        ({}, None, r"^schedule.epochs=6 and schedule.evaluate_every_epochs=3: the number of images is not known"),
        ({}, 99, r"^schedule.batch_size=100 is more than the 99 images"),
        ({"training_images": 98}, IMAGES, r"^schedule.batch_size=100 is more than the 98 images"),
    ],
)
def test_epochs_of_unknown_length_are_refused(arguments, images, message):
    with pytest.raises(UserError, match=message):
        in_steps(planned(**arguments), images)


def test_config_in_steps_is_returned_as_it_is():
    cfg = planned(epochs=None, every=None)
    assert in_steps(cfg, None) is cfg
