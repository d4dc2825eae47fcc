"""What TensorBoard reads from a run directory."""

import re
import resource
import threading
from contextlib import suppress

import pytest
import torch
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.metadata import EXPERIMENT_TAG, SESSION_END_INFO_TAG, SESSION_START_INFO_TAG
from tensorboard.summary.writer import event_file_writer

from ganexp.loggers.tensorboard import TensorBoard, custom_charts
from ganexp.loggers.tensorboard_tags import picture_tag, value_tag
from ganexp.runs.run_directory import RunDirectory

METADATA = {
    "protocol": {"extractor": "classifier"},
    "score_info": {
        "fid_classifier": {"higher_is_better": False},
        "fid_classifier_test": {"higher_is_better": False},
        "fid_classifier_low": {"spread_of": "fid_classifier"},
        "mine_classifier": {"higher_is_better": None},
    },
}


@pytest.fixture(autouse=True)
def count_files_from_zero(monkeypatch):
    """Number this process's event files from 0: file names are sorted as text, so 10 would come before 9."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))


def logger_for(path, resume_step=0):
    path.mkdir(exist_ok=True)
    return TensorBoard(RunDirectory(path), resume_step)


def event_files(path):
    return sorted(path.glob("events.out.tfevents.*"), key=lambda file: file.stat().st_mtime_ns)


def events(path):
    """Return the steps and tags of all events in all files."""
    loaded = [event for file in event_files(path) for event in EventFileLoader(str(file)).Load()]
    return [(event.step, value.tag) for event in loaded for value in event.summary.value]


def read(path):
    """Return what TensorBoard has read from all runs below a directory."""
    multiplexer = EventMultiplexer(tensor_size_guidance={"scalars": 100}).AddRunsFromDirectory(str(path))
    multiplexer.Reload()
    return multiplexer


def hparams_table(path):
    """Return two parts of the HPARAMS table: whether the values of each column differ, and the tags of the metrics."""
    context = TBContext(data_provider=MultiplexerDataProvider(read(path), str(path)))
    backend, request = Context(context), RequestContext()
    metadata = backend.hparams_metadata(request, "")
    experiment = backend.experiment_from_metadata(request, "", True, metadata, [])
    columns = {info.name: info.differs for info in experiment.hparam_infos}
    return columns, {info.name.tag for info in experiment.metric_infos}


def test_process_writes_one_file(tmp_path):
    logger = logger_for(tmp_path)
    logger.log_metrics({"loss/generator": 1.0}, 1)
    logger.finalize("success")  # as at the end of the validation at step 0
    logger.log_metrics({"loss/generator": 1.0}, 2)
    logger.log_image("samples", [torch.zeros(3, 4, 4, dtype=torch.uint8)], 2)
    logger.log_result({"seed": 0}, {"best/fid_classifier": 1.0}, 2)
    assert len(event_files(tmp_path)) == 1
    tags = [tag for _step, tag in events(tmp_path)]
    assert tags.count("3 loss/generator") == 2
    assert {"2 pictures/1 samples", "2 final/best/fid_classifier"} <= set(tags)


def test_only_events_are_written(tmp_path):
    logger = logger_for(tmp_path)
    logger.log_hyperparams({"seed": 0})
    logger.save()
    logger.finalize("success")
    assert list(tmp_path.iterdir()) == event_files(tmp_path)
    assert SESSION_START_INFO_TAG not in [tag for _step, tag in events(tmp_path)]


def test_restart_without_checkpoint_removes_earlier_events(tmp_path):
    before = logger_for(tmp_path)
    before.log_metrics({"loss/generator": 1.0}, 1)
    before.save()
    logger_for(tmp_path).save()
    assert "3 loss/generator" not in [tag for _step, tag in events(tmp_path)]


def test_resume_hides_points_after_the_checkpoint(tmp_path):
    before = logger_for(tmp_path / "run")
    for step in (1, 2, 3, 4):
        before.log_metrics({"loss/generator": float(step)}, step)
    before.save()
    after = logger_for(tmp_path / "run", resume_step=2)
    after.log_metrics({"loss/generator": 30.0}, 3)
    after.save()
    tensors = read(tmp_path).Tensors("run", "3 loss/generator")  # TensorBoard reads the points in this way
    points = [(event.step, event.tensor_proto.float_val[0]) for event in tensors]
    assert points == [(1, 1), (2, 2), (3, 30)]
    accumulator = EventAccumulator(str(tmp_path / "run"))  # scripts read the points in this way
    accumulator.Reload()
    assert [(event.step, event.value) for event in accumulator.Scalars("3 loss/generator")] == points


def test_hyperparameters_are_written_once_with_the_last_step(tmp_path):
    before = logger_for(tmp_path)
    before.log_hyperparams({"seed": 0})
    before.log_metrics({"loss/generator": 1.0}, 5)
    before.finalize("failed")
    after = logger_for(tmp_path, resume_step=5)
    after.log_hyperparams({"seed": 0})
    after.log_result({"seed": 0}, {"best/fid_classifier": 1.0}, 9)
    written = events(tmp_path)
    for tag in (SESSION_START_INFO_TAG, SESSION_END_INFO_TAG, "2 final/best/fid_classifier"):
        assert [step for step, tag_ in written if tag_ == tag] == [9]
    assert EXPERIMENT_TAG not in [tag for _step, tag in written]


@pytest.mark.parametrize("first", ["a", "b"])
def test_hyperparameters_have_the_columns_of_all_runs(tmp_path, first):
    settings = {
        "a": {"seed": 1, "loss": "hinge", "model.generator.width": 64, "metrics.samples": 10},
        "b": {"seed": 1, "loss": "wgan_gp", "loss.penalties.r1.weight": 0.5},
    }
    scores = {"a": {"best/fid_classifier": 1.0}, "b": {"best/kid_classifier": 1.0}}
    for run in sorted(settings, key=lambda run: run != first):
        logger_for(tmp_path / run).log_result(settings[run], scores[run], 9)
    columns, metrics = hparams_table(tmp_path)
    assert set(columns) == {"1 seed", "loss", "model.generator.width", "loss.penalties.r1.weight"}
    assert columns["loss"]
    assert not columns["1 seed"]
    assert metrics == {"2 final/best/fid_classifier", "2 final/best/kid_classifier"}


def test_every_score_has_a_chart_of_its_own():
    charts = custom_charts(METADATA)
    assert list(charts) == ["scores", "losses"]
    assert {name: tags for name, (_chart, tags) in charts["scores"].items()} == {
        name: [rf"^1\ score/{name}$"] for name in ("fid_classifier", "fid_classifier_test", "mine_classifier")
    }


def test_chart_of_losses_has_means_but_no_terms():
    (pattern,) = custom_charts({})["losses"]["generator"][1]
    keys = ["loss/generator_mean", "loss/generator", "loss/generator/adversarial", "score/loss/generator_mean"]
    assert [key for key in keys if re.match(pattern, value_tag(key))] == keys[:1]


def test_run_without_scores_has_no_chart_of_them():
    assert list(custom_charts({})) == ["losses"]


def test_tags_sort_scores_first_and_axes_last():
    keys = ["axis/images", "mine", "memory/process_gib", "speed/images_per_second", "learning_rate/generator"]
    keys += ["gradient_norm/generator", "d_logit/fake", "discriminator/accuracy_real", "loss/generator"]
    keys += ["evaluated/fid_x", "score/fid_x"]
    # TensorBoard sorts tags by the numbers in them. Sorting tags as text gives the same order for one-digit numbers.
    by_tag = sorted(keys, key=value_tag)
    assert by_tag[:4] == ["score/fid_x", "evaluated/fid_x", "loss/generator", "discriminator/accuracy_real"]
    assert by_tag[4:] == keys[6::-1]
    samples, others = picture_tag("samples"), picture_tag("interpolation/linear")
    assert value_tag("score/fid_x") < samples < picture_tag("real_images") < others < value_tag("loss/generator")


def test_config_is_shown_as_text(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    logger_for(tmp_path).save()
    assert (0, "config/text_summary") in events(tmp_path)


def test_closed_logger_leaves_no_thread(tmp_path):
    before = threading.active_count()
    logger = logger_for(tmp_path / "run")
    logger.log_metrics({"loss/generator": 1.0}, 1)
    assert threading.active_count() > before
    logger.close()
    assert threading.active_count() == before
    assert (1, "3 loss/generator") in events(tmp_path / "run")


def test_full_disk_is_raised_without_a_traceback(tmp_path, capsys):
    hook = threading.excepthook
    logger = logger_for(tmp_path / "run")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):  # noqa: PT012 (the first or the second flush fails)
            for step in (1, 2):
                logger.log_image("samples", [torch.zeros(3, 8, 8, dtype=torch.uint8)], step)
                logger.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        with suppress(OSError):
            logger.close()
    assert "Traceback" not in capsys.readouterr().err
    assert threading.excepthook == hook
