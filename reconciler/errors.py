"""The root of the exception tree; every other exception lives beside the code that raises it."""


class ReconcilerError(Exception):
    """Something the product itself reports, with a sentence a person can act on."""
