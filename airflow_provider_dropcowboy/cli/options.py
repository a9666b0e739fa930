"""Options that several commands have, worded once, and how their values are read."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.argument_kinds import DURATION, FLAG, read_duration
from airflow_provider_dropcowboy.arguments import Argument, Arguments
from airflow_provider_dropcowboy.cli.console import DEFAULT_CONN
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import ConfigurationError, GuardError

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.contacts.source import SourceArguments
    from airflow_provider_dropcowboy.ledger.campaigns import Campaign
    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.phone import Phone

Function = Callable[..., Any]
Option = Callable[[Function], Function]
Rows = Iterator[Mapping[str, object]]


conn: Final = click.option(
    "--conn",
    default=DEFAULT_CONN,
    show_default=True,
    metavar="ID|env:NAME",
    help="Airflow connection, or the environment variable that holds one as URI or JSON.",
)

optional_conn: Final = click.option(
    "--conn",
    metavar="ID|env:NAME",
    help=f"Airflow connection whose ledger to use.  [default: that of {DEFAULT_CONN}, else Airflow's setting or "
    "DROPCOWBOY_LEDGER_URL]",
)

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print the output as JSON.")

region: Final = click.option(
    "--region", default="US", show_default=True, metavar="CC", help="Country of numbers without a country code."
)

channel: Final = click.option(
    "--channel", type=click.Choice(["rvm", "sms"]), help="Only voicemails, or only texts.  [default: both]"
)
account: Final = click.option(
    "--account", metavar="TEAM@HOST", help="Needed if several accounts have a campaign of that name."
)
FILE: Final = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@dataclass(frozen=True, slots=True)
class Where:
    """Which ledger and which campaigns in it, as the options of a command say."""

    account: str | None
    channel: str | None
    conn: str | None

    def campaigns(self, name: str) -> "tuple[Ledger, list[Campaign]]":
        """The ledger, and the campaigns of that name in it, one a channel.

        :raises DropCowboyError: there is no such ledger or campaign, or the name is not enough.
        """
        from airflow_provider_dropcowboy.cli.connection import open_ledger_of
        from airflow_provider_dropcowboy.ledger.campaigns import find_campaigns

        channel = None if self.channel is None else Channel(self.channel)
        ledger = open_ledger_of(self.conn)
        return ledger, find_campaigns(ledger, name, account=self.account, channel=channel)


def finds_campaigns(function: Function) -> Function:
    """Options that tell campaigns of one name apart; the command gets them as ``where``."""

    @wraps(function)
    def command(*args: object, account: str | None, channel: str | None, conn: str | None, **others: object) -> object:
        return function(*args, where=Where(account, channel, conn), **others)

    return account(channel(optional_conn(command)))


def read_time(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """``90d``, ``12h`` or ``30m``."""
    duration = read_duration(value)
    if not duration:
        raise click.BadParameter(f"{value!r} is not a duration. Write it like 90d, 12h or 30m.")
    return duration


def read_instant(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """ISO 8601; UTC if it names no zone."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value.strip())
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a point in time. Write it like 2026-11-24T08:00:00+00:00."
        ) from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def read_allowance(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    """``10`` is a number of entries, an int; ``0.001`` and ``0.1%`` are a share of them, a float."""
    from airflow_provider_dropcowboy.contacts.source import allowance_of

    allowed = allowance_of(value)
    if allowed is None:
        raise click.BadParameter(f"{value!r} is neither a number of entries (10) nor a share of them (0.1%).")
    return allowed


def read_phone(text: str, region: str) -> "Phone":
    """The number that was typed.

    :raises click.UsageError: it is none; the text does not repeat it.
    """
    from airflow_provider_dropcowboy.phone import Phone, PhoneError

    check_region(region)
    try:
        return Phone.parse(text, region=region)
    except PhoneError as error:
        raise click.UsageError(f"The number cannot be used: {error}.") from None


def check_region(region: str) -> None:
    """Nothing, if numbers without a country code can be read as numbers of this country.

    :raises click.UsageError: they cannot.
    """
    from airflow_provider_dropcowboy.phone import is_region

    if not is_region(region):
        raise click.UsageError(f"--region {region!r} is not a country with phone numbers. Write it like US.")


def read_key(contact: str) -> str:
    """A contact key as the ledger writes it.

    :raises click.UsageError: it names nobody; the text does not repeat it.
    """
    from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key

    try:
        return canonical_key(contact)
    except ContactKeyError as error:
        raise click.UsageError(f"--contact: {error}.") from None


def read_keys(contacts: tuple[str, ...]) -> list[str] | None:
    """Contact keys in each notation in which the ledger may hold them; None: no contact was named."""
    from airflow_provider_dropcowboy.contacts.key import other_notations, same_person

    read = [read_key(contact) for contact in contacts]
    return [text for key in read for text in (same_person(key), *other_notations(key))] or None


NO_OPTIONS: Final = frozenset(
    {
        *("sql", "sql_conn_id", "parameters", "sql_hook_params", "contacts", "path", "suppression_sql"),
        *("suppression_conn_id", "dropcowboy_conn_id", "suppression_column"),
    }
)
"""Arguments of a task's source, for which files and ``--conn`` stand."""

_CONTACTS: Final = click.option(
    "--contacts", required=True, type=FILE, help="File of contacts: .csv, .jsonl, .ndjson (each also .gz) or .parquet."
)
_SUPPRESSION: Final = (
    click.option(
        "--suppression",
        type=FILE,
        metavar="FILE",
        help="File of numbers not to contact, in any format of --contacts. The ledger's own list always applies.",
    ),
    click.option(
        "--suppression-column",
        multiple=True,
        metavar="COLUMN",
        help="Column of the number in --suppression; repeat it for area code and number.  [default: the only column "
        "that fits]",
    ),
)


class DrawnOptions:
    """The options of a command whose contacts come from a file: one for each argument of a task.

    :param kinds: of arguments; ``without`` these.
    :param also: further texts about arguments, and what the command line says for each.
    """

    def __init__(self, *kinds: type[Arguments], without: Collection[str], also: Mapping[str, str] = {}) -> None:
        self._without = {*NO_OPTIONS, *without}
        self._also = also
        names = {item.name for kind in kinds for item in kind.declared()} - self._without
        several, every = "|".join(name for name in names if "_" in name), "|".join(names)
        name = rf"(?<!default_)\b(?:{several})\b|^(?:{every})\b|\b(?:{every})(?==)"
        self._argument = re.compile(rf"({name})(?:=(\"?)(\w+)\2)?")

    def of(self, kind: type[Arguments], *others: Option) -> Option:
        """The file's options, one for each argument, and others, in the order in which the help shows them."""
        drawn = [self._option(item) for item in kind.declared() if item.name not in self._without]

        def decorate(function: Function) -> Function:
            options: list[Option] = [_CONTACTS, *drawn, conn, *_SUPPRESSION, *others, as_json]
            for option in reversed(options):
                function = option(function)
            return function

        return decorate

    @contextmanager
    def words(self) -> Iterator[None]:
        """Errors about arguments are worded about options."""
        try:
            yield
        except (ConfigurationError, GuardError) as error:
            error.args = (self.worded(str(error)),)
            raise

    def worded(self, text: str) -> str:
        """A text about arguments, in the words of the command line: ``--mode mirror`` for ``mode="mirror"``."""
        for theirs, ours in self._also.items():
            text = text.replace(theirs, ours)
        return self._argument.sub(_as_option, text)

    def _option(self, item: Argument) -> Option:
        """The option of an argument; its text is read with the others, as a template's is."""
        kind, default = item.kind, item.default
        # nothing of None, which only a DAG can write
        doc = re.sub(r" None: [^.]*\.| Default: `{dag_id}.*", "", item.doc)
        shown: dict[str, Any] = {"help": self.worded(doc).replace("`", "")}
        if kind is FLAG:
            return click.option(option_name(item.name), item.name, is_flag=True, default=default, **shown)
        if isinstance(default, timedelta):
            default = f"{default // timedelta(hours=1)}h" if default % timedelta(days=1) else f"{default.days}d"
        if default is not None:
            shown |= {"default": default, "show_default": True}
        if kind.choices:
            shown["type"] = click.Choice(kind.choices)
        elif kind.span is not None:
            shown["type"] = click.IntRange(*kind.span)
        metavar = f"{kind.metavar}|off" if kind is DURATION and item.may_be_none else kind.metavar
        return click.option(option_name(item.name), required=item.name == "campaign", metavar=metavar, **shown)


def option_name(argument: str) -> str:
    """``--tts-body`` for ``tts_body``."""
    return "--" + argument.replace("_", "-")


def _as_option(found: re.Match[str]) -> str:
    name, value = option_name(found[1]), found[3]
    return name if value in (None, "True") else f"{name} {'off' if value == 'None' else value}"


@contextmanager
def rows_of(option: str, path: Path, *, columns: Collection[str] | None) -> Iterator[Rows]:
    """The rows of the file that an option names."""
    from airflow_provider_dropcowboy.contacts.files import read_rows

    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{option}: {path.name} cannot be opened: {error.strerror}.") from None
    # the rows are closed before their file: a Parquet reader that is left suspended may end the process with an abort
    with file, closing(read_rows(file, path.name, columns=columns)) as rows:
        yield rows


def open_suppression(files: ExitStack, path: Path | None, arguments: "SourceArguments") -> SuppressionList | None:
    """The list of ``--suppression``; None: there is none.

    :param files: closes the file.
    """
    if path is None:
        return None
    return SuppressionList(
        files.enter_context(rows_of("--suppression", path, columns=arguments.suppression_column)),
        columns=arguments.suppression_column,
        max_unreadable=arguments.max_unreadable_suppressions,
        region=arguments.region,
        column_argument="--suppression-column",
        limit_argument="--max-unreadable-suppressions",
    )
