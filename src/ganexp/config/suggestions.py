"""Explain an override that Hydra refuses: name it, list the valid options, and suggest the closest match.

There is one function for each kind of error. It returns an empty string for other errors. This module must not import
torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError

from ganexp.config.annotations import describe, show, whole_form
from ganexp.config.composition import compose_config, group_options
from ganexp.config.file_overrides import default_groups, refused_in_file
from ganexp.config.hydra_messages import file_of, is_group_value_error, missing_deletion, unmatched_group
from ganexp.config.texts import holds_list, is_group, parse, quoted_form
from ganexp.errors import MAX_SUGGESTIONS, did_you_mean

SYNONYMS = {  # names of settings in other programs, each with ganexp's name
    "learning_rate": "lr",
    "batchsize": "batch_size",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "iterations": "steps",
    "num_steps": "steps",
    "dataset": "data",
    "device": "accelerator",
    "gpus": "devices",
    "z_dim": "dim",
    "latent_dim": "dim",
}
OF_OTHER_PARTS = ("hydra", "metrics")  # users rarely mean settings in these parts of the config
NO_OPTION = {"null", "None", ""}


@dataclass
class CommandLine:
    """The input of a composition that failed.

    Args:
        overrides: the overrides, without Hydra's flags.
        folders: the directories of config files, ganexp's own first.
        config_name: the primary config, such as train.
    """

    overrides: list[str]
    folders: list[Path]
    config_name: str


def explain(error: Exception, overrides: list[str], folders: list[Path], config_name: str) -> str:
    """Return a message about `error`, which Hydra raised when it composed `config_name` from the files in `folders`."""
    line = CommandLine(overrides, folders, config_name)
    for explanation in EXPLANATIONS:
        if text := explanation(error, line):
            return text
    cause = error.__cause__
    lines = str(error).splitlines()
    if isinstance(cause, OmegaConfBaseException):
        lines += str(cause).splitlines()[:1]
    return "\n".join(text for text in lines if not text.strip().startswith(("full_key:", "object_type=", "reference_")))


def unreadable_text(error: Exception, line: CommandLine) -> str:
    """Explain data.path=archive (1): Hydra needs quotes around some characters, such as brackets."""
    if not isinstance(error, OverrideParseException):
        return ""
    quoted = quoted_form(error.override, line.config_name)
    return f"{error.override}: Hydra can read this string only in quotes. Write: {quoted}" if quoted else ""


def text_or_sweep(error: Exception, line: CommandLine) -> str:
    """Explain data.path=a,b without --multirun: the value may be a sweep, a list, or a string with a comma."""
    if "Ambiguous value for argument" not in str(error):
        return ""
    for override in line.overrides:
        read = parse(override)
        if read is None or not read.is_sweep_override():
            continue
        command = "" if line.config_name == "train" else f" {line.config_name.partition('_')[0]}"
        forms = {"A sweep over the values": f"ganexp{command} -m {override}"}
        key, _, value = override.partition("=")
        if holds_list(line.config_name, key.lstrip("+")) or _takes_several(key, line.folders):
            forms["A list of values"] = f"{key}=[{value}]"
        elif not is_group(key, line.folders) and (quoted := quoted_form(override, line.config_name)):
            forms["One string"] = quoted
        listed = "\n".join(f"{f'{name}:':25}{form}" for name, form in forms.items())
        return f"{override}: a comma separates the values of a sweep, but this is a single run.\n{listed}"
    return ""


def _takes_several(group: str, folders: list[Path]) -> bool:
    """Return whether a group, such as callbacks, has a list of options by default."""
    return isinstance(default_groups(folders).get(group), list)


def unknown_option(error: Exception, line: CommandLine) -> str:
    """Explain loss=hing: the group has no such option."""
    if not isinstance(error, MissingConfigException) or not error.missing_cfg_file:
        return ""
    group, _, option = str(error.missing_cfg_file).removesuffix(".yaml").rpartition("/")
    groups = {override.lstrip("+").partition("=")[0] for override in line.overrides}
    while "/" in group and group not in groups:  # for example, for experiment=sagan/cifar10_9
        group, _, parent = group.rpartition("/")
        option = f"{parent}/{option}"
    options = options_of(group, line.folders)
    siblings = [name for name in options if "/" in name and name.split("/")[0] == option.split("/")[0]]
    return _list_options(group, option, siblings or options) if options else ""


def no_option(error: Exception, line: CommandLine) -> str:
    """Explain loss/penalty=null or callbacks=null: say how to choose none of the options, if this is possible."""
    if not is_group_value_error(error):
        return ""
    for override in line.overrides:
        group, _, value = override.lstrip("+").partition("=")
        options = options_of(group, line.folders)
        if NO_OPTION & set(value.split(",")) and options:
            if "none" in options:
                advice = f"to choose none: {group}=none"
            elif default_groups(line.folders).get(group) is not None:
                advice = "give one of them, or leave the override out to choose the default"
            else:
                advice = f"leave the override out to choose none,\nor remove what an experiment has chosen: ~{group}"
            return f"{override}: {group} has {', '.join(options)}; {advice}"
    return ""


def unknown_setting(error: Exception, line: CommandLine) -> str:
    """Explain schedule.stepss=3: the config has no such key."""
    cause = error.__cause__
    if not isinstance(cause, (ConfigKeyError, ConfigAttributeError)) or not cause.full_key:
        return ""
    return list_settings(str(cause.full_key), cause.parent_node, line)


def wrong_type(error: Exception, line: CommandLine) -> str:
    """Explain schedule.steps=many: the schema does not allow this value."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError) or not is_dataclass(cause.object_type):
        return ""
    for field in fields(cause.object_type):
        if field.name == cause.key:
            allowed = field.metadata.get("annotation", field.type)
            text = (
                f"{cause.full_key}={show(cause.value)}: must be {describe(allowed)}{whole_form(cause.value, allowed)}"
            )
            return text + _quotes_for(str(cause.full_key), line)
    return ""


def _quotes_for(key: str, line: CommandLine) -> str:
    """Return how to write a string that Hydra has read as a list or mapping because of its brackets."""
    for override in line.overrides:
        name, _, value = override.lstrip("+").partition("=")
        quoted = quoted_form(override, line.config_name) if name == key and value[:1] in ("[", "{") else ""
        if quoted:
            return f"\nA string with brackets needs its own quotes. Write: {quoted}"
    return ""


def unknown_group(error: Exception, line: CommandLine) -> str:
    """Explain schedule/lr_decays=linear: there is no such group, or a config file may not choose its options."""
    name = unmatched_group(error)
    if not name:
        return ""
    if reason := refused_in_file(error, line.folders, _groups(line)):
        return reason
    if file := file_of(error):
        name = name.split("@")[0]
        return _list_names(f"{file}.yaml, override /{name}", "", name, _groups(line))
    if "/" in name:
        return _list_names(name, "", name, _groups(line))
    return list_settings(name, _compose_without(name, line), line)


def unknown_deletion(error: Exception, line: CommandLine) -> str:
    """Explain the error of an override such as ~model.generator.hiden, which deletes a key that does not exist."""
    key = missing_deletion(error)
    if not key:
        return ""
    if "/" in key:
        return _list_names(key, "", key, _groups(line))
    cfg = _compose_without(key, line)
    parent = key.rpartition(".")[0]
    while parent and not isinstance(OmegaConf.select(cfg, parent), DictConfig):
        parent = parent.rpartition(".")[0]
    below = key.removeprefix(f"{parent}.").split(".")[0]
    return list_settings(f"{parent}.{below}" if parent else below, OmegaConf.select(cfg, parent or "."), line)


def interpolated_option(error: Exception, line: CommandLine) -> str:
    """Explain loss=${oc.env:NOPE}: an option of a group is chosen by an interpolation that cannot be resolved."""
    if not str(error).startswith("Error resolving interpolation"):
        return ""
    for override in line.overrides:
        group, _, option = override.lstrip("+").partition("=")
        if "${" in option and is_group(group.partition("@")[0], line.folders):
            return f"{override}: this interpolation cannot be resolved. Write the option itself: {group}=OPTION"
    return ""


EXPLANATIONS = (
    unreadable_text,
    text_or_sweep,
    unknown_option,
    no_option,
    unknown_setting,
    wrong_type,
    unknown_group,
    unknown_deletion,
    interpolated_option,
)


def options_of(group: str, folders: list[Path]) -> list[str]:
    """Return the options of a group, as DIRECTORY/OPTION if the group has only directories, like experiment."""
    if not group:
        return []
    has_files = any((folders[0] / group).glob("*.yaml"))
    patterns = ["*.yaml"] if has_files else ["*.yaml", "*/*.yaml"]
    files = {
        file.relative_to(folder / group)
        for folder in folders
        for pattern in patterns
        for file in (folder / group).glob(pattern)
    }
    return sorted(str(file.with_suffix("")) for file in files)


def _groups(line: CommandLine) -> list[str]:
    """Return the groups of a command. Directories of experiments do not count as groups."""
    groups = group_options(line.config_name, line.folders)
    return sorted({"experiment" if name.startswith("experiment/") else name for name in groups})


def list_settings(key: str, parent: DictConfig | None, line: CommandLine) -> str:
    """Return a message that there is no setting `key`, and why; if no reason is known, it lists existing settings."""
    from ganexp.config.trainer_arguments import reason_against

    if reason := reason_against(key):
        return f"{key}: {reason}"
    within, _, name = key.rpartition(".")
    names = {str(child) for child in parent or ()}
    names = {child for child in names if not child.startswith("_") and child != "hydra"}
    if not within:
        names |= set(_groups(line))
    meant = list(settings_called(SYNONYMS.get(name, name), parent))
    return _list_names(key, within, name, sorted(names), meant)


def settings_called(name: str, node: DictConfig | None) -> Iterator[str]:
    """Yield the dotted keys in `node` that end in `name`, such as optimizer.generator.lr for lr.

    Keys within `OF_OTHER_PARTS` are left out.
    """
    if not isinstance(node, DictConfig):
        return
    for child in map(str, node):
        if child == name:
            yield child
        elif child not in OF_OTHER_PARTS and not OmegaConf.is_interpolation(node, child):
            below = None if OmegaConf.is_missing(node, child) else node[child]
            yield from (f"{child}.{key}" for key in settings_called(name, below))


def _list_names(key: str, within: str, name: str, names: list[str], meant: list[str] | None = None) -> str:
    listed = (
        f"{within} has: {', '.join(names) or 'no settings'}" if within else f"Available settings: {', '.join(names)}"
    )
    prefix = f"{within}." if within else ""
    called = [f"{prefix}{match}" for match in (meant or ())[:MAX_SUGGESTIONS]]
    question = f"Did you mean {' or '.join(called)}?" if called else did_you_mean(name, names, prefix)
    return "\n".join(filter(None, [f"{key}: there is no such setting.", listed, question]))


def _list_options(group: str, option: str, options: list[str]) -> str:
    lines = [f"{group}={option}: there is no such option.", f"{group} has: {', '.join(options)}"]
    return "\n".join(filter(None, [*lines, did_you_mean(option, options, f"{group}=")]))


def _compose_without(key: str, line: CommandLine) -> DictConfig:
    """Compose the config without the override of `key`, and with even fewer overrides if that fails.

    Return an empty config if no attempt succeeds.
    """
    settings = [override for override in line.overrides if "=" in override and override[0] != "-"]
    keys = {override: override.split("=")[0].lstrip("+~") for override in settings}
    plain = [override for override in settings if keys[override] != key]
    choices = [override for override in plain if "." not in keys[override]]
    for overrides in (plain, choices, []):
        try:
            return compose_config(line.config_name, overrides, line.folders)
        except Exception:  # whatever is wrong with these overrides
            continue
    return OmegaConf.create()
