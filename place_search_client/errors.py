"""What a server answers where it does not do what it was asked."""

from typing import Any


class ProblemError(Exception):
    """An error of the server, as RFC 9457 describes it; `str()` is its sentence."""

    def __init__(self, status: int, body: Any, retry_after: float = 0.0) -> None:
        problem = body if isinstance(body, dict) else {}
        self.status = status
        self.body = body
        """The answer's JSON, None where it had none."""
        self.type = str(problem.get("type", "about:blank"))
        """Stable, such as "/problems/busy"; docs/errors.md lists all."""
        self.title = str(problem.get("title", ""))
        self.retry_after = retry_after
        super().__init__(str(problem.get("detail", f"The server answered {status}.")))

    def __reduce__(self) -> tuple[Any, ...]:
        # By default the sentence alone would be given to __init__, in another process.
        return type(self), (self.status, self.body, self.retry_after), self.__dict__
