"""What the domain says when it will not do something."""


class Refused(Exception):
    """A command the present state does not allow.

    ``code`` is stable and part of the API (it becomes the problem's ``code``); ``message`` tells a person
    what stands in the way and what to do instead.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
