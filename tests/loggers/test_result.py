"""Settings and final scores reach every logger."""

from pytorch_lightning.loggers import Logger

from ganexp.loggers.result import log_hyperparameters, log_result

SETTINGS = {"seed": 1, "loss": "hinge"}
SCORES = {"best/fid_classifier": 2.5}


class Plain(Logger):
    """A logger of Lightning's interface alone."""

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
