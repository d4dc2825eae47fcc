"""Generate wrong command lines, and wrong overrides that depend on the declared types of the settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torture_trials import RUN, SHORT, Trial, copy_run

from ganexp.config import schema
from ganexp.config.annotations import is_node, violations
from ganexp.config.composition import CONF, VERSION_BASE
from ganexp.config.instantiate import locate, parameters_of
from ganexp.config.texts import holds_text, parse


def _split(text: str) -> tuple[str, ...]:
    """Split a text at its vertical bars, and return the parts without line breaks."""
    return tuple(" ".join(part.split()) for part in text.split("|"))


PLAIN = ("callbacks=progress", "metrics=none", *SHORT)
FAKE = ("data=fake", "data.source.size=64", "data.resolution=32", "data.num_classes=3")
NARROW = ("model.generator.width=4", "model.discriminator.width=4")
WIDTHS = ("model.generator.widths=[8,8,8,8]", "model.discriminator.widths=[8,8,8,8]")
# Command lines that train for one step. Together, they contain most settings of most options.
BASES = (
    (
        "metrics/score=[is,fid,kid,neighbours,diversity,swd]",
        "metrics.samples=40",
        "metrics.batch_size=20",
        "metrics.extractor.updates=1",
        "callbacks=progress",
        *SHORT,
    ),
    ("loss=hinge", "model=sngan", *WIDTHS, *FAKE, *PLAIN, "optimizer=ttur"),
    (
        "loss=non_saturating",
        "loss/modifier=[flipped_labels,replay]",
        "augment=instance_noise",
        "model=dcgan",
        *NARROW,
        *FAKE,
        *PLAIN,
        "optimizer=dcgan",
    ),
    ("loss=cramer", "schedule.ema.decay=0.9", "schedule/lr_decay=linear", *PLAIN, "optimizer=adam_sgd"),
    ("loss=hinge", "schedule/updates=loss_limit", "schedule.updates.limit=0.5", "model.conditional=true", *PLAIN),
    ("loss=non_saturating", "loss/penalty=[r1,drift,dragan,zero_centred]", "optimizer=rmsprop", *PLAIN),
    ("loss=wgan", "schedule/updates=generator_first", *PLAIN),
    ("loss=began", "model=autoencoder", *FAKE, *PLAIN),
    ("loss=least_squares", "model=sagan", *WIDTHS, *FAKE, *PLAIN),
    ("loss=two_class", "model=sngan_cnn", *FAKE, *PLAIN),
    ("loss=wgan_gp", "model=progressive", "schedule/growth=progressive", *FAKE, *PLAIN),
    (
        "loss=hinge",
        "logger=[csv,tensorboard]",
        "callbacks=[curves,discriminator_logits,sample_grids,stop_on_accuracy]",
        "metrics=none",
        *SHORT,
    ),
    (
        "loss=non_saturating",
        "loss/auxiliary=classifier",
        "model=dcgan",
        *NARROW,
        *FAKE,
        "model.conditional=true",
        *PLAIN,
    ),
)
NUMBERS = _split(
    """
    nan | inf | -inf | -1 | 0 | 1 | 0.5 | 1e9 | 1e300 | 4294967295 | 1000000000000 | 123456789012345678901234567890
    """
)
OTHERS = _split(
    """
    abc | null | true | [] | [1,2,3] | [a,[b]] | {a: 1} | '' | 'a b' | ä | '${nope}' | '${seed}' | '${oc.env:NOPE}' |
    '${oc.decode:"["}' | '???'
    """
)
MISTYPED = _split(
    """
    schedule.stps=1 | seeed=1 | model.generator.wdith=1 | loss.adversarial.mragin=1 | optimizer.generator.lrr=1 |
    ++schedule.foo=3 | +schedule.foo=3 | +model.generator.foo=3 | ~nope | ~model.generator.nope | +foo.bar=1 |
    metrics.scores.fid.nope=1 | +data.path.x=1 | callbacks.progres.every=1 | trainer.max_epochs=3
    """
)
SYNTAX = _split(
    """
    loss=3 | loss=[hinge,wgan] | loss= | loss=nope | schedule={ | =5 | seed=1, | seed=1,2 | seed=[1 | ' | seed |
    loss/penalty=r1, | name=${nope} | name=${name} | name=${nope:1} | +seed=1 | schedule=[1] | ~schedule.steps |
    ~loss | schedule.steps.x=1 | schedule=null | model=null | data=null | loss=null | optimizer=null | metrics=null
    | trainer=null | callbacks=null | loss/penalty=null | seed==1 | seed=1=2 | schedule@loss=default |
    experiment=nope | experiment=[sagan/cifar10_2] | sweep=nope | hydra=nope | hydra.run.dir=/proc/x |
    hydra.run.dir=/dev/null | hydra.run.dir= | hydra.job.name= | hydra.mode=NOPE | hydra/launcher=nope |
    hydra.sweep.subdir=../x -m seed=1,2 | --config-dir=/nope | --config-name=nope | --config-path=/nope | -x |
    --nope | trian | --cfg=nope | --cfg | --experimental-rerun=/nope | --package=nope --cfg=job | override
    loss=hinge | -m loss=hinge,nope | -m seed=range(3 | -m seed=glob(x*) | -m | -m seed= | -m loss=hinge,wgan
    schedule.steps=abc | data=folder | data=folder data.path=/nope | data=folder data.path=/etc/hostname |
    data=mnist | data=cifar10 | data=digits data.path=/nope | loss.adversarial=null |
    model.generator._target_=os.system | model.latent=3 | optimizer.generator._target_=torch.optim.Nope |
    schedule.epochs=1 schedule.steps=1 | debug=nope | metrics=inception metrics.weights=/nope |
    metrics.references=[nope] | metrics.best_by=nope | as_published=nope
    """
)
LONG_PATH = f"hydra.run.dir={'x' * 300}"
COMMANDS = _split(
    """
    sample | sample ckpt= | sample ckpt=/nope | sample ckpt=. | sample ckpt=/dev/null | sample /nope | evaluate |
    evaluate ckpt= | evaluate ckpt=/nope | evaluate ckpt=. | evaluate images=/nope | evaluate images= | evaluate
    images=/dev/null | evaluate real=nope | describe loss=nope | describe estimate=perhaps | describe data.channels=2 |
    describe -m loss=hinge,nope | report | report /nope | report . | report --nope | report . images=perhaps | report
    --bundle | report --bundle . | resume | resume /nope | resume . | resume . schedule.steps=abc | resume . seed=3 |
    list nope | list --nope | help nope | --dry-run sample ckpt=.
    """
)
OF_RUNS = {
    "sample": ("accelerator=cpu", "n=4"),
    "evaluate": ("accelerator=cpu", "samples=40"),
}


def command_lines() -> Iterator[Trial]:
    """Yield wrong syntax, wrong commands and mistyped keys."""
    for text in (*SYNTAX, LONG_PATH, *COMMANDS):
        words = tuple(text.split(" "))
        yield Trial((*words, *([] if text in COMMANDS or "epochs" in text else SHORT)))
    for text in MISTYPED:
        key = text.lstrip("+~").partition("=")[0]
        yield Trial((*BASES[0], text), tuple(key.split(".")), must_fail=True)


def wrong_values() -> Iterator[Trial]:
    """Yield trials of training: one for each base, each setting of this base and each value; some values are valid."""
    schema.register()
    for base in BASES:
        yield from _values_of("train", base, base)


def wrong_values_of_commands(run: Path) -> Iterator[Trial]:
    """Yield trials on copies of a run.

    `sample` and `evaluate` are tried with each setting and each value, and `resume` with wrong numbers of steps.
    """
    schema.register()
    for command, small in OF_RUNS.items():
        overrides = (f"ckpt={RUN}", *small)
        for trial in _values_of(command, overrides, (command, *overrides)):
            yield Trial(trial.arguments, trial.named, trial.must_fail, lambda directory: copy_run(run, directory))
    for text in ("schedule.steps=0", "schedule.steps=-1", "schedule.steps=1", f"schedule.steps={'9' * 30}"):
        yield Trial(("resume", RUN, text), ("schedule.steps",), True, lambda directory: copy_run(run, directory))


def _values_of(config_name: str, overrides: Sequence[str], arguments: Sequence[str]) -> Iterator[Trial]:
    with initialize_config_dir(str(CONF), **VERSION_BASE):
        cfg = compose(config_name, list(overrides))
    root = OmegaConf.get_type(cfg)
    values = OmegaConf.to_container(cfg)
    assert isinstance(values, Mapping)
    for key, annotation in _settings(values, root, ""):
        for text in (*NUMBERS, *OTHERS, *_borders(annotation)):
            if text == "'???'" and "." not in key:
                continue
            yield Trial((*arguments, f"{key}={text}"), _names(key, text), _is_forbidden(text, key, annotation, root))


def _names(key: str, text: str) -> tuple[str, ...]:
    """Return texts, one of which an error must contain: the key's last part, its parent, or an interpolated name."""
    parents = (key.rpartition(".")[0],) if key.count(".") > 1 else ()
    return (key.rpartition(".")[2], *parents, *(("NOPE", "nope") if "${" in text else ()))


def _settings(values: Any, declared: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the declared type of each setting below `key`; Any stands for an undeclared type."""
    if (
        not isinstance(values, Mapping)
        or not values
        or not (is_dataclass(declared) or is_node(values) or _is_nodes(values))
    ):
        yield key, declared
        return
    annotations = _annotations(values, declared, key)
    for name, value in values.items():
        if name == "_target_" or not str(name).startswith("_"):
            yield from _settings(value, annotations.get(name, Any), f"{key}.{name}" if key else str(name))


def _is_nodes(values: Mapping[str, Any]) -> bool:
    return any(is_node(value) for value in values.values())


def _annotations(values: Mapping[str, Any], declared: Any, key: str) -> Mapping[str, Any]:
    if is_node(values):
        parameters = parameters_of(locate(values, key).func)
        return {name: parameter.annotation for name, parameter in (parameters or {}).items()}
    if is_dataclass(declared):
        return {field.name: field.metadata.get("annotation", field.type) for field in fields(declared)}
    return {}


def _borders(annotation: Any) -> Iterator[str]:
    """Yield numbers just outside the limits of a declared range; for a list, also yield a list with null."""
    for part in (annotation, *get_args(annotation)):
        for limit in getattr(part, "__metadata__", ()):
            for item in limit if isinstance(limit, GroupedMetadata) else (limit,):
                for kind, name, step in ((Ge, "ge", -1), (Gt, "gt", 0), (Le, "le", 1), (Lt, "lt", 0)):
                    border = getattr(item, name, None)
                    if isinstance(item, kind) and border is not None and abs(border) < 1e300:
                        yield str(border + step)
    if get_origin(annotation) is list:
        yield "[null]"


def _is_forbidden(text: str, key: str, annotation: Any, root: Any) -> bool:
    """Return whether the declared type of a setting forbids the value that ganexp reads from an override."""
    if "$" in text or text == "'???'" or holds_text(root, key):
        return False
    may_be_bool = bool in (annotation, *get_args(annotation))
    if may_be_bool and text.lstrip("-").isdigit():  # OmegaConf reads whole numbers as true and false
        return False
    override = _parse(f"key={text}")
    return override is None or any(violations(override.value(), annotation, key))


_parse = cache(parse)
