"""The hook against the vendor's stand-in over HTTP."""

import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_dropcowboy.errors import AmbiguousError, AuthenticationError, NotTakenError, RejectedError
from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
from airflow_provider_dropcowboy.sandbox.catalog import (
    BRAND_ID,
    POOL_ID,
    RECORDING_ID,
    UNREGISTERED_BRAND_ID,
)
from tests.sandbox_process import SandboxProcess

NUMBER = "+15045550100"
CALLER = "+15045550199"


class TestTheTestButton:
    def test_good_credentials_are_told(self, hook: DropCowboyHook) -> None:
        works, message = hook.test_connection()
        assert works
        assert "accepts the credentials. 1 of 2 brands may be used through the API, default_brand_id among" in message

    @pytest.mark.parametrize("wrong", [{"login": "another-team"}, {"password": "another-secret"}])
    def test_a_wrong_team_id_and_a_wrong_secret_are_told_as_one(
        self, connect: Callable[..., DropCowboyHook], wrong: dict[str, object]
    ) -> None:
        works, message = connect(**wrong).test_connection()
        assert not works
        assert "HTTP 401" in message
        assert "The team id (login) or the secret (password) is wrong: the API answers both alike" in message
        assert "another-secret" not in message

    @pytest.mark.parametrize(
        ("fault", "said"), [("payment_required", "no funds"), ("forbidden", "may not use the API: ask Drop Cowboy")]
    )
    def test_an_account_that_may_not_is_no_wrong_secret(
        self, sandbox: SandboxProcess, hook: DropCowboyHook, fault: str, said: str
    ) -> None:
        sandbox.fault(fault, route="brand")
        works, message = hook.test_connection()
        assert not works
        assert said in message
        assert "secret" not in message

    @pytest.mark.parametrize(
        ("brand_id", "said"),
        [
            (UNREGISTERED_BRAND_ID, "default_brand_id is not allowed. Ask Drop Cowboy to allow it, or set another"),
            ("b-of-somebody-else", "default_brand_id is not a brand of the account"),
        ],
    )
    def test_a_brand_without_access_to_the_api_is_told_though_the_credentials_are_good(
        self, connect: Callable[..., DropCowboyHook], brand_id: str, said: str
    ) -> None:
        works, message = connect(extra={"default_brand_id": brand_id}).test_connection()
        assert not works
        assert "accepts the credentials" in message
        assert said in message

    def test_a_host_of_no_such_name_or_no_name_server_is_told(self, connect: Callable[..., DropCowboyHook]) -> None:
        works, message = connect(host="https://nowhere.invalid").test_connection()
        assert not works
        assert message in {
            "nowhere.invalid was not reached: the host's name could not be resolved, since there is no such name. "
            "Nothing was sent. Check the host of the connection.",
            "nowhere.invalid was not reached: the host's name could not be resolved, since no name server answered. "
            "Nothing was sent. This machine has no network, or none that leads there: check network, DNS and proxy.",
        }

    def test_a_proxy_that_is_not_there_is_told(
        self, connect: Callable[..., DropCowboyHook], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        works, message = connect(host="https://api.example.com").test_connection()
        assert not works
        assert "through the proxy, the connection was refused" in message
        assert "Check the proxy" in message

    def test_a_host_where_nobody_listens_is_told(self, connect: Callable[..., DropCowboyHook]) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{unused.getsockname()[1]}"
            works, message = connect(host=f"http://{host}").test_connection()
        assert not works
        assert f"{host} was not reached: the connection was refused" in message

    def test_a_host_that_speaks_no_tls_is_told(
        self, sandbox: SandboxProcess, connect: Callable[..., DropCowboyHook]
    ) -> None:
        works, message = connect(host=sandbox.base_url.replace("http:", "https:")).test_connection()
        assert not works
        assert "the TLS handshake failed" in message

    def test_a_host_that_is_another_site_is_told(self, sandbox: SandboxProcess, hook: DropCowboyHook) -> None:
        sandbox.fault("html_200_after", route="brand")
        works, message = hook.test_connection()
        assert not works
        assert "not the documented answer" in message
        assert "check the host" in message

    def test_a_wrong_path_is_told(self, sandbox: SandboxProcess, connect: Callable[..., DropCowboyHook]) -> None:
        works, message = connect(host=sandbox.base_url.replace("/v1", "/v9")).test_connection()
        assert not works
        assert "HTTP 404" in message
        assert "host of the connection" in message


class TestSends:
    def test_a_voicemail_is_queued_once(self, sandbox: SandboxProcess, hook: DropCowboyHook) -> None:
        foreign_id = hook.send_rvm(phone_number="(504) 555-0100", recording_id=RECORDING_ID, postal_code="02101")
        sent = sandbox.sends()[foreign_id]
        assert (sent["asks"], sent["takes"], sent["phone_number"], sent["channel"]) == (1, 1, NUMBER, "rvm")

    @pytest.mark.parametrize(
        ("given", "sent"),
        [("K1A 0B1", "K1A 0B1"), ("k1a0b1", "K1A 0B1"), (2101, "02101"), ("90210-0001", "90210-0001")],
    )
    def test_a_postal_code_of_the_us_or_canada_goes_out_in_its_usual_form(
        self, sandbox: SandboxProcess, hook: DropCowboyHook, given: str, sent: str
    ) -> None:
        foreign_id = hook.send_rvm(phone_number=NUMBER, recording_id=RECORDING_ID, postal_code=given)
        assert sandbox.sends()[foreign_id]["first_body"]["postal_code"] == sent

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"foreign_id": 42}, "A foreign_id is printable text, not 42"),
            ({"postal_code": "SW1A 1AA"}, "postal_code must be"),
            ({"region": "usa"}, "region is 'usa'"),
            ({"callback_url": "nonsense"}, "callback_url is not a URL"),
            ({"phone_ivr_id": ""}, "phone_ivr_id is empty"),
        ],
    )
    def test_what_the_vendor_would_refuse_is_not_sent(
        self, sandbox: SandboxProcess, hook: DropCowboyHook, wrong: dict[str, Any], named: str
    ) -> None:
        with pytest.raises(AirflowFailException, match=named) as caught:
            hook.send_rvm(phone_number=NUMBER, recording_id=RECORDING_ID, **wrong)
        assert "Nothing was sent" in str(caught.value)
        assert sandbox.stats()["asks"] == 0

    def test_an_empty_pool_id_is_the_shared_pool_though_the_connection_names_one(
        self, sandbox: SandboxProcess, connect: Callable[..., DropCowboyHook]
    ) -> None:
        hook = connect(extra={"default_brand_id": BRAND_ID, "default_pool_id": POOL_ID})
        shared = hook.send_rvm(phone_number=NUMBER, recording_id=RECORDING_ID, pool_id="")
        assert "pool_id" not in sandbox.sends()[shared]["first_body"]

    def test_a_text_is_queued_once(self, sandbox: SandboxProcess, hook: DropCowboyHook) -> None:
        foreign_id = hook.send_sms(
            phone_number=NUMBER, sms_body="Hello", caller_id=CALLER, opt_in=True, foreign_id="order-1"
        )
        assert foreign_id == "order-1"
        assert sandbox.asks() == {"order-1": 1}

    @pytest.mark.parametrize(
        "fault",
        [
            "lose_answer",
            "drop_request",
            "reset_after",
            "truncated_after",
            "502_before",
            "503_retry_after_after",
            "html_200_after",
            "odd_json_after",
            "redirect_307",
            "timeout_408",
            "conflict",
        ],
    )
    def test_a_doubtful_voicemail_is_asked_for_once_and_not_retried(
        self, fault: str, sandbox: SandboxProcess, hook: DropCowboyHook
    ) -> None:
        sandbox.fault(fault)
        with pytest.raises(AirflowFailException, match=r"may have been sent.*foreign_id is order-1") as caught:
            hook.send_rvm(phone_number=NUMBER, recording_id=RECORDING_ID, foreign_id="order-1")
        assert isinstance(caught.value.__cause__, AmbiguousError)
        assert sandbox.stats()["asks"] == 1

    def test_an_answer_that_does_not_come_in_time_is_a_doubt(
        self, sandbox: SandboxProcess, connect: Callable[..., DropCowboyHook]
    ) -> None:
        sandbox.fault("hang_after")
        hook = connect(extra={"default_brand_id": BRAND_ID, "timeout_s": 0.3})
        with pytest.raises(AirflowFailException, match="timed out"):
            hook.send_rvm(phone_number=NUMBER, recording_id=RECORDING_ID)
        assert list(sandbox.takes_by_phone().values()) == [1]

    def test_a_voicemail_that_met_the_limit_may_be_retried_by_airflow(
        self, sandbox: SandboxProcess, hook: DropCowboyHook
    ) -> None:
        sandbox.fault("429", times=1)
        with pytest.raises(NotTakenError):
            hook.send_rvm(phone_number=NUMBER, recording_id=RECORDING_ID, foreign_id="order-1")
        hook.send_rvm(phone_number=NUMBER, recording_id=RECORDING_ID, foreign_id="order-1")
        assert list(sandbox.takes_by_phone().values()) == [1]

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            ("unauthorized", AuthenticationError),
            ("payment_required", AuthenticationError),
            ("not_found_html", RejectedError),
            ("invalid_400", RejectedError),
            ("unprocessable_422", RejectedError),
        ],
    )
    def test_a_refused_voicemail_is_not_retried(
        self, fault: str, kind: type[Exception], sandbox: SandboxProcess, hook: DropCowboyHook
    ) -> None:
        sandbox.fault(fault)
        with pytest.raises(AirflowFailException, match="Nothing was sent") as caught:
            hook.send_rvm(phone_number=NUMBER, recording_id=RECORDING_ID)
        assert isinstance(caught.value.__cause__, kind)

    def test_nothing_of_a_person_and_no_secret_is_logged_or_raised(
        self, sandbox: SandboxProcess, hook: DropCowboyHook, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, logger="urllib3")  # clickhouse-connect silences it when it is imported
        said = ""
        for fault in ("lose_answer", "invalid_400", "unauthorized", "429", "html_200_after"):
            sandbox.fault(fault, times=1)
            with pytest.raises((AirflowFailException, NotTakenError)) as caught:
                hook.send_sms(phone_number=NUMBER, sms_body="Hello Ann", caller_id=CALLER, opt_in=True)
            said += f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
        said += caplog.text
        assert "POST" in said
        for hidden in (sandbox.secret, NUMBER[1:], CALLER[1:], "Hello Ann"):
            assert hidden not in said


class TestLists:
    def test_a_list_lives_from_its_creation_to_its_deletion(
        self, sandbox: SandboxProcess, hook: DropCowboyHook
    ) -> None:
        made = hook.create_list("due today")
        result = hook.append_contacts(
            made.list_id, ["record_id", "phone"], values=[["1", NUMBER], ["2", "not a number"], ["3", "504 555 0101"]]
        )
        assert (result.accepted_count, [row.index for row in result.rejected]) == (2, [1])
        assert (hook.get_list(made.list_id).contact_count, hook.get_list(made.list_id).list_name) == (2, "due today")
        hook.rename_list(made.list_id, "done")
        assert sandbox.lists()[made.list_id]["list_name"] == "done"
        hook.delete_list(made.list_id)
        with pytest.raises(AirflowFailException, match="HTTP 404"):
            hook.get_list(made.list_id)

    def test_rows_as_dicts_are_refused_before_anything_is_stored(
        self, sandbox: SandboxProcess, hook: DropCowboyHook
    ) -> None:
        made = hook.create_list("due today")
        rows: Any = [{"phone": NUMBER}]
        with pytest.raises(AirflowFailException, match="Row 0 is a dict"):
            hook.append_contacts(made.list_id, ["phone"], values=rows)
        assert hook.get_list(made.list_id).contact_count == 0

    def test_an_append_that_may_have_been_made_is_not_made_twice(
        self, sandbox: SandboxProcess, hook: DropCowboyHook
    ) -> None:
        made = hook.create_list("due today")
        sandbox.fault("lose_answer", route="append")
        with pytest.raises(AirflowFailException, match="rows 0 to 0 may have been appended"):
            hook.append_contacts(made.list_id, ["phone"], values=[[NUMBER]])
        sandbox.clear_faults()
        assert hook.get_list(made.list_id).contact_count == 1

    def test_a_question_is_asked_again_until_it_is_answered(
        self, sandbox: SandboxProcess, hook: DropCowboyHook
    ) -> None:
        made = hook.create_list("due today")
        sandbox.fault("503_retry_after_before", route="show", times=2, delay_s=0)
        assert hook.get_list(made.list_id).list_name == "due today"


def test_what_an_account_may_send_with_is_listed(hook: DropCowboyHook) -> None:
    assert [brand.brand_id for brand in hook.list_brands() if brand.api_allowed] == [BRAND_ID]
    assert RECORDING_ID in {recording.media_id for recording in hook.list_recordings()}
    assert [recording.name for recording in hook.list_recordings(api_allowed=False)] == ["Draft"]
    assert len(hook.list_media()) == 3
    assert POOL_ID in {pool.pool_id for pool in hook.list_pools()}
