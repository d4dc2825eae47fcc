"""What torchrun, srun and users specify about processes that they start together."""

import pytest

from ganexp.commands.launching.launched import check_launch, launched
from ganexp.errors import UserError

TORCHRUN = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "first", "MASTER_PORT": "29500"}
SRUN = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
    "SLURM_JOB_ID": "123456",
}
BY_HAND = {"NODE_RANK": "1", "MASTER_ADDR": "first", "MASTER_PORT": "29500"}
CASES = {
    "torchrun": (TORCHRUN, (3, 1, "first", 29500)),
    "srun": (SRUN, (3, 1, "gpu07", 18456)),
    "srun_with_port": (SRUN | {"MASTER_PORT": "7"}, (3, 1, "gpu07", 7)),
    "torchrun_in_srun": (SRUN | TORCHRUN, (3, 1, "first", 29500)),
    "by_hand": (BY_HAND, (2, 0, "first", 29500)),
    "by_hand_each_device": (BY_HAND | {"LOCAL_RANK": "1"}, (3, 1, "first", 29500)),
}


@pytest.mark.parametrize("case", CASES)
def test_launch_has_place_and_address_of_launcher(case):
    environ, expected = CASES[case]
    launch = launched(environ)
    assert (launch.rank_among(devices=2), launch.local_rank, launch.address, launch.port) == expected
    assert not launch.is_first
    assert launch.starts_others == (case == "by_hand")


def test_launch_is_none_for_a_single_process():
    assert launched({}) is None
    assert launched({"RANK": "1", "SLURM_JOB_ID": "1", "SLURM_STEP_NUM_TASKS": "1"}) is None


@pytest.mark.parametrize(
    ("environ", "devices", "nodes", "reason"),
    [
        ({}, 2, 2, "start ganexp with srun; or start it on every machine"),
        (SRUN, 1, 1, "srun started 4 processes, and trainer.devices=1 trainer.num_nodes=1 needs 1"),
        (SRUN | {"SLURM_LOCALID": "0"}, 2, 2, "with srun, use --distribution=block"),
        (TORCHRUN | {"TORCHELASTIC_RUN_ID": "none"}, 2, 1, "torchrun started 4 processes"),
    ],
)
def test_launch_that_does_not_fit_the_config_is_refused(monkeypatch, environ, devices, nodes, reason):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=reason):
        check_launch(devices, nodes)


def test_launch_that_fits_the_config_is_accepted(monkeypatch):
    check_launch(2, 1)
    for name, value in (SRUN | BY_HAND).items():
        monkeypatch.setenv(name, value)
    check_launch(2, 2)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        (TORCHRUN, "RANK"),
        (TORCHRUN, "MASTER_PORT"),
        (SRUN, "SLURM_STEP_NUM_TASKS"),
        (SRUN, "SLURM_JOB_ID"),
        (SRUN, "SLURM_LOCALID"),
        (BY_HAND, "NODE_RANK"),
        (BY_HAND, "MASTER_PORT"),
    ],
)
@pytest.mark.parametrize("value", ["one", "-1", "1.5", "²"])
def test_launch_with_a_wrong_number_is_refused(environ, name, value):
    with pytest.raises(UserError, match=f"{name}={value}: this environment variable must be a whole number"):
        launched(environ | {name: value})


def test_launch_with_a_wrong_port_is_refused():
    with pytest.raises(UserError, match="MASTER_PORT=295000: the port must be from 1 to 65535"):
        launched(TORCHRUN | {"MASTER_PORT": "295000"})
