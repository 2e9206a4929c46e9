"""Answers that are errors, and the request that ends the service."""

from __future__ import annotations

KINDS = {
    400: "Bad Request",
    404: "NotFoundError",
    422: "Input Validation Error",
    424: "Generation Error",
    500: "Incomplete Generation",
    503: "Service Unavailable",
}


class ApiError(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status, one of KINDS.
        text: ``error``.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.kind, self.text = status, KINDS[status], text


class Unreadable(ApiError):
    """A 422 for a body that is no JSON."""

    def __init__(self, text: str) -> None:
        super().__init__(422, text)


class NotQueued(ApiError):
    """A request that the engine does not take.

    Args:
        reason: its words; the answer's begin with what failed.
        place: file and line of the source that says so first, none where nothing is said there.
        words: what is said there, where that is not the reason.
    """

    def __init__(self, status: int, reason: str, place: str = "", words: str = "") -> None:
        super().__init__(status, f"Failed to enqueue inferRequest. {reason}")
        self.reason, self.place, self.words = reason, place, words


class FatalRequest(Exception):
    """A request that ends the whole service (seen on the real 3.0.0: ``"stop": [1]``).

    Args:
        kind: JSON type of the value that was taken for a string.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.lines = (
            "terminate called after throwing an instance of 'nlohmann::json_abi_v3_11_2::detail::type_error'",
            f"  what():  [json.exception.type_error.302] type must be string, but is {kind}",
        )


def invalid(text: str) -> ApiError:
    """A 422."""
    return ApiError(422, text)
