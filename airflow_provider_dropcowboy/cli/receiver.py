"""``dropcowboy receiver``: callbacks in, without Airflow's API server."""

import socket
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_provider_dropcowboy.cli.options import DEFAULT_CONN

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from airflow_provider_dropcowboy.receiver.wiring import Wiring


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8766, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 picks a free one."
)
@click.option(
    "--conn",
    "conns",
    multiple=True,
    default=[DEFAULT_CONN],
    show_default=True,
    metavar="ID|env:NAME",
    help="Connection whose callbacks are received. Repeatable; all must share one ledger.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Number of processes.")
@click.option(
    "--spool",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder on a local disk for callbacks while the ledger is down.  [default: AIRFLOW_HOME/dropcowboy-spool]",
)
@click.option(
    "--webhook",
    "takes_unsigned",
    is_flag=True,
    help="Also accept the account-wide webhook at /webhook. It is not signed: let only the vendor reach it.",
)
@click.pass_context
def receiver(
    ctx: click.Context,
    /,
    *,
    host: str,
    port: int,
    conns: tuple[str, ...],
    workers: int,
    spool: Path | None,
    takes_unsigned: bool,
) -> None:
    """Receive the vendor's callbacks into the ledger.

    The connection's callback_url names where this is reached from outside: put it behind a proxy that does TLS, and let
    only /callbacks/ through.
    """
    try:
        from airflow_provider_dropcowboy.receiver.server import lent_listener, own_listener, serve, shared_metrics
    except ImportError as error:
        raise click.ClickException(
            "The receiver needs more packages: pip install 'airflow-provider-dropcowboy[receiver]'."
        ) from error
    with shared_metrics() if workers > 1 else nullcontext():
        # all imports come before anybody is let in, and before the workers are forked
        import_module("airflow_provider_dropcowboy.receiver.app")
        from airflow_provider_dropcowboy.receiver.spool import default_folder

        for problem in find_wiring(conns).problems:
            click.echo(f"Warning: {problem}", err=True)
        lent = lent_listener()
        try:
            listener = lent or own_listener(host, port)
        except OSError as error:
            raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        if lent is None and is_listened_on(host, listener.getsockname()[1]):
            click.echo(
                f"Another receiver listens on {host}:{port}. Both receive until one of them is stopped.", err=True
            )
        is_debug = bool(ctx.find_root().params.get("is_debug"))
        folder = (spool or default_folder()).absolute()
        serve(
            partial(make_receiver, conns, folder, takes_unsigned=takes_unsigned, is_debug=is_debug),
            listener,
            workers=workers,
            is_lent=lent is not None,
            when_listening=lambda: click.echo(f"receiver listening on {_address(listener)}"),
        )


def is_listened_on(host: str, port: int) -> bool:
    """Whether another process accepts connections at the address."""
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_receiver(conns: tuple[str, ...], spool: Path, *, takes_unsigned: bool, is_debug: bool) -> "ASGIApp":
    """The app, made in the process that serves it."""
    from airflow_provider_dropcowboy.cli.console import log_to_stderr
    from airflow_provider_dropcowboy.receiver.app import receiver_app

    log_to_stderr(is_debug=is_debug)
    return receiver_app(partial(find_wiring, conns), spool_folder=spool, takes_unsigned=takes_unsigned)


def find_wiring(conns: tuple[str, ...]) -> "Wiring":
    """What the connections say.

    :raises ConfigurationError: one is not there or wrong, or they have different ledgers.
    """
    from airflow_provider_dropcowboy.cli.connection import ledger_url_of, load_settings
    from airflow_provider_dropcowboy.receiver.wiring import Connected, wire

    found = {conn: load_settings(conn) for conn in conns}
    return wire(
        [Connected(conn, settings.callback_secrets(), ledger_url_of(settings)) for conn, settings in found.items()]
    )
