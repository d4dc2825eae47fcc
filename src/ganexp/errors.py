"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """A mistake in the request: a few lines that name the key, the value and the fix. Shown without a traceback."""
