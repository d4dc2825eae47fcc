"""What happens around training: modes put back, pictures laid out, curves marked, progress told."""

import time

import pytest
import torch
from helpers.cli import ganexp
from helpers.config import TINY, config
from torch import nn

from ganexp.build import build_gan
from ganexp.callbacks.curves import draw_curves
from ganexp.callbacks.evaluation import draw, interpolation_grid, sample_grid, sampling
from ganexp.callbacks.progress import ProgressLine


@pytest.fixture
def conditional():
    gan = build_gan(config("model.conditional=true", "model.generator.norm=batch"))
    gan.latent.sample = lambda count, *args, generator=None: torch.randn(count, 64, generator=generator)
    return gan


def test_sampling_puts_every_mode_back():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 2))
    network[1].eval()
    with sampling(network):
        assert not any(module.training for module in network.modules())
        assert not torch.is_grad_enabled()
    assert [module.training for module in network] == [True, False, True]


def test_draw_is_the_same_for_a_seed_and_any_batch_size(conditional):
    once = torch.cat(list(draw(conditional, 25, 25, seed=1)))
    pieces = torch.cat(list(draw(conditional, 25, 4, seed=1)))
    assert once.shape == (25, 1, 8, 8)
    assert torch.allclose(once, pieces, atol=1e-5)
    assert not torch.allclose(once, torch.cat(list(draw(conditional, 25, 25, seed=2))))


def test_grids_give_each_class_its_row(conditional):
    asked = []

    class Painter(nn.Module):
        def forward(self, z, labels):
            asked.append(labels)
            return (labels / 5 - 1)[:, None, None, None].expand(-1, 1, 8, 8)

    conditional.generator = Painter()
    picture = sample_grid(conditional, seed=0)
    assert asked[0].tolist() == [c for c in range(10) for _ in range(10)]
    rows = picture[0, 10::50, 10]
    assert torch.equal(rows, rows.sort().values)
    assert rows.unique().numel() == 10
    walk = interpolation_grid(conditional, seed=0, spherical=False)
    assert asked[1].tolist() == [c for c in range(10) for _ in range(5)]
    assert walk.shape == (3, 502, 252)


def test_interpolation_runs_from_latent_10_plus_r_to_latent_r(conditional):
    seen = []

    class Recorder(nn.Module):
        def forward(self, z, labels):
            seen.append(z)
            return torch.zeros(len(z), 1, 8, 8)

    conditional.generator = Recorder()
    interpolation_grid(conditional, seed=3, spherical=False)
    z = torch.randn(20, 64, generator=torch.Generator().manual_seed(3))
    walk = seen[0].unflatten(0, (10, 5))
    assert torch.allclose(walk[:, 0], z[10:], atol=1e-6)
    assert torch.allclose(walk[:, 4], z[:10], atol=1e-6)


def test_curves_mark_the_best_point():
    rows = [{"step": s, "loss/discriminator": 1.0, "loss/generator": 2.0} for s in (1, 2)]
    rows += [
        {"step": s, "score/fid_x": f, "score/is_x": i, "score/is_x_std": 0.1}
        for s, f, i in ((0, 9, 1), (5, 3, 4), (9, 5, 2))
    ]
    figure = draw_curves(rows, "title")
    assert [axes.get_title() for axes in figure.axes] == ["loss", "fid_x", "is_x"]
    for axes, best in zip(figure.axes[1:], ((5, 3), (5, 4)), strict=True):
        (marked,) = [line for line in axes.lines if line.get_marker() == "*"]
        assert tuple(marked.get_xydata()[0]) == best


def test_progress_line():
    gan = build_gan(config(*TINY))
    gan.latest = {"loss/discriminator": -0.5, "loss/generator": 1.25, "is_x": 3.0, "is_x_std": 0.1, "fid_x": 12.5}
    gan.scored_at = 40
    progress = ProgressLine()
    progress.started, progress.first, progress.first_step = -1e9, 0, 0
    assert progress.line(gan) == "D -0.5 · G 1.25 · IS 3 FID 12.5 at 40"
    gan.step = 2
    assert "step/s" in progress.line(gan)
    assert progress.line(gan).endswith("left")


def test_slow_steps_are_told_before_they_are_logged(monkeypatch, capsys):
    """A generator that stands still takes long for the steps between two logged points."""
    gan = build_gan(config(*TINY))
    gan.log_every, gan.steps, gan.step = 50, 100, 0
    now = iter([0.0, 10.0, 35.0, 35.0, 35.0, 36.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    progress = ProgressLine()
    progress.on_train_start(None, gan)
    for gan.step in (1, 2):  # after 10 seconds, and after 35
        progress.on_train_batch_end(None, gan)
    assert capsys.readouterr().out == "step 2/100  0.0571 step/s · 28:35 left\n"


def test_time_left_of_a_run_that_ends_by_discriminator_updates(monkeypatch):
    gan = build_gan(config(*TINY, "schedule.steps=400", "schedule.max_d_steps=100"))
    progress = ProgressLine()
    progress.started, progress.first, progress.first_step = 0, 0, 0
    monkeypatch.setattr(time, "monotonic", lambda: 60.0)
    gan.step, gan.d_steps = 10, 50
    assert progress.line(gan) == "0.167 step/s · D update 50/100 · 1:00 left"


def test_mixed_precision_trains(tmp_path):
    ganexp(*TINY, "trainer.precision=bf16-mixed", "trainer=cpu", "hydra.run.dir=run", cwd=tmp_path)
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert all(t.dtype == torch.float32 and t.isfinite().all() for t in saved["state_dict"].values())


def test_a_users_own_loss_and_network(tmp_path, monkeypatch):
    """The guide's steps: a class, a YAML, a folder; then trusted by name to be sampled from."""
    (tmp_path / "my_parts.py").write_text(
        "from torch import nn\n"
        "class Quadratic:\n"
        "    def discriminator(self, d_real, d_fake):\n"
        "        return {'real': (d_real - 1).square().mean(), 'fake': (d_fake + 1).square().mean()}\n"
        "    def generator(self, d_fake):\n"
        "        return {'adversarial': (d_fake - 1).square().mean()}\n"
        "class Critic(nn.Module):\n"
        "    def __init__(self, resolution, channels):\n"
        "        super().__init__()\n"
        "        self.out = nn.Linear(channels * resolution**2, 1)\n"
        "    def forward(self, images, labels=None):\n"
        "        return self.out(images.flatten(1)).squeeze(1)\n"
        "class Painter(nn.Module):\n"
        "    def __init__(self, resolution, channels):\n"
        "        super().__init__()\n"
        "        self.shape, self.out = (channels, resolution, resolution), nn.Linear(64, channels * resolution**2)\n"
        "    def forward(self, z, labels=None):\n"
        "        return self.out(z).tanh().unflatten(1, self.shape)\n"
    )
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "quadratic.yaml").write_text("adversarial: {_target_: my_parts.Quadratic}\n")
    (tmp_path / "mine" / "model").mkdir()
    (tmp_path / "mine" / "model" / "flat.yaml").write_text(
        "latent: {_target_: ganexp.models.layers.Latent, dim: 64}\n"
        "generator: {_target_: my_parts.Painter, resolution: '${data.resolution}', channels: '${data.channels}'}\n"
        "discriminator: {_target_: my_parts.Critic, resolution: '${data.resolution}', channels: '${data.channels}'}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ("--config-dir", "mine", "loss=quadratic", "model=flat", "hydra.run.dir=run")
    ganexp(*words, *TINY, cwd=tmp_path)
    refused = ganexp("sample", "ckpt=run", "n=1", cwd=tmp_path, check=False)
    assert "_target_=my_parts." in refused.stderr
    monkeypatch.setenv("GANEXP_TRUST", "my_parts")
    ganexp("sample", "ckpt=run", "n=1", cwd=tmp_path)
