"""One thing to try."""


class Case:
    """
    Args:
        name: says what it is.
        make: called with an empty folder, which is the current one, prepares it.
        expected: exit statuses by the name of the command, 2 for those that are not named.
    """

    def __init__(self, name, make, **expected):
        self.arguments = []  # of the command
        self.name = name
        self.make = make
        self.expected = expected
