"""What a claim is given back for, before anything of it was attempted."""


class Postponed(Exception):
    """It cannot begin yet: give the claim back, and come again in `again_in_seconds`."""

    again_in_seconds = 2.0


class Refused(Exception):
    """It must not run: the text says why, in a sentence for the reader."""
