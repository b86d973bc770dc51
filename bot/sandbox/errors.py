"""The errors that Discord's HTTP API answers with, as one exception.

Owns the status, the JSON code and the documented body shape of each. Does not know which route raises
which, nor anything of HTTP servers: `rest/table.py` turns an `ApiError` into an answer.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class SandboxError(Exception):
    """What an actor (a test or the chat page) asked for cannot be done; the text says what to do instead."""


class InteractionFailed(SandboxError):
    """The bot did not answer an interaction in time: a person would see "The application did not respond"."""


class ApiError(Exception):
    """An error answer of the HTTP API: `status`, JSON `code`, `message` and the nested `errors` of a form."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.body: Json = {"message": message, "code": code}
        if errors:
            self.body["errors"] = errors


def leaf(code: str, message: str) -> Json:
    """One entry of a form's `errors` tree."""
    return {"_errors": [{"code": code, "message": message}]}


def nest(path: tuple[str | int, ...], entry: Json) -> Json:
    """Wrap an entry in the keys that lead to it: ("options", 0, "name") as Discord nests them."""
    for key in reversed(path):
        entry = {str(key): entry}
    return entry


def invalid_form(*path: str | int, code: str, message: str) -> ApiError:
    return ApiError(400, 50035, "Invalid Form Body", nest(path, leaf(code, message)))


def unauthorized() -> ApiError:
    return ApiError(401, 0, "401: Unauthorized")


def unknown_route() -> ApiError:
    return ApiError(404, 0, "404: Not Found")


def unknown_channel() -> ApiError:
    return ApiError(404, 10003, "Unknown Channel")


def unknown_guild() -> ApiError:
    return ApiError(404, 10004, "Unknown Guild")


def unknown_member() -> ApiError:
    return ApiError(404, 10007, "Unknown Member")


def unknown_message() -> ApiError:
    return ApiError(404, 10008, "Unknown Message")


def unknown_user() -> ApiError:
    return ApiError(404, 10013, "Unknown User")


def unknown_emoji() -> ApiError:
    return ApiError(400, 10014, "Unknown Emoji")


def unknown_webhook() -> ApiError:
    return ApiError(404, 10015, "Unknown Webhook")


def unknown_interaction() -> ApiError:
    return ApiError(404, 10062, "Unknown interaction")


def unknown_command() -> ApiError:
    return ApiError(404, 10063, "Unknown application command")


def already_acknowledged() -> ApiError:
    return ApiError(400, 40060, "Interaction has already been acknowledged.")


def missing_access() -> ApiError:
    return ApiError(403, 50001, "Missing Access")


def not_the_author() -> ApiError:
    return ApiError(403, 50005, "Cannot edit a message authored by another user")


def empty_message() -> ApiError:
    return ApiError(400, 50006, "Cannot send an empty message")


def cannot_dm() -> ApiError:
    return ApiError(403, 50007, "Cannot send messages to this user")


def missing_permissions() -> ApiError:
    return ApiError(403, 50013, "Missing Permissions")


def expired_token() -> ApiError:
    return ApiError(401, 50027, "Invalid Webhook Token")


def not_json() -> ApiError:
    return ApiError(400, 50109, "The request body contains invalid JSON.")
