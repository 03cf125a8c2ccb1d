"""The fields of a request, parsed one at a time and held against their limits; and the error that refuses one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT_BYTES_MAX = 4_096

Json: TypeAlias = dict[str, Any]
ErrorCode: TypeAlias = Literal["bad_request", "unsupported", "too_large", "internal"]


class WireError(Exception):
    """A request that cannot be served, with the reply that says so."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        """Take the code of the reply and its sentence for a person."""
        super().__init__(message)
        self.code: ErrorCode = code

    def __reduce__(self) -> tuple[type[WireError], tuple[ErrorCode, str]]:
        """Say how to make the same error in another process."""
        return type(self), (self.code, str(self))

    @classmethod
    def of_bug(cls, error: Exception) -> WireError:
        """Report what the adapter should never have raised."""
        return cls("internal", f"the adapter broke: {type(error).__name__}: {error}; this is a bug, please report it")


def verb_of(value: object, where: str) -> tuple[str, object]:
    """Take apart an object with one key."""
    if not isinstance(value, dict) or len(value) != 1:
        raise WireError("bad_request", f"{where} must be an object with one key")
    return next(iter(value.items()))


def fields_of(value: object, where: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> Json:
    """Take the fields of an object; one that is missing or unknown is refused."""
    if not isinstance(value, dict):
        raise WireError("bad_request", f"{where} must be an object")
    for name in required:
        if name not in value:
            raise WireError("bad_request", f"{where} has no `{name}`")
    for name in value:
        if name not in required and name not in optional:
            raise WireError("bad_request", f"{where} has an unknown field `{name}`")
    return value


def list_of(value: object, whole: str, of: str, most: int, parse: Callable[[object], Any]) -> list[Any]:
    """Parse each item of a list of at most so many."""
    if not isinstance(value, list):
        raise WireError("bad_request", f"the {of} of {whole} must be a list")
    if len(value) > most:
        raise WireError("too_large", f"{whole} may have at most {most} {of}, and this has {len(value)}")
    return [parse(item) for item in value]


def integer_of(value: object, field: str, most: int) -> int:
    """Take a whole number from 0 on."""
    if type(value) is not int or not 0 <= value <= most:
        raise WireError("bad_request", f"{field} must be a whole number from 0 to {most}")
    return value


def text_of(value: object, field: str) -> str:
    """Take a text within its limit."""
    if not isinstance(value, str):
        raise WireError("bad_request", f"{field} must be a string")
    # A character has at most four bytes, so that a short text needs no encoding to be measured.
    if len(value) * 4 > TEXT_BYTES_MAX and len(value.encode("utf-8", errors="replace")) > TEXT_BYTES_MAX:
        raise WireError("too_large", f"{field} may have at most {TEXT_BYTES_MAX} bytes")
    return value


def text_or_none(value: object, field: str) -> str | None:
    """Take a text that may be absent."""
    return None if value is None else text_of(value, field)
