"""The error class for mistakes that the user can correct."""


class UserError(Exception):
    """A mistake that the user can correct. The message names the key, the value and the fix; no traceback is shown."""
