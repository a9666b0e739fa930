"""Waits until the results of a campaign are known."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError
from airflow_provider_dropcowboy.hooks.assets import tell_outlets
from airflow_provider_dropcowboy.hooks.deliveries import Results, may_pass, open_results
from airflow_provider_dropcowboy.hooks.links import CampaignReportLink, show_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_provider_dropcowboy.reports.progress import Progress


class DropCowboyDeliverySensor(BaseSensorOperator):
    """Waits until so large a share of a campaign's accepted sends has come to its end; the counts are its XCom.

    Final is what a callback called delivered or failed, and what was told nothing for ``expire_after``. The campaign
    may still be sent, and may not even have begun. Sends in doubt are not waited for: a callback or a person settles
    them. Each look is one query of the ledger, however many sends there are.

    Airflow's own arguments hold: ``timeout`` (seven days if not set), ``poke_interval``, ``mode``, ``soft_fail``.

    :param campaign: as the send task's XCom names it: ``"{{ ti.xcom_pull('send')['campaign'] }}"``. Of the
        connection's account; both channels together.
    :param min_final_share: above 0, up to 1.
    :param fail_below_delivered: fail, without retry, if a smaller share of the final sends was delivered; None: never.
    :param expire_after: see above; by the full hour, so up to an hour later.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``; without a callback URL in it no result ever
        comes, and the sensor fails at once.
    :param deferrable: wait in the triggerer; None: as Airflow's ``[operators] default_deferrable`` says.
    """

    template_fields: Sequence[str] = ("campaign",)
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
        if not 0 < min_final_share <= 1:
            raise ConfigurationError(f"min_final_share={min_final_share!r} must be above 0, and at most 1 for all.")
        if fail_below_delivered is not None and not 0 <= fail_below_delivered <= 1:
            raise ConfigurationError(f"fail_below_delivered={fail_below_delivered!r} must be from 0 to 1, or None.")
        if expire_after <= timedelta(0):
            raise ConfigurationError(f"expire_after={expire_after!r} must be a time above 0.")
        self.campaign = campaign
        self.min_final_share = min_final_share
        self.fail_below_delivered = fail_below_delivered
        self.expire_after = expire_after
        self.dropcowboy_conn_id = dropcowboy_conn_id
        self.deferrable = deferrable

    def poke(self, context: "Context") -> bool | PokeReturnValue:
        """Look once."""
        progress = self._look(context)
        if not progress.is_done(min_final_share=self.min_final_share):
            return False
        return PokeReturnValue(is_done=True, xcom_value=self._judge(progress, context))

    def execute(self, context: "Context") -> object:
        """Wait.

        :returns: ``{"campaign", <one count a state>, "final_share", "delivered_share"}``.
        :raises AirflowFailException: too few were delivered, or no result can ever come.
        """
        if not self._is_deferrable():
            return super().execute(context)
        from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

        from airflow_provider_dropcowboy.triggers.delivery import DropCowboyDeliveryTrigger

        try:
            found = self.poke(context)
        except AirflowFailException as error:
            if self.soft_fail:  # which Airflow itself looks after when it resumes, and when it pokes
                raise AirflowSkipException(str(error)) from error
            raise
        if not isinstance(found, PokeReturnValue):
            self.defer(
                trigger=DropCowboyDeliveryTrigger(
                    dropcowboy_conn_id=self.dropcowboy_conn_id,
                    campaign=self.campaign,
                    min_final_share=self.min_final_share,
                    expire_after_s=self.expire_after.total_seconds(),
                    poke_interval_s=self.poke_interval,
                ),
                method_name=self.execute_complete.__name__,
                timeout=timedelta(seconds=self.timeout),
            )
        return found.xcom_value

    def execute_complete(self, context: "Context", event: Mapping[str, Any]) -> dict[str, object]:
        """Go on after the trigger; the counts are read anew."""
        from airflow.providers.common.compat.sdk import AirflowFailException

        if event["error"]:
            raise AirflowFailException(event["error"])
        return self._judge(self._look(context), context)

    def _is_deferrable(self) -> bool:
        if self.deferrable is not None:
            return self.deferrable
        from airflow.providers.common.compat.sdk import conf

        return bool(conf.getboolean("operators", "default_deferrable", fallback=False))

    def _look(self, context: "Context") -> "Progress":
        with _airflow_failures(), open_results(self.dropcowboy_conn_id) as results:
            show_report(self, context, account=results.settings.account.name, campaign=self.campaign)
            _check_callback_url(results)
            progress = results.progress(self.campaign, expire_after=self.expire_after)
        self.log.info("%s", progress if progress.is_begun else f"campaign {self.campaign}: not begun yet")
        return progress

    def _judge(self, progress: "Progress", context: "Context") -> dict[str, object]:
        least = self.fail_below_delivered
        if least is not None and progress.delivered_share < least:
            from airflow.providers.common.compat.sdk import AirflowFailException

            raise AirflowFailException(
                f"{progress.delivered_share:.1%} of the final sends were delivered, the task asks for {least:.1%}: "
                f"{progress}. `dropcowboy report '{self.campaign}'` shows the reasons."
            )
        counts = progress.as_dict()
        tell_outlets(self, context, counts=counts)
        return counts


def _check_callback_url(results: Results) -> None:
    if results.settings.callback_url is None:
        raise ConfigurationError(
            "The connection has no callback_url: the vendor tells each result once, by a callback, so that none would "
            "ever come. Run `dropcowboy receiver`, set its public URL as callback_url in the connection (also if the "
            "send tasks name their own), and clear the task. What was sent before without it stays without a result."
        )


@contextmanager
def _airflow_failures() -> "Iterator[None]":
    """A retry helps if the ledger's database was away, and else it does not."""
    from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

    try:
        yield
    except DropCowboyError as error:
        raise (AirflowException if may_pass(error) else AirflowFailException)(str(error)) from error
