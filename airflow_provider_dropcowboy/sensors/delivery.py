"""Waits until the results of a campaign are known."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_dropcowboy.argument_kinds import DURATION, FLAG, NAME, SHARE, number_kind
from airflow_provider_dropcowboy.arguments import Arguments, argument, wrong
from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError
from airflow_provider_dropcowboy.hooks.arguments import ArgumentsMixin, is_deferrable, template_fields_of
from airflow_provider_dropcowboy.hooks.ledger import Results, may_pass, open_results
from airflow_provider_dropcowboy.hooks.observability import CampaignReportLink, keep_note, show_report, tell_outlets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_provider_dropcowboy.reports.results import Progress


@dataclass(frozen=True, kw_only=True, repr=False)
class DeliverySensorArguments(Arguments):
    """Which results the sensor waits for, and how."""

    campaign: str = argument(NAME, "As the send task's XCom names it.", default="")
    min_final_share: float = argument(
        number_kind("a share above 0, and at most 1 for all", lambda share: 0 < share <= 1, float, "SHARE"),
        "Above 0, up to 1.",
        default=1.0,
    )
    fail_below_delivered: float | None = argument(SHARE, "Fail if a smaller share of the final sends was delivered.")
    expire_after: timedelta = argument(
        DURATION, "An accepted send counts as final after so long without a result.", default=timedelta(hours=72)
    )
    dropcowboy_conn_id: str = argument(NAME, "Airflow connection of type `dropcowboy`.", default="dropcowboy_default")
    deferrable: bool | None = argument(FLAG, "Wait in the triggerer.")

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        if values["expire_after"] == timedelta(0):
            raise wrong("expire_after", "is 0", "Write a time above 0.")


class DropCowboyDeliverySensor(ArgumentsMixin, BaseSensorOperator):
    """Waits until a share of a campaign's accepted sends is final. Its XCom has the counts.

    A send is final once Drop Cowboy reported it delivered or failed, or once it had no result for ``expire_after``. The
    campaign may still be running, or may not have begun. The sensor does not wait for sends in doubt: a callback or a
    person settles them. Each look is one query of the ledger, however many sends there are.

    Airflow's arguments for sensors work too: ``timeout`` (seven days if not set), ``poke_interval``, ``mode``,
    ``soft_fail``.

    :param campaign: as the send task's XCom names it: ``"{{ ti.xcom_pull('send')['campaign'] }}"``. It belongs to the
        connection's account. Voicemails and texts count together.
    :param min_final_share: the share of accepted sends that must be final: above 0, up to 1.
    :param fail_below_delivered: fails the task, without a retry, if a smaller share of the final sends was delivered.
        None: never.
    :param expire_after: see above. It is counted by the full hour, so it may end up to an hour later.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``. If it has neither ``callback_url`` nor
        ``account_webhook``, and the campaign has no result yet, the sensor fails at once.
    :param deferrable: whether to wait in the triggerer. None: as Airflow's ``[operators] default_deferrable`` says.
    """

    operator_extra_links = (CampaignReportLink(),)
    ui_color = "#f6e0c8"

    def __init__(
        self,
        *,
        campaign: str,
        min_final_share: float = 1.0,
        fail_below_delivered: float | None = None,
        expire_after: timedelta = timedelta(hours=72),
        dropcowboy_conn_id: str = "dropcowboy_default",
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._keep(locals())
        self._check(DeliverySensorArguments)

    template_fields: Sequence[str] = template_fields_of(__init__)
    _noted: str | None = None

    def poke(self, context: "Context") -> bool | PokeReturnValue:
        """Look once."""
        wanted = self._arguments_of(context)
        progress = self._look(wanted, context)
        if not progress.is_done(min_final_share=wanted.min_final_share):
            return False
        return PokeReturnValue(is_done=True, xcom_value=self._judge(progress, wanted, context))

    def execute(self, context: "Context") -> object:
        """Wait.

        :returns: ``{"campaign", <one count for each state>, "final_share", "delivered_share"}``.
        :raises AirflowFailException: too few were delivered, or no result can ever come.
        """
        from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

        from airflow_provider_dropcowboy.triggers.dropcowboy import DropCowboyDeliveryTrigger

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
                trigger=DropCowboyDeliveryTrigger(
                    dropcowboy_conn_id=wanted.dropcowboy_conn_id,
                    campaign=wanted.campaign,
                    min_final_share=wanted.min_final_share,
                    expire_after_s=wanted.expire_after.total_seconds(),
                    poke_interval_s=self.poke_interval,
                ),
                method_name=self.execute_complete.__name__,
                timeout=timedelta(seconds=self.timeout),
            )
        return found.xcom_value

    def execute_complete(self, context: "Context", event: Mapping[str, Any]) -> dict[str, object]:
        """Go on after the trigger, and read the counts again."""
        from airflow.providers.common.compat.sdk import AirflowFailException

        if event["error"]:
            raise AirflowFailException(event["error"])
        wanted = self._arguments_of(context)
        return self._judge(self._look(wanted, context), wanted, context)

    def _arguments_of(self, context: "Context") -> DeliverySensorArguments:
        with _airflow_failures():
            return self._read(DeliverySensorArguments, context)

    def _look(self, wanted: DeliverySensorArguments, context: "Context") -> "Progress":
        with _airflow_failures(), open_results(wanted.dropcowboy_conn_id) as results:
            show_report(self, context, account=results.settings.account.name, campaign=wanted.campaign)
            progress = results.progress(wanted.campaign, expire_after=wanted.expire_after)
            self._note(progress, wanted, context, account=results.settings.account.name)
            _check_that_results_come(results, progress)
        self.log.info("%s", progress if progress.is_begun else f"campaign {wanted.campaign}: not begun yet")
        return progress

    def _note(self, progress: "Progress", wanted: DeliverySensorArguments, context: "Context", *, account: str) -> None:
        """The page of the task shows how far the results have come, while it waits and afterwards."""
        state = "done" if progress.is_done(min_final_share=wanted.min_final_share) else "waiting"
        if state == self._noted:  # a sensor looks many times
            return
        keep_note(
            context,
            wanted.dropcowboy_conn_id,
            state=state,
            account=account,
            campaign=wanted.campaign,
            min_final_share=wanted.min_final_share,
        )
        self._noted = state

    def _judge(self, progress: "Progress", wanted: DeliverySensorArguments, context: "Context") -> dict[str, object]:
        least = wanted.fail_below_delivered
        if least is not None and progress.delivered_share < least:
            from airflow.providers.common.compat.sdk import AirflowFailException

            raise AirflowFailException(
                f"{progress.delivered_share:.1%} of the final sends were delivered, the task asks for {least:.1%}: "
                f"{progress}. `dropcowboy report '{wanted.campaign}'` shows the reasons."
            )
        if not progress.accepted:
            self.log.warning(
                "Campaign %s has no accepted send, so there is no result to wait for. The send task's log says why.",
                wanted.campaign,
            )
        counts = progress.as_dict()
        tell_outlets(self, context, counts=counts)
        return counts


def _check_that_results_come(results: Results, progress: "Progress") -> None:
    """Refuse to wait where nothing says that a result can come.

    :raises ConfigurationError: the connection names neither a callback URL nor the account's webhook, and no result of
        the campaign has come.
    """
    settings = results.settings
    if settings.callback_url is None and not settings.account_webhook and not progress.has_results:
        raise ConfigurationError(
            "The connection has no callback_url: the vendor tells each result once, by a callback, so that none would "
            "ever come. Run `dropcowboy receiver`, set its public URL as callback_url in the connection (also if the "
            "send tasks name their own), and clear the task. If the account's own webhook is the receiver's /webhook, "
            "set account_webhook to true there. What was sent before without either stays without a result."
        )


@contextmanager
def _airflow_failures() -> "Iterator[None]":
    """A retry helps if the ledger's database was away, and else it does not."""
    from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

    try:
        yield
    except DropCowboyError as error:
        raise (AirflowException if may_pass(error) else AirflowFailException)(str(error)) from error
