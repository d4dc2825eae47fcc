"""Compose the text that `ganexp --help` prints. Must not import torch.

Hydra's own --help prints the same, but takes a second to list the groups.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from string import Template
from textwrap import fill

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

LINE_LENGTH = 120


def help_text(config_name: str, overrides: Sequence[str], folders: Sequence[Path]) -> str:
    """Return the help text of conf/hydra/help, with the groups and the composed settings filled in.

    Args:
        config_name: the primary config.
        overrides: the overrides of the command line; the settings are shown with them.
        folders: the directories of config files: ganexp's own first, then the user's.

    Raises:
        hydra.errors.HydraException: the config cannot be composed.
    """
    search_path = ",".join(f"'file://{folder}'" for folder in folders[1:])
    with initialize_config_dir(str(folders[0]), version_base="1.3"):
        cfg = compose(config_name, [f"hydra.searchpath=[{search_path}]", *overrides], return_hydra_config=True)
    settings = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    template = Template(cfg.hydra.help.template)
    return template.substitute(APP_CONFIG_GROUPS=_list_groups(folders), CONFIG=OmegaConf.to_yaml(settings))


def _list_groups(folders: Sequence[Path]) -> str:
    """Return a paragraph for each config group: its name and its options."""
    options: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        for file in folder.rglob("*.yaml"):
            group = file.parent.relative_to(folder).as_posix()
            if group != "." and group.split("/")[0] != "hydra":
                options[group].add(file.stem)
    paragraphs = [f"{group}: {', '.join(sorted(names))}" for group, names in sorted(options.items())]
    return "\n".join(
        fill(text, LINE_LENGTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        for text in paragraphs
    )
