"""The variables of a function on FunctionGraph: some are in the environment, encrypted ones only in the context.

`RUNTIME_USERDATA` holds all of them in clear text, the encrypted ones too. It is read so that a mistyped name is found;
none of its values is shown.

Source: FunctionGraph developer guide, "Context methods"; openyuanrong, runtime.
"""

import json
from collections.abc import Iterable, Mapping

from handler.engine.functiongraph.context import FAULTS
from handler.errors import InvalidSettings

EVERYTHING = "RUNTIME_USERDATA"


def variables(context: object, environment: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    """The variables of the function; those that the context gives win. It is asked for each of the names in `known`.

    Raises InvalidSettings for a variable that can't be read.
    """
    given: dict[str, str] = {name: value for name, value in environment.items() if name != EVERYTHING}
    data = _user_data(environment.get(EVERYTHING, ""))
    # In a fixed order, so that the same mistake gets the same message.
    for name in dict.fromkeys((*known, *filter(_is_ours, data))):
        if (value := _asked(context, name, data.get(name))) is None:
            continue
        if not isinstance(value, str):
            message = f"{name}: must be a string"
            raise InvalidSettings(message)
        given[name] = value
    return given


def _is_ours(name: str) -> bool:
    """Whether a variable is meant for us, even if its name is mistyped."""
    return name.startswith("REAPER_")


def _asked(context: object, name: str, otherwise: object) -> object:
    """The value that the context gives for a variable, or else `otherwise`."""
    try:
        value = context.getUserData(name)  # type: ignore[attr-defined]  # whatever the runtime gives us
    # No such variable, or no such method.
    except (AttributeError, LookupError):
        return otherwise
    # This may be the variable that protects images: without it, nothing may begin.
    except FAULTS as exc:
        message = f"{name}: getUserData failed with {type(exc).__name__}"
        raise InvalidSettings(message) from None
    # A runtime may say the empty text of a name that it does not know. It hides nothing that stands elsewhere.
    return otherwise if value is None or value == "" else value


def _user_data(text: object) -> dict[str, object]:
    """The variables in a string; none if it is not a JSON object."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
