"""Waits until a contact list has enough contacts."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError

if TYPE_CHECKING:
    from airflow.sdk import Context


class DropCowboyContactListSensor(BaseSensorOperator):
    """Waits until the vendor counts at least so many contacts in a list; ``{"list_id", "contact_count"}`` is its XCom.

    Airflow's own arguments hold: ``timeout`` (seven days if not set), ``poke_interval``, ``mode``, ``soft_fail``.

    :param list_name: of a list that the ledger knows; its id may change while this waits. Or
    :param list_id: the vendor's.
    :param min_count: a number, or a template of one: ``"{{ ti.xcom_pull('sync')['contact_count'] }}"``.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``.
    :param deferrable: wait in the triggerer; None: as Airflow's ``[operators] default_deferrable`` says.
    """

    template_fields: Sequence[str] = ("list_name", "list_id", "min_count")
    ui_color = "#f6e0c8"

    def __init__(
        self,
        *,
        list_name: str | None = None,
        list_id: str | None = None,
        min_count: int | str = 1,
        dropcowboy_conn_id: str = "dropcowboy_default",
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (list_name is None) == (list_id is None):
            raise ConfigurationError("Give exactly one of list_name and list_id.")
        if isinstance(min_count, int):
            _count(min_count)
        self.list_name = list_name
        self.list_id = list_id
        self.min_count = min_count
        self.dropcowboy_conn_id = dropcowboy_conn_id
        self.deferrable = deferrable

    def poke(self, context: "Context") -> bool | PokeReturnValue:  # noqa: ARG002  # Airflow hands it in
        """Look once.

        :raises AirflowFailException: waiting would be useless.
        """
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_dropcowboy.hooks.contact_lists import look_at_list, may_pass

        name = self.list_name or self.list_id
        try:
            wanted = _count(self.min_count)
            found = look_at_list(self.dropcowboy_conn_id, list_name=self.list_name, list_id=self.list_id)
        except DropCowboyError as error:
            if not may_pass(error):
                raise AirflowFailException(str(error)) from error
            self.log.warning("the list could not be looked at, looking again: %s", error)
            return False
        if found is None:
            self.log.info("contact list %s is not there yet", name)
            return False
        self.log.info("contact list %s: %d contacts of %d", name, found.contact_count, wanted)
        if found.contact_count < wanted:
            return False
        return PokeReturnValue(
            is_done=True, xcom_value={"list_id": found.list_id, "contact_count": found.contact_count}
        )

    def execute(self, context: "Context") -> object:
        """Wait.

        :returns: ``{"list_id", "contact_count"}``.
        :raises AirflowFailException: waiting would be useless.
        """
        if not self._is_deferrable():
            return super().execute(context)
        from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

        from airflow_provider_dropcowboy.triggers.contact_list import DropCowboyContactListTrigger

        try:
            found = self.poke(context)
        except AirflowFailException as error:
            if self.soft_fail:  # which Airflow itself looks after when it resumes, and when it pokes
                raise AirflowSkipException(str(error)) from error
            raise
        if not isinstance(found, PokeReturnValue):
            self.defer(
                trigger=DropCowboyContactListTrigger(
                    dropcowboy_conn_id=self.dropcowboy_conn_id,
                    list_name=self.list_name,
                    list_id=self.list_id,
                    min_count=_count(self.min_count),
                    poke_interval_s=self.poke_interval,
                ),
                method_name=self.execute_complete.__name__,
                timeout=timedelta(seconds=self.timeout),
            )
        return found.xcom_value

    def execute_complete(self, context: "Context", event: Mapping[str, Any]) -> dict[str, object]:  # noqa: ARG002
        """Go on after the trigger."""
        from airflow.providers.common.compat.sdk import AirflowFailException

        if event["error"]:
            raise AirflowFailException(event["error"])
        return {"list_id": event["list_id"], "contact_count": event["contact_count"]}

    def _is_deferrable(self) -> bool:
        if self.deferrable is not None:
            return self.deferrable
        from airflow.providers.common.compat.sdk import conf

        return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def _count(value: int | str) -> int:
    """A number of contacts, from 0."""
    text = str(value).strip()
    if not text.isascii() or not text.isdigit():
        raise ConfigurationError(f"min_count={value!r} is no number of contacts. Write one, from 0.")
    return int(text)
