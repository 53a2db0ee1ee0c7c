"""The one error that reaches the user as a single line."""


class HemorrhageError(Exception):
    """A fault that the user can mend; its text says what was expected, what was found, where, and what to do.

    The command line prints the text on one line of stderr and exits with status 2; every other
    exception is a defect of this program and keeps its traceback.
    """
