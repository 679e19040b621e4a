"""One thing to try."""


class Case:
    """
    Args:
        name: describes the case.
        make: prepares the case; called with an empty folder, which is the working folder.
        expected: exit statuses by the name of the command, or a tuple of those that will do; 2 for
            every other command.
    """

    def __init__(self, name, make, **expected):
        self.arguments = []  # of the command
        self.name = name
        self.make = make
        self.expected = expected
