"""Settings and final scores reach every logger."""

import pytest
from pytorch_lightning.loggers import Logger

from ganexp.loggers.result import closing, log_hyperparameters, log_result

SETTINGS = {"seed": 1, "loss": "hinge"}
SCORES = {"best/fid_classifier": 2.5}


class Plain(Logger):
    """A logger that has only the methods of Lightning's interface."""

    name, version = "plain", ""

    def __init__(self):
        super().__init__()
        self.calls = []

    def log_metrics(self, metrics, step=None):
        self.calls.append(("metrics", dict(metrics), step))

    def log_hyperparams(self, params):
        self.calls.append(("hyperparameters", params))


class WithResult(Plain):
    def log_result(self, settings, scores, step):
        self.calls.append(("result", settings, scores, step))


def test_hyperparameters_go_to_every_logger():
    loggers = [Plain(), WithResult()]
    log_hyperparameters(loggers, SETTINGS)
    assert [logger.calls for logger in loggers] == [[("hyperparameters", SETTINGS)]] * 2


def test_result_is_logged_as_metrics_by_a_plain_logger():
    logger = Plain()
    log_result([logger], SETTINGS, SCORES, 6)
    assert logger.calls == [("metrics", {"final/best/fid_classifier": 2.5}, 6)]


def test_result_is_given_to_loggers_with_a_method_for_it():
    logger = WithResult()
    log_result([logger], SETTINGS, SCORES, 6)
    assert logger.calls == [("result", SETTINGS, SCORES, 6)]


class Closing(Plain):
    def __init__(self, error=None):
        super().__init__()
        self.error = error

    def close(self):
        self.calls.append("closed")
        if self.error:
            raise self.error


def test_loggers_are_closed_at_the_end():
    plain, first, second = Plain(), Closing(), Closing()
    with closing([first]) as loggers:
        loggers += [plain, second]
    assert first.calls == second.calls == ["closed"]
    assert not plain.calls


def test_error_of_a_run_is_not_hidden_by_closing():
    first, second = Closing(OSError("disk full, too")), Closing()
    with pytest.raises(ValueError, match="of the run"), closing([first, second]):
        raise ValueError("of the run")
    assert second.calls == ["closed"]
