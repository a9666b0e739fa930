"""The sandbox from the command line, and its life on a port: ``dropcowboy sandbox``, or ``python -m`` this package."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

import click
from aiohttp import web

from airflow_provider_dropcowboy.sandbox.control import Control
from airflow_provider_dropcowboy.sandbox.settings import DEFAULT_OUTCOMES, Fault, Settings, SettingsError
from airflow_provider_dropcowboy.sandbox.vendor import Vendor

MAX_BODY_BYTES: Final = 64 * 2**20
"""10,000 contacts with every field filled, with room to spare: a call that is too large is refused by its count."""

SHUTDOWN_TIMEOUT_S: Final = 0.5


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 picks a free one."
)
@click.option("--team-id", default="sandbox-team", show_default=True, help="The account's team id.")
@click.option("--secret", default="sandbox-secret", show_default=True, help="The account's secret; not a real one.")
@click.option("--key", default="sandbox-key", show_default=True, help="The account's x-key for API v2.")
@click.option("--latency-ms", default=0.0, show_default=True, help="Delay before every answer of the API.")
@click.option("--max-concurrency", type=int, help="Answer 429 above this many requests at once.")
@click.option("--rate-per-s", type=float, help="Answer 429 above this many requests per second.")
@click.option("--callback-delay-s", default=0.2, show_default=True, help="Time from accepting a send to its callback.")
@click.option("--callback-concurrency", default=100, show_default=True, help="Most callbacks under way at once.")
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    metavar="NAME=SHARE",
    help="Share of success, failure, dnc or silent (no callback); success gets the rest. Repeatable.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[=SHARE]",
    help="Fault of the sending routes, for a share of the requests. Repeatable.",
)
@click.option("--seed", default=0, show_default=True, help="Random seed of the faults with a share.")
def sandbox(
    *,
    host: str,
    port: int,
    outcomes: tuple[str, ...],
    faults: tuple[str, ...],
    **others: object,
) -> None:
    """Simulate the API locally; nobody is called.

    It speaks the Drop Cowboy API v1 below /v1, and API v2 without a prefix. /_sandbox shows what
    was requested and accepted.
    """
    try:
        shares = dict(_named_share(text, missing=None) for text in outcomes)
        # all other options are settings of the same names
        settings = Settings(outcomes=shares or DEFAULT_OUTCOMES, **others)  # type: ignore[arg-type]  # click checks them
        wanted = tuple(
            Fault(name=name, share=share) for name, share in (_named_share(text, missing=1.0) for text in faults)
        )
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(
                serve(
                    settings,
                    host=host,
                    port=port,
                    when_listening=lambda url: click.echo(f"sandbox listening on {url}"),
                    faults=wanted,
                )
            )
        except OSError as error:
            raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


async def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    when_listening: Callable[[str], None],
    faults: tuple[Fault, ...],
) -> None:
    """Listen until SIGTERM or SIGINT.

    :param port: 0: any free port.
    :param when_listening: called once with the API's base URL, as soon as requests are accepted.
    :raises OSError: the address cannot be listened on.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    vendor = Vendor(settings, faults=faults)
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.add_routes([*vendor.routes(), *Control(vendor).routes()])
    app.cleanup_ctx.append(vendor.outbox.run)
    # without the cancellation, hang_after would outlive its client
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    try:
        # a burst of connections waits in the queue instead of being refused
        await web.TCPSite(runner, host, port, backlog=1024).start()
        address = runner.addresses[0]
        shown_host = f"[{address[0]}]" if ":" in address[0] else address[0]
        when_listening(f"http://{shown_host}:{address[1]}/v1")
        await stopped.wait()
    finally:
        await runner.cleanup()


def _named_share(text: str, *, missing: float | None) -> tuple[str, float]:
    name, has_share, share = text.partition("=")
    if not has_share and missing is not None:
        return name, missing
    try:
        return name, float(share)
    except ValueError:
        raise SettingsError(f"{text!r} is not NAME=SHARE with a share such as 0.02") from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed (Airflow brings it): a twentieth more requests a second."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    sandbox()
