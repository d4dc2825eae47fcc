"""The options of config groups, and configs as flat dictionaries."""

from omegaconf import OmegaConf

from ganexp.cli import CONF


def options(group):
    """Return the names of the YAML files below a directory of conf, such as hinge and penalty/r1 below conf/loss."""
    return sorted(str(file.relative_to(CONF / group).with_suffix("")) for file in (CONF / group).rglob("*.yaml"))


def flat(node, key=""):
    """Return all values of a config in one dictionary with dotted keys; a list counts as one value."""
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node)
    if not isinstance(node, dict):
        return {key: node}
    below = [flat(value, f"{key}.{name}" if key else str(name)) for name, value in node.items()]
    return {name: value for part in below for name, value in part.items()}
