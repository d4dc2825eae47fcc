"""The training step, compared with a bare PyTorch loop, and its parts, such as labels and averaged weights."""

from copy import deepcopy

import pytest
import torch
from helpers.bench import BASE, MLP, Bench
from helpers.config import config

from ganexp.build import build_gan
from ganexp.errors import UserError

pytestmark = pytest.mark.slow


def test_equals_a_bare_loop():
    bench = Bench("loss=wgan_gp", "optimizer=adam", "schedule.updates.n_critic=2", "schedule.joint_batch=false")
    g, d = deepcopy(bench.gan.generator), deepcopy(bench.gan.discriminator)
    stream = deepcopy(bench.gan.stream)
    g_adam = torch.optim.Adam(g.parameters(), 2e-4, (0.0, 0.9), fused=True)
    d_adam = torch.optim.Adam(d.parameters(), 2e-4, (0.0, 0.9), fused=True)
    torch.manual_seed(5)
    for _ in range(3):
        for _ in range(2):
            real = next(stream).images
            fake = g(torch.empty(8, 64).normal_()).detach()
            mixed = torch.lerp(fake, real, torch.rand(8, 1, 1, 1)).requires_grad_()
            d_real, d_fake = d(real), d(fake)
            (slope,) = torch.autograd.grad(d(mixed).sum(), mixed, create_graph=True)
            penalty = 10 * (slope.flatten(1).square().sum(1).sqrt() - 1).square().mean()
            d_adam.zero_grad()
            (-d_real.mean() + d_fake.mean() + penalty).backward()
            d_adam.step()
        g_adam.zero_grad()
        (-d(g(torch.empty(8, 64).normal_())).mean()).backward()
        g_adam.step()
    torch.manual_seed(5)
    bench.step(3)
    expected = [*g.parameters(), *d.parameters()]
    for ours, bare in zip(bench.gan.parameters(), expected, strict=True):
        assert torch.allclose(ours, bare, atol=1e-6)
    assert (bench.gan.step, bench.gan.d_steps, bench.gan.images_seen) == (3, 6, 48)


@pytest.mark.parametrize(
    ("words", "events"),
    [
        (("schedule.updates.n_critic=3",), "DDDG"),
        (("schedule.updates.n_critic=2", "schedule.updates.order=generator_first"), "GDD"),
        (("schedule.updates.n_critic=1", "schedule.updates.order=simultaneous"), "DG"),
    ],
)
def test_order_of_updates(words, events):
    bench = Bench(*words)
    bench.step()
    assert "".join(bench.events) == events


def test_simultaneous_gradients_are_taken_at_the_same_weights():
    """The generator's gradient uses D's weights before D's update, so freezing D does not change the generator."""
    words = ("loss=non_saturating", "schedule.updates.n_critic=1", "schedule.updates.order=simultaneous")
    generators = []
    for frozen in (False, True):
        bench = Bench(*words)
        if frozen:
            bench.optimizers[1].step = lambda: None
        torch.manual_seed(1)
        bench.step()
        generators.append([p.detach().clone() for p in bench.gan.generator.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*generators, strict=True))


def test_generator_update_leaves_no_gradient_on_discriminator():
    bench = Bench("loss=hinge", "schedule.updates.n_critic=1", "schedule.updates.order=generator_first")
    gradients = []
    generator_step = bench.optimizers[0].step

    def step():
        gradients.extend(p.grad for p in bench.gan.discriminator.parameters())
        generator_step()

    bench.optimizers[0].step = step
    bench.step()
    assert gradients
    assert all(gradient is None for gradient in gradients)
    assert all(p.grad is not None for p in bench.gan.generator.parameters())


@pytest.mark.parametrize(("fakes", "different"), [("fresh", 4), ("shared", 1)])
def test_fresh_and_shared_fakes(fakes, different):
    bench = Bench("schedule.updates.n_critic=3", f"schedule.updates.fakes={fakes}")
    latents = []
    sample = bench.gan.latent.sample
    bench.gan.latent.sample = lambda *args, **kw: latents.append(sample(*args, **kw)) or latents[-1]
    bench.step()
    assert len(latents) == different


@pytest.mark.parametrize(("reuse", "batches"), [("false", 3), ("true", 1)])
def test_reuse_of_the_real_batch(reuse, batches):
    bench = Bench("schedule.updates.n_critic=3", f"schedule.updates.reuse_real={reuse}")
    bench.step()
    assert bench.gan.stream.position == batches
    assert bench.gan.images_seen == 24


@pytest.mark.parametrize("change", [lambda x: x.repeat(1, 1, 2, 2), lambda x: x.flatten(1), lambda x: (x, x)])
@pytest.mark.parametrize("fakes", ["fresh", "shared"])
def test_generated_images_of_another_shape_are_refused(change, fakes):
    bench = Bench(f"schedule.updates.fakes={fakes}")
    bench.gan.generator.register_forward_hook(lambda network, inputs, images: change(images))
    with pytest.raises(UserError, match=r"model\.generator: must return images of shape \(8, 1, 8, 8\), .* returned"):
        bench.step()


def test_labels_of_the_fakes():
    bench = Bench("model.conditional=true", "schedule.updates.n_critic=1")
    batches = watch_batches(bench.gan)
    bench.step()
    assert torch.equal(batches["discriminator"][0].real_labels, batches["discriminator"][0].fake_labels)
    bench.gan.update_rule.labels["discriminator"] = "uniform"
    bench.step(40)
    drawn = torch.cat([batch.fake_labels for batch in batches["discriminator"][1:]])
    real = torch.cat([batch.real_labels for batch in batches["discriminator"][1:]])
    assert drawn.unique().numel() == 10
    assert not torch.equal(drawn, real)


def test_unconditional_training_ignores_labels():
    bench = Bench()
    batches = watch_batches(bench.gan)
    bench.step()
    for batch in (*batches["generator"], *batches["discriminator"]):
        assert batch.real_labels is None
        assert batch.fake_labels is None


def test_constraint_follows_every_discriminator_update():
    bench = Bench("loss=wgan", "optimizer=rmsprop")
    bench.step()
    assert max(p.abs().max() for p in bench.gan.discriminator.parameters()) <= 0.01


def test_half_precision_never_meets_stale_weights():
    """Autocast may keep a weight's half-precision copy, but a copy made before an update or within no_grad is wrong."""
    found = []
    for cached in (True, False):
        bench = Bench("schedule.updates.n_critic=3")
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=cached):
            torch.manual_seed(1)
            bench.step(2)
        found.append(bench.weights())
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.parametrize("loss", ["hinge", "wgan", "least_squares", "cramer", "two_class"])
def test_losses_of_half_precision_networks_are_taken_in_full(loss):
    bench = Bench(f"loss={loss}", "schedule.updates.n_critic=1")
    bench.gan.log_every = 1
    bench.gan._log_losses = lambda: None
    with torch.autocast("cpu", torch.bfloat16):
        assert bench.gan.discriminator(torch.zeros(2, 1, 8, 8)).dtype == torch.bfloat16
        bench.step()
    assert {term.dtype for term in bench.gan._values.last.values()} == {torch.float32}


def test_average_of_the_generator():
    bench = Bench("schedule.ema.decay=0.9", "schedule.ema.start=1", "model.generator.norm=batch", "loss=hinge")
    gan = bench.gan
    bench.step()  # before the start, the average equals the generator
    first = [p.detach().clone() for p in gan.generator.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(gan.averaged_generator.parameters(), first, strict=True))
    bench.step()
    for average, before, after in zip(
        gan.averaged_generator.parameters(), first, gan.generator.parameters(), strict=True
    ):
        assert torch.allclose(average, 0.9 * before + 0.1 * after, atol=1e-6)
    for average, buffer in zip(gan.averaged_generator.buffers(), gan.generator.buffers(), strict=True):
        assert torch.equal(average, buffer)
    assert gan.sampling_generator is gan.averaged_generator


def test_learning_rates_decay_to_zero():
    """In step k of N, the learning rate is multiplied by 1 - k / N; the result is exact to 1e-15."""
    bench = Bench("schedule/lr_decay=linear", "schedule.steps=7", "schedule.evaluate_every=7", "optimizer=ttur")
    for step in range(8):
        factor = 1 - step / 7
        assert rates(bench) == pytest.approx([1e-4 * factor, 4e-4 * factor], rel=0, abs=1e-15)
        bench.step()


def rates(bench):
    return [optimizer.param_groups[0]["lr"] for optimizer in bench.optimizers]


def test_decay_gives_the_weights_of_rates_that_are_set_by_hand():
    words = (
        "schedule.steps=6",
        "schedule.evaluate_every=6",
        "schedule.lr_decay.start=0.25",
        "schedule.lr_decay.end=0.1",
    )
    scheduled = Bench("schedule/lr_decay=linear", *words)
    by_hand = Bench(*words[:2])
    first_rates = rates(by_hand)
    for bench in (scheduled, by_hand):
        torch.manual_seed(4)
        for step in range(6):
            progress = step / 6
            factor = 1.0 if progress <= 0.25 else 1.0 + (0.1 - 1.0) * (progress - 0.25) / (1.0 - 0.25)
            if bench is by_hand:
                for optimizer, rate in zip(bench.optimizers, first_rates, strict=True):
                    optimizer.param_groups[0]["lr"] = rate * factor
            bench.step()
    assert all(torch.equal(*pair) for pair in zip(scheduled.weights(), by_hand.weights(), strict=True))


@pytest.mark.parametrize(("network", "index"), [("generator", 0), ("discriminator", 1)])
def test_clipped_gradient_has_the_closed_form(network, index):
    """If the norm |g| over all weights is more than the maximum, the gradient g becomes g · maximum / (|g| + 1e-6)."""
    words = ("loss=hinge", "schedule.updates.n_critic=1")
    gradients = []
    for clip in ((), (f"schedule.clip_gradients.{network}=0.01",)):
        bench = Bench(*words, *clip)
        step_optimizer = bench.optimizers[index].step
        weights = list(bench.gan.networks[network].parameters())

        def step(weights=weights, step_optimizer=step_optimizer):
            gradients.append([weight.grad.clone() for weight in weights])
            step_optimizer()

        bench.optimizers[index].step = step
        torch.manual_seed(2)
        bench.step()
    plain, clipped = gradients
    norm = torch.stack([gradient.square().sum() for gradient in plain]).sum().sqrt()
    assert norm > 0.01
    for before, after in zip(plain, clipped, strict=True):
        assert torch.allclose(after, before * 0.01 / (norm + 1e-6), rtol=1e-5, atol=0)


def test_gradient_below_the_largest_norm_keeps_its_bits():
    weights = []
    for clip in ((), ("schedule.clip_gradients.generator=1e6", "schedule.clip_gradients.discriminator=1e6")):
        bench = Bench("loss=hinge", *clip)
        torch.manual_seed(2)
        bench.step(2)
        weights.append(bench.weights())
    assert all(torch.equal(*pair) for pair in zip(*weights, strict=True))


def test_nothing_is_clipped_by_default(monkeypatch):
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", None)  # a call would fail
    Bench().step()


def test_integer_betas_are_coerced():
    cfg = config(*BASE, *MLP, "optimizer.generator.betas=[0,0.9]", "optimizer.discriminator.betas=[0,1]")
    with pytest.raises(Exception, match="beta"):
        build_gan(cfg)
    optimizer = Bench("optimizer.generator.betas=[0,0.9]").optimizers[0]
    assert optimizer.param_groups[0]["betas"] in ([0.0, 0.9], (0.0, 0.9))


def test_learning_rates_scale_with_the_batch():
    bench = Bench("optimizer=ttur", "schedule.lr_reference_batch=32")
    assert [each.param_groups[0]["lr"] for each in bench.optimizers] == pytest.approx([2.5e-5, 1e-4])


def test_a_loss_limit_gives_the_discriminator_its_burst():
    words = ("loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=")
    high, low = Bench(*words[:-1], f"{words[-1]}0.0"), Bench(*words[:-1], f"{words[-1]}100")
    for bench in (high, low):
        bench.step(2)
    assert "".join(high.events) == "GDDDDDGDDDDD"
    assert "".join(low.events) == "GDGD"
    assert (high.gan.d_steps, high.gan.stream.position) == (10, 10)


def test_a_step_that_would_not_end_ends_with_the_run():
    words = ("schedule.updates.repeat_burst=true", "schedule.updates.epoch=100000", "schedule.max_d_steps=30")
    bench = Bench("loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=0.0", *words)
    bench.step()
    assert bench.gan.d_steps == 30
    assert bench.gan._trainer.should_stop


def test_real_pixels_lie_in_the_chosen_range():
    images = next(Bench("data.range=unit").gan.stream).images
    assert images.min() >= 0
    assert images.max() > 0.9
    assert torch.allclose(next(Bench().gan.stream).images, images * 2 - 1, atol=1e-6)


def test_loss_that_needs_reals_gets_them_in_generator_update():
    bench = Bench("loss=cramer", "loss.logits=6", "schedule.updates.n_critic=1")
    batches = watch_batches(bench.gan)
    outputs = []
    loss = bench.gan.objective.adversarial
    generator_loss = loss.generator

    def generator(d_fake, d_real):
        outputs.append((d_real, bench.gan.discriminator(batches["generator"][-1].real)))
        return generator_loss(d_fake, d_real)

    loss.generator = generator
    bench.step()
    d_real, expected = outputs[0]
    assert torch.equal(d_real, expected)
    assert not d_real.requires_grad


def test_backward_runs_outside_autocast():
    """Second-order gradients of a penalty must not be taken in half precision."""
    bench = Bench("loss=wgan_gp", "schedule.updates.n_critic=1")
    enabled = []

    def backward(loss, **kwargs):
        enabled.append(torch.is_autocast_enabled("cpu"))
        loss.backward(**kwargs)

    bench.gan.manual_backward = backward
    with torch.autocast("cpu", torch.bfloat16):
        bench.step()
    assert enabled == [False, False]


def test_networks_that_ask_are_told_the_progress():
    bench = Bench("schedule.steps=4", "schedule.updates.n_critic=1", "schedule.ema.decay=0.9")
    told = {"generator": [], "average": []}
    gan = bench.gan
    gan.generator.set_progress = told["generator"].append
    gan.averaged_generator.network.set_progress = told["average"].append
    gan._told_progress = [module for module in gan.modules() if hasattr(module, "set_progress")]
    bench.step(4)
    assert told["generator"] == told["average"] == [0, 0.25, 0.5, 0.75]


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # D is not updated in every step
@pytest.mark.parametrize(
    ("overrides", "steps"),
    [
        (("schedule.updates.n_critic=5",), 4),
        (("schedule.updates.n_critic=1", "schedule.updates.n_gen=2"), 40),
        (("loss.n_critic=1", "schedule/updates=loss_limit", "schedule.updates.limit=0"), 4),
    ],
)
def test_schedules_end_where_max_d_steps_ends_the_run(overrides, steps):
    words = ("loss=hinge", "schedule.steps=1000", "schedule.max_d_steps=20", "schedule/lr_decay=linear")
    bench = Bench(*words, "augment=instance_noise", "augment.instance_noise.std=1", *overrides)
    (noise,) = bench.gan.objective.augmentations
    rates = [group["lr"] for optimizer in bench.optimizers for group in optimizer.param_groups]
    for step in range(steps):
        assert not bench.gan.is_done
        done = bench.gan.d_steps / 20
        bench.step()
        assert noise.deviation.item() == pytest.approx(1 - max(done, step / 1000))
        left = 1 - max(bench.gan.d_steps / 20, (step + 1) / 1000)
        now = [group["lr"] for optimizer in bench.optimizers for group in optimizer.param_groups]
        assert now == pytest.approx([rate * left for rate in rates])
    assert bench.gan.is_done
    assert now == [0] * len(rates)


def watch_batches(gan):
    """Return a dictionary that collects, for each network, the batches of its updates."""
    batches = {name: [] for name in gan.networks}
    terms = gan.objective.terms

    def watched(network, networks, batch):
        batches[network].append(batch)
        return terms(network, networks, batch)

    gan.objective.terms = watched
    return batches


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_fixed_weights_of_a_network_are_not_trained(network):
    words = ("loss=non_saturating", "loss/penalty=r1", "schedule.ema.decay=0.9")
    bench = Bench(*words, "schedule.clip_gradients.discriminator=1", "schedule.accumulate=2")
    bench.gan.log_every, bench.gan.log_values = 1, lambda values: None
    trained = dict(bench.gan.networks.named_parameters())
    fixed = {name for name in trained if name.startswith(f"{network}.") and trained[name].ndim == 2}
    for name in fixed:
        trained[name].requires_grad_(False)
    before = {name: each.detach().clone() for name, each in trained.items()}
    bench.step(2)
    assert fixed
    assert {name for name, each in trained.items() if torch.equal(each, before[name])} == fixed
