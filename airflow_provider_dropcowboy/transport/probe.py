"""A look at a server that is not the vendor: no credential goes to it."""

from typing import Final

import requests

from airflow_provider_dropcowboy.api.wire import Answer, NotWritten
from airflow_provider_dropcowboy.transport._words import why

TIMEOUT_S: Final = 10.0  # the vendor waits for a callback's answer as long


def probe(url: str, *, verify: bool | str = True) -> Answer | NotWritten:
    """What a GET is answered; a redirect is an answer, and is not followed."""
    try:
        with requests.get(
            url, auth=_no_credentials, timeout=TIMEOUT_S, verify=verify, allow_redirects=False
        ) as response:
            return Answer(response.status_code, response.content)
    # ValueError: what requests cannot read as a URL
    except (requests.RequestException, OSError, ValueError) as error:
        return NotWritten(why(error, timeout_s=TIMEOUT_S))


def _no_credentials(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from adding what a ``.netrc`` holds for the host."""
    return prepared
