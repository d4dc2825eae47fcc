"""What is wrong with the words of a command line, in a few lines: the word, what there is, what was perhaps meant."""

import re
from difflib import get_close_matches
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException


def advise(error: Exception, words: list[str], folders: list[Path], config_name: str) -> str:
    """A few lines on `error`, which Hydra raised for `words` while composing `config_name` from `folders` of YAML."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).removesuffix(".yaml").rpartition("/")
        while "/" in group and not any(word.lstrip("+").startswith(f"{group}=") for word in words):
            group, _, above = group.rpartition("/")  # experiment=sagan/cifar10_9
            option = f"{above}/{option}"
        there = options(group, folders)
        beside = [name for name in there if "/" in name and name.split("/")[0] == option.split("/")[0]]
        if there:
            return _unknown(f"{group}={option}", group, option, beside or there, "=")
    if "Config group override must be" in str(error):
        for word in words:
            group, _, value = word.lstrip("+").partition("=")
            if {"null", "None", ""} & set(value.split(",")) and (found := options(group, folders)):
                return (
                    f"{word}: {group} has {', '.join(found)}; leave the word out to choose none,\n"
                    f"or take away what an experiment has chosen: ~{group}"
                )
    if match := re.search(r"Could not (?:override|delete from config\.) '([\w./@-]+)'", str(error)):
        if "@experiment" in match[1]:
            group = match[1].split("@")[0]
            return (
                f"override /{group}: a case may choose for other groups only if the first line of its YAML is\n"
                "# @package _global_"
            )
        return _unknown_key(match[1], words, folders, config_name)
    cause = error.__cause__
    lines = str(error).splitlines() + (str(cause).splitlines()[:1] if isinstance(cause, OmegaConfBaseException) else [])
    return "\n".join(line for line in lines if not line.strip().startswith(("full_key:", "object_type=", "reference_")))


def options(group: str, folders: list[Path]) -> list[str]:
    """The options of a group; of one that has folders alone, such as experiment, FOLDER/OPTION."""
    if not group:
        return []
    flat = any((folders[0] / group).glob("*.yaml"))
    files = {file.relative_to(f / group) for f in folders for file in (f / group).glob("*.yaml")}
    if not flat:
        files |= {file.relative_to(f / group) for f in folders for file in (f / group).glob("*/*.yaml")}
    return sorted(str(file.with_suffix("")) for file in files)


def _unknown(word: str, what: str, name: str, there: list[str], joint: str) -> str:
    lines = [f"{word}: there is no such {'option' if joint == '=' else 'setting'}."]
    lines += [f"{what} has: {', '.join(there)}" if what else f"There are: {', '.join(there)}"]
    if close := get_close_matches(name, there, n=3, cutoff=0.5):
        lines += [f"Did you mean {' or '.join(f'{what}{joint}{match}' if what else match for match in close)}?"]
    return "\n".join(lines)


def _unknown_key(key: str, words: list[str], folders: list[Path], config_name: str) -> str:
    groups = {str(p.parent.relative_to(f)) for f in folders for p in f.rglob("*.yaml") if p.parent != f}
    groups = {"experiment" if group.startswith("experiment/") else group for group in groups}
    groups = {group for group in groups if not group.startswith("hydra")}
    if config_name in ("evaluate", "sample"):  # a run is there already
        groups &= {"metrics"} if config_name == "evaluate" else set()
    if "/" in key:
        return _unknown(key, "", key, sorted(groups), "=")
    cfg = _composed(key, words, folders, config_name)
    within = ""
    for name in key.split("."):
        at = f"{within}.{name}" if within else name
        if not isinstance(OmegaConf.select(cfg, at), DictConfig):
            break
        within = at
    there = {str(child) for child in (OmegaConf.select(cfg, within) if within else cfg) if not child.startswith("_")}
    return _unknown(key, within, name, sorted(there if within or "." in key else there | groups), ".")


def _composed(key: str, words: list[str], folders: list[Path], config_name: str) -> DictConfig:
    """The config without the unknown key, as far as the other words let it be composed."""
    own = f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in folders[1:])}]"
    plain = [word for word in words if "=" in word and word[0] != "-" and word.split("=")[0].lstrip("+~") != key]
    choices = [word for word in plain if "." not in word.split("=")[0]]
    with initialize_config_dir(str(folders[0]), version_base="1.3"):
        for chosen in (plain, choices, []):  # where another word is wrong, or sweeps, fewer will do
            try:
                return compose(config_name, [own, *chosen])
            except Exception:
                continue
    return OmegaConf.create()
