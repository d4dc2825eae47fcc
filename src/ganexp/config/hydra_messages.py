"""Extract the facts that Hydra states only in the messages of its errors. This module must not import torch."""

import re


def is_group_value_error(error: Exception) -> bool:
    """Return whether `error` says that a group has a value, such as null, that cannot be an option."""
    return "Config group override must be" in str(error)


def unmatched_group(error: Exception) -> str:
    """Return the group that is in no defaults list, possibly with @PACKAGE; empty for other errors."""
    match = re.search(r"(?:Could not override|No earlier Group Default for) '([\w./@-]+)'", str(error))
    return match[1] if match else ""


def file_of(error: Exception) -> str:
    """Return the config file, without .yaml, whose defaults list has an error; empty for other errors."""
    match = re.match(r"In '([\w./-]+)':", str(error))
    return match[1] if match else ""


def missing_deletion(error: Exception) -> str:
    """Return the key that cannot be deleted because it does not exist; empty for other errors."""
    match = re.search(r"Could not delete from config\. '([\w./@-]+)' does not exist", str(error))
    return match[1] if match else ""
