"""Waits until a contact list has enough contacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_dropcowboy.argument_kinds import FLAG, ID, NAME, count_kind
from airflow_provider_dropcowboy.arguments import Arguments, argument, one_of
from airflow_provider_dropcowboy.errors import DropCowboyError
from airflow_provider_dropcowboy.hooks.arguments import ArgumentsMixin, is_deferrable, template_fields_of

if TYPE_CHECKING:
    from airflow.sdk import Context


@dataclass(frozen=True, kw_only=True, repr=False)
class ListSensorArguments(Arguments):
    """Which list the sensor waits for, and how."""

    list_name: str | None = argument(NAME, "Name of a list that the ledger knows.")
    list_id: str | None = argument(ID, "The vendor's id of a list.")
    min_count: int = argument(count_kind(0), "Contacts the list must have.", default=1)
    dropcowboy_conn_id: str = argument(NAME, "Airflow connection of type `dropcowboy`.", default="dropcowboy_default")
    deferrable: bool | None = argument(FLAG, "Wait in the triggerer.")

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        one_of(values, "list_name", "list_id")


class DropCowboyContactListSensor(ArgumentsMixin, BaseSensorOperator):
    """Waits until Drop Cowboy counts at least so many contacts in a list. Its XCom: ``{"list_id", "contact_count"}``.

    Airflow's arguments for sensors work too: ``timeout`` (seven days if not set), ``poke_interval``, ``mode``,
    ``soft_fail``.

    :param list_name: a list that the ledger knows; its ID may change while the sensor waits. Give this or ``list_id``.
    :param list_id: the ID of a list at Drop Cowboy.
    :param min_count: a number, or a template of one: ``"{{ ti.xcom_pull('sync')['contact_count'] }}"``.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``.
    :param deferrable: whether to wait in the triggerer. None: as Airflow's ``[operators] default_deferrable`` says.
    """

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
        self._keep(locals())
        self._check(ListSensorArguments)

    template_fields: Sequence[str] = template_fields_of(__init__)

    def poke(self, context: "Context") -> bool | PokeReturnValue:
        """Look once.

        :raises AirflowFailException: waiting would be useless.
        """
        from airflow.providers.common.compat.sdk import AirflowFailException

        from airflow_provider_dropcowboy.hooks.ledger import look_at_list, may_pass

        try:
            wanted = self._read(ListSensorArguments, context)
            found = look_at_list(wanted.dropcowboy_conn_id, list_name=wanted.list_name, list_id=wanted.list_id)
        except DropCowboyError as error:
            if not may_pass(error):
                raise AirflowFailException(str(error)) from error
            self.log.warning("the list could not be looked at, looking again: %s", error)
            return False
        name = wanted.list_name or wanted.list_id
        if found is None:
            self.log.info("contact list %s is not there yet", name)
            return False
        self.log.info("contact list %s: %d contacts of %d", name, found.contact_count, wanted.min_count)
        if found.contact_count < wanted.min_count:
            return False
        return PokeReturnValue(
            is_done=True, xcom_value={"list_id": found.list_id, "contact_count": found.contact_count}
        )

    def execute(self, context: "Context") -> object:
        """Wait.

        :returns: ``{"list_id", "contact_count"}``.
        :raises AirflowFailException: waiting would be useless.
        """
        from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

        from airflow_provider_dropcowboy.triggers.dropcowboy import DropCowboyContactListTrigger

        try:
            wanted = self._arguments_of(context)
            if not is_deferrable(wanted.deferrable):
                return super().execute(context)
            found = self.poke(context)
        except AirflowFailException as error:
            if self.soft_fail:  # which Airflow itself looks after when it resumes, and when it pokes
                raise AirflowSkipException(str(error)) from error
            raise
        if not isinstance(found, PokeReturnValue):
            self.defer(
                trigger=DropCowboyContactListTrigger(
                    dropcowboy_conn_id=wanted.dropcowboy_conn_id,
                    list_name=wanted.list_name,
                    list_id=wanted.list_id,
                    min_count=wanted.min_count,
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

    def _arguments_of(self, context: "Context") -> ListSensorArguments:
        from airflow.providers.common.compat.sdk import AirflowFailException

        try:
            return self._read(ListSensorArguments, context)
        except DropCowboyError as error:
            raise AirflowFailException(str(error)) from error
