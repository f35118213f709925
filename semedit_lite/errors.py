"""The one kind of error that is meant for the user."""


class InputError(ValueError):
    """Something the user gave cannot be used. The message is one sentence that says what to do;
    the apps, the API and the command line show it as it is."""
