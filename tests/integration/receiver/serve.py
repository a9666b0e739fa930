"""A receiver as a process, without Airflow to find its ledger: ``python -m tests.integration.receiver.serve``."""

import argparse
import socket
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from starlette.types import ASGIApp

from airflow_provider_dropcowboy.receiver.app import Receiver, ReceiverApp
from airflow_provider_dropcowboy.receiver.server import serve
from airflow_provider_dropcowboy.receiver.wiring import Wiring
from airflow_provider_dropcowboy.secret import Secret
from tests.integration.receiver.running import CALLBACK_SECRET


def make_app(url: str, spool: Path) -> ASGIApp:
    return ReceiverApp(Receiver(lambda: Wiring((Secret(CALLBACK_SECRET),), sa.make_url(url)), spool_folder=spool))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--spool", type=Path, required=True)
    parser.add_argument("--descriptor", type=int, required=True, help="of a socket that is bound")
    asked = parser.parse_args()
    listener = socket.socket(fileno=asked.descriptor)
    serve(partial(make_app, asked.ledger, asked.spool), listener, workers=1)
