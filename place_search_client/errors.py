"""The error of a request that the server refuses."""

from typing import Any


class ProblemError(Exception):
    """An error of the server, as RFC 9457 describes it; `str()` is its sentence."""

    def __init__(
        self, status: int, body: Any, retry_after: float = 0.0, request_id: str = ""
    ) -> None:
        problem = body if isinstance(body, dict) else {}
        self.status = status
        self.body = body
        """The answer's JSON, None without any."""
        self.type = str(problem.get("type", "about:blank"))
        """The stable type of the problem, such as "/problems/busy"; docs/errors.md lists all."""
        self.title = str(problem.get("title", ""))
        self.retry_after = retry_after
        self.request_id = request_id
        """The id under which the server's log tells of the request, "" without any."""
        super().__init__(str(problem.get("detail") or f"The server answered {status}."))

    def __reduce__(self) -> tuple[Any, ...]:
        # By default unpickling calls __init__ with the sentence alone.
        return type(self), (self.status, self.body), self.__dict__
