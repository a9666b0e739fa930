"""``dropcowboy receiver``: callbacks in, without Airflow's API server."""

import socket
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_provider_dropcowboy.cli import connection, console

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
    default=[console.DEFAULT_CONN],
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
@click.option("--register", is_flag=True, help="Make the signed webhook of API v2 at Drop Cowboy, and end.")
@click.option("--rotate", is_flag=True, help="Give the webhook of --register another secret, and end.")
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
    register: bool,
    rotate: bool,
) -> None:
    """Receive the vendor's callbacks into the ledger.

    The connection's callback_url names where this is reached from outside: put it behind a proxy that does TLS, and let
    only /callbacks/ and /events through.
    """
    if register or rotate:
        for conn in conns:
            register_webhook(conn, rotates=rotate)
        return
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


def register_webhook(conn: str, *, rotates: bool) -> None:
    """Drop Cowboy posts signed webhooks to the connection's receiver, once; the ledger knows their secret.

    :raises ConfigurationError: the connection is of API v1, or has no callback_url.
    """
    from airflow_provider_dropcowboy.api.callbacks import EVENT_TYPES
    from airflow_provider_dropcowboy.api.versions import vendor_of
    from airflow_provider_dropcowboy.errors import ConfigurationError
    from airflow_provider_dropcowboy.ledger.webhooks import begin_rotation, keep_secret, reseal

    settings = connection.load_settings(conn)
    routes = vendor_of(settings.account).routes
    if routes is None:
        raise ConfigurationError(
            f"Connection {conn} uses API v1, which signs no webhooks. Nothing was registered. Set api_version to v2 in "
            "its extra, with login and password of API v2."
        )
    if settings.callback_url is None or settings.callback_secret is None:
        raise ConfigurationError(
            f"Connection {conn} lacks callback_url (where the receiver is reached from outside) or callback_secret "
            "(under which the ledger keeps the signing secret). Nothing was registered. Set both in the extra."
        )
    ledger = connection.open_ledger_of(conn, may_create=True)
    hook_url = f"{settings.callback_url}/events"
    same = [hook for hook in connection.fetch(settings, routes.webhooks()) if hook.hook_url == hook_url]
    for extra in same[1:]:
        click.echo(f"Webhook {extra.webhook_id} has the same address: events come twice. Delete it.", err=True)
    if same and not rotates and reseal(ledger, same[0].webhook_id, keys=settings.callback_secrets()):
        click.echo(f"{hook_url} is registered as webhook {same[0].webhook_id}.")
        return
    if same:
        begin_rotation(ledger, same[0].webhook_id)
        made = connection.fetch(settings, routes.rotate_secret(same[0].webhook_id))
    else:
        made = connection.fetch(settings, routes.register_webhook(hook_url, event_types=EVENT_TYPES, name="Airflow"))
    if made.signing_secret is None:
        raise ConfigurationError("Drop Cowboy answered without a signing secret. Run this again with --rotate.")
    keep_secret(
        ledger,
        settings.account.name,
        webhook_id=made.webhook_id,
        secret=made.signing_secret,
        under=settings.callback_secret,
    )
    click.echo(f"{hook_url} is registered as webhook {made.webhook_id}.")
    click.echo(f"Signing secret, shown this once: {made.signing_secret.reveal()}")
    click.echo("The ledger has it: receivers of this ledger accept it within seconds.", err=True)


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
    from airflow_provider_dropcowboy.receiver.app import Receiver, ReceiverApp

    console.log_to_stderr(is_debug=is_debug)
    return ReceiverApp(Receiver(partial(find_wiring, conns), spool_folder=spool, takes_unsigned=takes_unsigned))


def find_wiring(conns: tuple[str, ...]) -> "Wiring":
    """What the connections say.

    :raises ConfigurationError: one is not there or wrong, or they have different ledgers.
    """
    from airflow_provider_dropcowboy.receiver.wiring import Connected, wire

    found = {conn: connection.load_settings(conn) for conn in conns}
    return wire(
        [
            Connected(
                conn,
                settings.callback_secrets(),
                connection.ledger_url_of(settings),
                settings.account.name,
                settings.webhook_secrets,
            )
            for conn, settings in found.items()
        ]
    )
