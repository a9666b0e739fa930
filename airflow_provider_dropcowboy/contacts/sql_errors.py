"""What a user's database said when it failed, and whether a retry may succeed; without a person's values."""

import re
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any, Final

from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError, SourceError


def connect_error(error: Exception, name: str) -> DropCowboyError:
    """The database was not reached: its settings are wrong, or it is away.

    :param name: of the database, as the message begins.
    """
    said = f"{type(error).__name__}: {_PERSONAL.sub('***', _first_lines(error)).rstrip('.')}"
    if _classes(error) & _WRONG_SETTINGS:
        return ConfigurationError(
            f"{name} cannot be connected to: {said}. Nothing was sent. Correct the connection's fields and extra, or "
            "install the driver."
        )
    return SourceError(f"{name} was not reached: {said}. Nothing was sent; a retry may succeed.")


def execute_error(error: Exception, connection: Any, *, sql: str, values: Sequence[object]) -> DropCowboyError:
    """The database did not run the query: the query is wrong, or the database failed.

    Drivers name the same mistake differently: an unknown column is an OperationalError in MySQL and SQLite, and a
    DatabaseError in ClickHouse. So a connection that still answers says that the query was wrong.

    :param connection: that the query was run on.
    """
    said = what_failed(error, sql=sql, values=values)
    is_temporary = _sqlstate(error).startswith(_TEMPORARY_STATES) or _TEMPORARY.search(_first_lines(error))
    if not is_temporary and (_classes(error) & _USER_ERRORS or _answers(connection)):
        is_lone = values and not _sqlstate(error) and _MARK.search(sql) and _LONE_PERCENT.search(sql.replace("%%", ""))
        hint = " Beside parameters, write a percent sign itself twice, as %%." if is_lone else ""
        return ConfigurationError(f"The database refused the query: {said}. Correct the query or its parameters.{hint}")
    return _failed(said, 0)


def fetch_error(
    error: Exception,
    read_rows: int,
    *,
    sql: str,
    values: Sequence[object],
    description: Sequence[Sequence[object]] | None,
) -> DropCowboyError:
    """What stopped the reading of rows: a value that the driver cannot turn into Python's, or the database."""
    is_of_a_value = isinstance(error, _VALUE_ERRORS) or "DataError" in _classes(error)
    undecoded = _UNDECODED.match(str(error))
    if _sqlstate(error) or not (
        is_of_a_value or undecoded
    ):  # the server's errors have a state, a driver's own has none
        said = what_failed(error, sql=sql, values=values)
        if _classes(error) & _USER_ERRORS and not read_rows:
            return ConfigurationError(f"The database refused the query: {said}. Correct the query or its parameters.")
        return _failed(said, read_rows)
    first_line = next(iter(str(error).splitlines()), "")
    why = _AFTER_REASON.split(first_line, maxsplit=1)[0].strip() or type(error).__name__
    names = [undecoded[1]] if undecoded else _columns_of_type(why.partition(" ")[0], description or ())
    which = f"The value of column {' or '.join(names)}" if names else "A value of a column"
    why = "not UTF-8" if undecoded else _PERSONAL.sub("***", why)
    return ConfigurationError(
        f"{which} cannot be read by the database's driver, after {read_rows} rows: {why}. The query itself ran. "
        "Leave the column out if it is not used, or cast it to text; then run again: nobody is contacted twice."
    )


def what_failed(error: BaseException, *, sql: str = "", values: Sequence[object] = ()) -> str:
    """The error's class, its code and what it says first.

    A driver's text may quote the parameters, the query or a cell. Of what it quotes, only names that the query has
    stay, and texts about values are left out.

    :param values: bound to the query.
    """
    sqlstate = _sqlstate(error)
    number = error.args[0] if error.args and isinstance(error.args[0], int) else ""
    said = f"{type(error).__name__} {sqlstate or number}".strip()
    if _classes(error) & _ERRORS_WITH_VALUES or sqlstate.startswith(("22", "23")):
        return said
    text = _first_lines(error)
    for value in sorted(map(str, values), key=len, reverse=True):
        if len(value) > 2:
            text = text.replace(value, "***")
    names = {name.casefold() for name in _NAME.findall(_LITERAL.sub("", sql))}

    def shown(quoted: re.Match[str]) -> str:
        within = _NAME.findall(quoted[2])
        is_a_name = within and " " not in quoted[2] and within[-1].casefold() in names
        return quoted[0] if is_a_name else f"{quoted[1]}***{quoted[1]}"

    text = _PERSONAL.sub("***", _QUOTED.sub(shown, text))[:_MOST_CHARACTERS]
    return f"{said}: {text.rstrip('.')}" if text else said


_MARK: Final = re.compile(r"%(?:\(\w+\))?s")  # as the drivers that read percent signs have it
_LONE_PERCENT: Final = re.compile(r"%(?!\(\w+\)s|s)")
_USER_ERRORS: Final = frozenset({"ProgrammingError", "DataError", "NotSupportedError", "IntegrityError"})
_ERRORS_WITH_VALUES: Final = frozenset({"DataError", "IntegrityError"})
_WRONG_SETTINGS: Final = frozenset(
    {"ProgrammingError", "NotSupportedError", "TypeError", "ValueError", "LookupError", "AttributeError", "ImportError"}
)
_VALUE_ERRORS: Final = (ValueError, OverflowError, ArithmeticError)
_TEMPORARY_STATES: Final = ("08", "40", "53", "55", "57", "58", "XX")  # SQLSTATE classes: the server's, not the query's
_TEMPORARY: Final = re.compile(
    r"time.?out|timed out|too many|limit exceeded|\b(?:dead)?lock|try again|temporar|overload|unavailable|cancel",
    re.IGNORECASE,
)
_PERSONAL: Final = re.compile(r"\+?[0-9][0-9 ().-]{5,}[0-9]|\S+@\S+|(?<=value: ).+")
_QUOTED: Final = re.compile(r"""(?<!\w)(['"])((?:(?!\1(?!\w)).)*)(?:\1(?!\w)|$)""")
_CODE: Final = re.compile(r"[0-9]+ \(\w{5}\): ")  # mysql.connector and Snowflake begin with it
_LITERAL: Final = re.compile(r"'[^']*'")
_NAME: Final = re.compile(r"[^\W\d]\w*")
_UNDECODED: Final = re.compile(r"Could not decode to UTF-8 column '([^']*)'")  # sqlite3; what follows is the value
_AFTER_REASON: Final = re.compile(
    r"[:(']"
)  # drivers quote the value behind one of these: "timestamp too large (…): '…'"
_MOST_CHARACTERS: Final = 300


def _classes(error: BaseException) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__}


def _sqlstate(error: BaseException) -> str:
    """Its SQLSTATE, as psycopg, psycopg2 and mysql.connector name it; empty: none."""
    return str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")


def _first_lines(error: BaseException) -> str:
    """The first line, and the second where it says what is wrong (Snowflake); PostgreSQL's shows the query."""
    text = str(error)
    if len(error.args) == 2 and isinstance(error.args[1], str):  # MySQL's drivers: a number and a text
        text = error.args[1]
    lines = [line.strip() for line in _CODE.sub("", text).splitlines()][:2]
    kept = [
        line for number, line in enumerate(lines) if line and not (number and line.startswith(("LINE ", "Candidate")))
    ]
    return " ".join(kept)


def _failed(said: str, read_rows: int) -> SourceError:
    return SourceError(f"The database failed after {read_rows} rows: {said}. Running again asks nobody twice.")


def _answers(connection: Any) -> bool:
    """Whether the connection is still there."""
    with suppress(Exception):  # some have no transactions
        connection.rollback()
    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()
    except Exception:  # noqa: BLE001 - only the driver knows its classes
        return False
    return True


def _columns_of_type(word: str, description: Sequence[Sequence[object]]) -> list[str]:
    """The columns of the type that a driver's error begins with, where the driver names types (psycopg)."""
    displayed = [(str(column[0]), str(getattr(column, "type_display", ""))) for column in description]
    return [name for name, kind in displayed if word and kind.startswith(word)]
