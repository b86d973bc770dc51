"""Discord's rules for the definition of an application command.

Owns validation: each function raises ApiError 50035 at the place in the form. Does not store commands.
"""

from __future__ import annotations

from typing import Any

from .errors import ApiError, invalid_form
from .locales import LOCALES, valid_name

Json = dict[str, Any]
Path = tuple[str | int, ...]
CHAT_INPUT, USER, MESSAGE = 1, 2, 3
SUBCOMMAND, GROUP, STRING, INTEGER, CHANNEL, NUMBER = 1, 2, 3, 4, 7, 10
MAX_OPTIONS = MAX_CHOICES = 25
MAX_TEXT = 8000  # characters of names, descriptions and values in one command


def fail(path: Path, code: str, message: str) -> ApiError:
    return invalid_form(*path, code=code, message=message)


def check_command(body: Any, at: Path = ()) -> None:
    """A whole command. Raises ApiError 50035."""
    if not isinstance(body, dict):
        raise fail(at, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
    kind = body.get("type") or CHAT_INPUT
    if kind not in (CHAT_INPUT, USER, MESSAGE):
        raise fail((*at, "type"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3}.")
    check_name(body, at, strict=kind == CHAT_INPUT)
    check_localizations(body, "name", at, strict=kind == CHAT_INPUT)
    if kind == CHAT_INPUT:
        check_description(body, at)
        check_options(body.get("options") or [], at, depth=0)
    elif body.get("description"):
        text = "Context menu commands cannot have description"
        raise fail((*at, "description"), "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_INVALID", text)
    elif body.get("options"):
        text = "Context menu commands cannot have options"
        raise fail((*at, "options"), "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_INVALID", text)
    check_scopes(body, at)
    if text_size(body) > MAX_TEXT:
        raise fail(at, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({MAX_TEXT})")


def check_length(value: object, low: int, high: int, path: Path) -> None:
    if not isinstance(value, str) or not value:
        raise fail(path, "BASE_TYPE_REQUIRED", "This field is required")
    if not low <= len(value) <= high:
        raise fail(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {low} and {high} in length.")


def check_name(body: Json, at: Path, *, strict: bool) -> None:
    path = (*at, "name")
    check_length(body.get("name"), 1, 32, path)
    check_characters(body["name"], path, strict=strict)


def check_characters(name: str, path: Path, *, strict: bool) -> None:
    if strict and not valid_name(name):
        text = "Command name is invalid: lower-case letters, digits, - _ and ' only, 1 to 32 of them"
        raise fail(path, "APPLICATION_COMMAND_INVALID_NAME", text)


def check_description(body: Json, at: Path) -> None:
    check_length(body.get("description"), 1, 100, (*at, "description"))
    check_localizations(body, "description", at, strict=False)


def check_localizations(body: Json, field: str, at: Path, *, strict: bool) -> None:
    for locale, text in (body.get(f"{field}_localizations") or {}).items():
        path = (*at, f"{field}_localizations", locale)
        if locale not in LOCALES:
            raise fail(path, "BASE_TYPE_CHOICES", f"{locale} is not a locale that Discord knows.")
        check_length(text, 1, 32 if field == "name" else 100, path)
        check_characters(text, path, strict=strict)


def check_options(options: list[Json], at: Path, *, depth: int) -> None:
    if len(options) > MAX_OPTIONS:
        text = f"Must be {MAX_OPTIONS} or fewer in length."
        raise fail((*at, "options"), "BASE_TYPE_MAX_LENGTH", text)
    names: set[str] = set()
    optional_seen = False
    for index, option in enumerate(options):
        path = (*at, "options", index)
        check_option(option, path, depth)
        if option["name"] in names:
            text = f"Option name {option['name']} is used twice"
            raise fail(path, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", text)
        names.add(option["name"])
        if option.get("required") and optional_seen:
            text = "Required options must be placed before non-required options"
            raise fail(path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
        optional_seen = optional_seen or (option["type"] > GROUP and not option.get("required"))
    nested = {option["type"] <= GROUP for option in options}
    if len(nested) > 1:
        text = "Sub-commands and sub-command groups cannot be mixed with other options"
        raise fail((*at, "options"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text)


def check_option(option: Json, path: Path, depth: int) -> None:
    kind = option.get("type")
    if not isinstance(kind, int) or not 1 <= kind <= 11:
        raise fail((*path, "type"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, ..., 11}.")
    check_name(option, path, strict=True)
    check_localizations(option, "name", path, strict=True)
    check_description(option, path)
    if kind <= GROUP:
        # A command holds groups or sub-commands, a group holds sub-commands, and that is all.
        if depth + (kind == SUBCOMMAND) > 2 or (kind == GROUP and depth > 0):
            text = "Sub-command groups cannot be nested"
            raise fail((*path, "type"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text)
        check_options(option.get("options") or [], path, depth=depth + 1 if kind == GROUP else 2)
    check_choices(option, path)
    check_ranges(option, path)


def check_choices(option: Json, path: Path) -> None:
    choices = option.get("choices") or []
    if choices and option["type"] not in (STRING, INTEGER, NUMBER):
        text = "Choices are for string, integer and number options"
        raise fail((*path, "choices"), "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", text)
    if choices and option.get("autocomplete"):
        text = "Options with choices cannot have autocomplete"
        raise fail((*path, "autocomplete"), "APPLICATION_COMMAND_AUTOCOMPLETE_CHOICES_INVALID", text)
    if len(choices) > MAX_CHOICES:
        raise fail((*path, "choices"), "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CHOICES} or fewer in length.")
    for index, choice in enumerate(choices):
        check_choice(choice, option["type"], (*path, "choices", index))


def check_choice(choice: Json, kind: int, path: Path) -> None:
    """A choice of an option, or of an autocomplete answer."""
    check_length(choice.get("name"), 1, 100, (*path, "name"))
    for locale, text in (choice.get("name_localizations") or {}).items():
        check_length(text, 1, 100, (*path, "name_localizations", locale))
    value = choice.get("value")
    good = isinstance(value, str) if kind == STRING else isinstance(value, int | float) and not isinstance(value, bool)
    if not good:
        raise fail((*path, "value"), "BASE_TYPE_BAD_TYPE", "The value does not fit the option's type.")
    if isinstance(value, str) and not 1 <= len(value) <= 100:
        raise fail((*path, "value"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")


def check_ranges(option: Json, path: Path) -> None:
    kinds = {
        "min_value": (INTEGER, NUMBER),
        "max_value": (INTEGER, NUMBER),
        "min_length": (STRING,),
        "max_length": (STRING,),
        "channel_types": (CHANNEL,),
    }
    for name, fitting in kinds.items():
        if option.get(name) is not None and option["type"] not in fitting:
            raise fail((*path, name), "APPLICATION_COMMAND_OPTIONS_FIELD_INVALID", f"{name} does not fit the type")
    for name, low in (("min_length", 0), ("max_length", 1)):
        value = option.get(name)
        if value is not None and not low <= value <= 6000:
            raise fail((*path, name), "NUMBER_TYPE_MAX", f"int value should be between {low} and 6000.")


def check_scopes(body: Json, at: Path) -> None:
    for name, known in (("contexts", {0, 1, 2}), ("integration_types", {0, 1})):
        values = body.get(name)
        if values is None:
            continue
        if not isinstance(values, list) or not set(values) <= known:
            raise fail((*at, name), "BASE_TYPE_CHOICES", f"Value must be one of {sorted(known)}.")
        if len(set(values)) != len(values):
            raise fail((*at, name), "SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value")
    if body.get("integration_types") == []:
        raise fail((*at, "integration_types"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 2 in length.")
    permissions = body.get("default_member_permissions")
    if permissions is not None and not str(permissions).isdecimal():
        path = (*at, "default_member_permissions")
        raise fail(path, "NUMBER_TYPE_COERCE", f'Value "{permissions}" is not int.')


def text_size(entry: Json) -> int:
    """Discord counts the name, description and values, each in its longest localisation."""
    size = 0
    for name in ("name", "description"):
        texts = [entry.get(name) or "", *(entry.get(f"{name}_localizations") or {}).values()]
        size += max(map(len, texts))
    size += len(entry["value"]) if isinstance(entry.get("value"), str) else 0
    return size + sum(text_size(part) for key in ("options", "choices") for part in entry.get(key) or [])
