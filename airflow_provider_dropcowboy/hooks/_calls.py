"""How a hook makes one call of the API, and what of its failures Airflow may repeat."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

from airflow.sdk import BaseHook

from airflow_provider_dropcowboy.errors import AmbiguousError, AuthenticationError, ConfigurationError, RejectedError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.account import Account
    from airflow_provider_dropcowboy.api.vendor import Vendor
    from airflow_provider_dropcowboy.api.wire import Call
    from airflow_provider_dropcowboy.transport.client import Client

T = TypeVar("T")


class Calls(BaseHook):
    """A connection, and single calls of its account."""

    conn_name_attr: ClassVar[str] = "dropcowboy_conn_id"
    default_conn_name: ClassVar[str] = "dropcowboy_default"
    conn_type: ClassVar[str] = "dropcowboy"
    hook_name: ClassVar[str] = "Drop Cowboy"

    def __init__(self, dropcowboy_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.dropcowboy_conn_id = dropcowboy_conn_id

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The connection, checked; its credentials are masked in logs from here on.

        :raises ConfigurationError: the connection lacks a field, or has a wrong one.
        """
        from airflow.sdk.log import mask_secret

        settings = ConnectionSettings.of(self.get_connection(self.dropcowboy_conn_id))
        for secret in settings.secrets():
            for form in secret.forms():
                mask_secret(form)
        return settings

    @property
    def account(self) -> "Account":
        """Whose account, and where."""
        return self.settings.account

    def get_conn(self) -> "Client":
        """A client for single calls; use it in a ``with``, which closes it."""
        from airflow_provider_dropcowboy.transport.client import Client

        return Client(self.account, timeout_s=self.settings.timeout_s, verify=self.settings.verify)

    def _ask(self, build: "Callable[[Vendor], Call[T]]") -> T:
        from airflow_provider_dropcowboy.api.versions import vendor_of

        with airflow_failures(is_safe=True):
            call = build(vendor_of(self.account))
        with airflow_failures(is_safe=call.request.is_safe), self.get_conn() as client:
            return client.ask(call)


def e164_of(text: str, name: str, *, region: str) -> str:
    """The number as E.164.

    :raises ConfigurationError: it is none; the text does not repeat it.
    """
    from airflow_provider_dropcowboy.phone import Phone, PhoneError, is_region

    if not is_region(region):
        raise ConfigurationError(
            f"region is {region!r}. Nothing was sent. Write the two letters of a country (ISO 3166), such as US or GB."
        )
    try:
        return Phone.parse(text, region=region).e164
    except PhoneError as error:
        reason = str(error)
    raise ConfigurationError(f"{name}: {reason}. Nothing was sent. Give a number such as +1 and ten digits.")


@contextmanager
def airflow_failures(*, is_safe: bool) -> Iterator[None]:
    """Turn what a retry must not repeat, or cannot mend, into Airflow's failure without retry.

    :param is_safe: what is called changes nothing.
    """
    from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

    try:
        yield
    except (ConfigurationError, AuthenticationError, RejectedError, AmbiguousError) as error:
        raise AirflowFailException(str(error)) from error
    except AirflowTaskTimeout as error:
        if is_safe:
            raise
        # raised in the middle of the call by Airflow's alarm: left as it is, Airflow would retry
        raise AirflowFailException(
            "The execution_timeout of the task ended a call that changes something; it may have been carried out. "
            "Do not repeat it before you looked in Drop Cowboy. A longer execution_timeout than the connection's "
            "timeout_s avoids this."
        ) from error
