"""The program ``dropcowboy``: its commands, each loaded when it is used, and how it ends."""

import gc
import signal
import sys
from difflib import get_close_matches
from pkgutil import resolve_name
from types import FrameType
from typing import Final, NamedTuple

import click

from airflow_provider_dropcowboy.cli.console import DISTRIBUTION, PACKAGE, exit_code, log_to_stderr, print_error


class Entry(NamedTuple):
    """Where a command is, and what the list of commands says of it without loading it."""

    place: str
    help: str


COMMANDS: Final = {
    "send": Entry("cli.send:send", "Send a voicemail or text to each contact, once."),
    "brands": Entry("cli.account:brands", "List the account's brands."),
    "recordings": Entry("cli.account:recordings", "List the account's recordings."),
    "media": Entry("cli.account:media", "List the account's media, or upload a file."),
    "pools": Entry("cli.account:pools", "List the account's number pools."),
    "list": Entry("cli.lists:lists", "Sync, show and manage contact lists."),
    "campaigns": Entry("cli.campaigns:campaigns", "List campaigns, the newest first."),
    "report": Entry("cli.report:report", "Report the results of a campaign or a message."),
    "export": Entry("cli.report:export", "Export each send of a campaign to a file."),
    "unknown": Entry("cli.campaigns:unknown", "List and settle sends in doubt."),
    "rejected": Entry("cli.campaigns:rejected", "List and release sends that the API refused."),
    "suppress": Entry("cli.suppress:suppress", "Keep numbers from being contacted."),
    "rules": Entry("cli.rules:rules", "Show which laws apply to whom, and their age."),
    "pause": Entry("cli.campaigns:pause", "Stop sending: one campaign, or all."),
    "resume": Entry("cli.campaigns:resume", "Allow sending again."),
    "ledger": Entry("cli.ledger:ledger", "Inspect, back up, upgrade and prune the ledger."),
    "doctor": Entry("cli.account:doctor", "Check everything that a first send needs."),
    "receiver": Entry("cli.receiver:receiver", "Receive the vendor's callbacks into the ledger."),
    "sandbox": Entry("sandbox.__main__:sandbox", "Simulate the API locally; nobody is called."),
}


class Program(click.Group):
    """A group whose commands are imported when they are used: ``--help`` and completion must be quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = resolve_name(f"{PACKAGE}.{entry.place}")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command; a misspelt name is answered with the right one."""
        meant = get_close_matches(args[0], COMMANDS, n=1) if args and args[0] not in COMMANDS else []
        if meant:
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {meant[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done · 1 finished with released rows or above a limit, or doctor found something · "
    "2 wrong use · 3 a service cannot be reached · 4 credentials refused · 130 interrupted",
)
@click.version_option(package_name=DISTRIBUTION, message="%(prog)s %(version)s")
@click.option("--debug", "is_debug", is_flag=True, help="Log more, and show where an error was raised.")
def program(*, is_debug: bool) -> None:
    """Ringless voicemails and texts through Drop Cowboy, safe to run again.

    \b
    Try it without calling anyone:
      dropcowboy sandbox &
      export DC='{"login": "sandbox-team", "password": "sandbox-secret",
                  "host": "http://127.0.0.1:8765"}'
      dropcowboy doctor --conn env:DC
    """
    log_to_stderr(is_debug=is_debug)


def main() -> None:
    """Run the program and end the process with its exit code; the one place where an error becomes one."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = program.main(prog_name="dropcowboy", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # nothing may end in a traceback with values in it
        print_error(error)
        code = exit_code(error)
    gc.disable()  # Python looks for circles of objects before it ends: a tenth of what a short command costs
    sys.exit(code if isinstance(code, int) else 0)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends any command as Ctrl-C does, unless the command knows better."""
    raise KeyboardInterrupt
