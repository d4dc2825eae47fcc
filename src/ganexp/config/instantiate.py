"""Build the objects that a config describes, after checking every argument against the signature of its target.

A node is a mapping with a `_target_`, the dotted path of a class or function; its other keys are the arguments. Each
argument is checked against the annotation of its parameter before anything is built, so that an error names the
key, the value and the allowed values. Importing this module must not import torch.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from ganexp.config.annotations import describe, is_data, is_node, show, violations
from ganexp.config.composition import any_target_allowed
from ganexp.console import count
from ganexp.errors import UserError, shorten

SPECIAL = ("_target_", "_args_", "_partial_", "_convert_", "_recursive_")  # Hydra's own keys of a node
# Errors that constructors raise for a wrong argument. The last three are raised for numbers that are too large.
CONSTRUCTOR_ERRORS = (TypeError, ValueError, KeyError, ImportError, RuntimeError, OverflowError, MemoryError)

Parameters = dict[str, inspect.Parameter]


class UnknownArgument(UserError):
    """Raised for a setting that is not an argument of its target.

    Attributes:
        key: key of the node, such as model.generator.
        argument: name of the setting in the node.
        target: dotted path of the class or function.
    """

    def __init__(self, message: str, key: str = "", argument: str = "", target: str = "") -> None:
        super().__init__(message)
        self.key, self.argument, self.target = key, argument, target


def instantiate(node: Mapping[str, Any] | None, key: str, /, **arguments: Any) -> Any:
    """Build the object that `node` describes, including the objects of nested nodes.

    Args:
        node: the config of the object; None builds nothing.
        key: the dotted key of the node in the config, for error messages.
        arguments: further arguments of the target, passed as they are and not checked.

    Returns:
        The object; or the target with its arguments, to be called later, if the node has `_partial_: true`; or None if
        `node` is None.

    Raises:
        UnknownArgument: a setting is not an argument of the target.
        UserError: the target cannot be imported, an argument is missing or not allowed, or a constructor raises an
            error.
    """
    if node is None:
        return None
    if not isinstance(node, Mapping):  # Mapping includes DictConfig
        raise UserError(
            f"{key}={show(node)}: must be a node with a _target_, or null. Choose an option of its group instead"
        )
    tree = to_plain(node)
    check(tree, key, arguments)
    return _build(tree, key, arguments)


def instantiate_all(nodes: Mapping[str, Any], key: str, /, **arguments: Any) -> dict[str, Any]:
    """Build the nodes of a mapping; return the objects under the same names in the same order, without null entries."""
    return {name: instantiate(node, f"{key}.{name}", **arguments) for name, node in nodes.items() if node is not None}


def to_plain(node: Mapping[str, Any], resolve: bool = True) -> dict[str, Any]:
    """Return `node` as plain dictionaries and lists, by default with every interpolation resolved."""
    plain: Any = OmegaConf.to_container(node, resolve=resolve) if OmegaConf.is_config(node) else dict(node)
    return plain


def target_name(node: Mapping[str, Any]) -> str:
    """Return the name of the class or function in `_target_` of `node`, without its module."""
    return str(node["_target_"]).rsplit(".", 1)[-1]


def check(
    node: Mapping[str, Any],
    key: str,
    given: Mapping[str, Any] | None = None,
    types: Mapping[str, Any] | None = None,
) -> None:
    """Check the arguments of `node`, and of the nodes within it, against the signatures of their targets.

    Args:
        node: plain data.
        key: the dotted key of the node in the config.
        given: arguments that are passed in addition to the arguments of the node.
        types: annotations that take precedence over those in the target's signature; the keys are names of parameters.

    Raises:
        UnknownArgument: a setting is not an argument of its target.
        UserError: a target cannot be imported, or arguments are missing or not allowed; the message names all of them.
    """
    if complaints := list(_complaints(node, key, given or {}, types or {})):
        raise UserError("\n".join(complaints))


def _complaints(node: Mapping[str, Any], key: str, given: Mapping[str, Any], types: Mapping[str, Any]) -> Iterator[str]:
    target = locate(node, key)
    settings = {name: value for name, value in node.items() if name not in SPECIAL}
    parameters = parameters_of(target.func)
    if parameters is not None:
        annotations = {name: parameter.annotation for name, parameter in parameters.items()} | dict(types)
        by_position, too_many = _positional(node.get("_args_", ()), parameters, key)
        yield from too_many
        _refuse_unknown(settings, key, node["_target_"], parameters, given)
        yield from _given_twice(settings, key, [*by_position, *given])
        if not node.get("_partial_", False):
            yield from _missing({*by_position, *settings, *given}, key, parameters, annotations)
        for place, (name, value) in enumerate(by_position.items()):
            yield from violations(value, annotations[name], f"{key}._args_[{place}]")
        for name, value in settings.items():
            yield from violations(value, annotations.get(name, Any), f"{key}.{name}")
    if node.get("_recursive_", True):
        for child_key, child in _children(node, key):
            yield from _complaints(child, child_key, {}, {})


def locate(node: Mapping[str, Any], key: str) -> partial:
    """Import the target of `node`, a class or function, and return a partial of it that binds no arguments.

    Raises:
        UserError: there is no target, it cannot be imported, or Hydra refuses to call it.
    """
    if not is_node(node):
        raise UserError(f"{key} has no _target_: choose an option of its group, or set _target_ to a class")
    target = node["_target_"]
    if not isinstance(target, str):
        raise UserError(f"{key}._target_={target}: must be the dotted path of a class or function")
    try:
        return _imported(target)
    except InstantiationException as error:
        reason, module = _reason(error), target.split(".")[0]
        hint = f"\nIf the file {module}.py is in the directory DIR: PYTHONPATH=DIR ganexp …"
        is_missing = f"No module named '{module}'" in reason
        raise UserError(f"{key}._target_={target}: cannot be used: {reason}{hint if is_missing else ''}") from error
    except CONSTRUCTOR_ERRORS as error:
        raise UserError(f"{key}._target_={target}: cannot be used: {error}") from error


@cache
def _imported(target: str) -> partial:
    """Return the partial of a target. The result is cached, because commands need a target often, and Hydra is slow."""
    with any_target_allowed():  # Hydra still refuses unsafe targets
        return hydra.utils.instantiate({"_target_": target, "_partial_": True})


def _reason(error: BaseException) -> str:
    """Return the message of the root cause of `error`, which may be `error` itself."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if not line.startswith("full_key:")]
    return "\n".join(lines)


def parameters_of(target: Any) -> Parameters | None:
    """Return the parameters of a target under their names; None if there is no signature, as for some C functions."""
    try:
        return dict(inspect.signature(target, eval_str=True).parameters)
    except (NameError, AttributeError, SyntaxError, TypeError):  # an annotation that cannot be evaluated
        parameters = inspect.signature(target).parameters
        return {name: parameter.replace(annotation=Any) for name, parameter in parameters.items()}
    except ValueError:
        return None


def _settable(parameters: Parameters, given: Mapping[str, Any]) -> list[str]:
    """Return the names of the parameters that a config can set."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, parameter in parameters.items() if parameter.kind in kinds and name not in given]


def _refuse_unknown(
    names: Iterable[str], key: str, target: str, parameters: Parameters, given: Mapping[str, Any]
) -> None:
    if any(parameter.kind == inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    settable = _settable(parameters, given)
    for name in names:
        if name in settable or name in given:
            continue
        lines = [f"{key}.{name}: {target} has no argument {name}."]
        lines += [f"It has: {', '.join(sorted(settable))}" if settable else "It has no arguments."]
        if close := get_close_matches(name, settable, n=1, cutoff=0.5):
            lines += [f"Did you mean {key}.{close[0]}?"]
        raise UnknownArgument("\n".join(lines), key, name, target)


def _positional(values: Any, parameters: Parameters, key: str) -> tuple[dict[str, Any], list[str]]:
    """Return the value that `_args_` gives to each parameter, and an error line if there are too many values."""
    if not isinstance(values, (list, tuple)):
        return {}, [f"{key}._args_={values}: must be a list"]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, parameter in parameters.items() if parameter.kind in kinds]
    variadic = any(parameter.kind == inspect.Parameter.VAR_POSITIONAL for parameter in parameters.values())
    problems = []
    if len(values) > len(names) and not variadic:
        problems.append(f"{key}._args_: has more than {count(len(names), 'value')}")
    return dict(zip(names, values, strict=False)), problems


def _given_twice(names: Iterable[str], key: str, taken: Iterable[str]) -> Iterator[str]:
    for name in sorted(set(names) & set(taken)):
        yield f"{key}.{name}: is given by ganexp itself, or in _args_, and cannot be set here: remove it"


def _missing(names: set[str], key: str, parameters: Parameters, annotations: Mapping[str, Any]) -> Iterator[str]:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for name, parameter in parameters.items():
        needed = parameter.default is inspect.Parameter.empty and parameter.kind not in variadic
        if needed and name not in names:
            allowed = f": must be {describe(annotations[name])}" if is_data(annotations[name]) else ""
            yield f"{key}.{name} is missing{allowed}"


def _children(value: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the keys and the nodes in `value`, at any depth of plain lists and mappings, but not within other nodes."""
    items: Any = ()
    if isinstance(value, Mapping):
        items = ((f"{key}.{name}", item) for name, item in value.items())
    elif isinstance(value, list):
        items = ((f"{key}[{place}]", item) for place, item in enumerate(value))
    for name, item in items:
        if is_node(item):
            yield name, item
        else:
            yield from _children(item, name)


def _build(node: Mapping[str, Any], key: str, given: Mapping[str, Any]) -> Any:
    target = locate(node, key)
    recursive = node.get("_recursive_", True)
    positional = node.get("_args_", [])
    settings = {name: value for name, value in node.items() if name not in SPECIAL}
    if recursive:
        positional = _build_within(positional, f"{key}._args_")
        settings = {name: _build_within(value, f"{key}.{name}") for name, value in settings.items()}
    call = partial(target, *positional, **settings, **given)
    if node.get("_partial_", False):
        return call
    try:
        return call()
    except UserError:
        raise
    except InstantiationException as error:  # the target breaks one of Hydra's own rules
        raise UserError(f"{key}: {_reason(error)}") from error
    except CONSTRUCTOR_ERRORS as error:
        raise UserError(f"{key}: {shorten(error)}") from error
    except Exception as error:  # a mistake in the target, such as a forgotten super().__init__()
        error.add_note(f"{key}: the constructor of {node['_target_']} has raised this error.")
        raise


def _build_within(value: Any, key: str) -> Any:
    """Return `value` with every nested node replaced by the object that it describes."""
    if is_node(value):
        return _build(value, key, {})
    if isinstance(value, Mapping):
        return {name: _build_within(item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [_build_within(item, f"{key}[{place}]") for place, item in enumerate(value)]
    return value
