"""The hook against the vendor's stand-in over HTTP."""

import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_dropcowboy.errors import AmbiguousError, AuthenticationError, NotTakenError, RejectedError
from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
from airflow_provider_dropcowboy.sandbox.catalog import (
    BRAND_ID,
    LIST_ID,
    POOL_ID,
    RECORDING_ID,
    SITE_ID,
    SMS_LINE_ID,
    UNREGISTERED_BRAND_ID,
)
from tests.sandbox_process import SandboxProcess

NUMBER = "+15045550100"
CALLER = "+15045550199"


@pytest.fixture
def connect(sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DropCowboyHook]:
    """Makes a hook on the sandbox, with other fields of the connection if need be."""

    def make(**fields: object) -> DropCowboyHook:
        extra = {"default_brand_id": BRAND_ID, "default_pool_id": POOL_ID, "timeout_s": 5}
        connection = {
            "conn_type": "dropcowboy",
            "login": sandbox.team_id,
            "password": sandbox.secret,
            "host": sandbox.base_url,
            "extra": extra,
            **fields,
        }
        monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(connection))
        return DropCowboyHook()

    return make


@pytest.fixture
def hook(connect: Callable[..., DropCowboyHook]) -> DropCowboyHook:
    return connect()


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


class TestVersion2:
    @pytest.fixture
    def hook(self, sandbox: SandboxProcess, connect: Callable[..., DropCowboyHook]) -> DropCowboyHook:
        extra = {"api_version": "v2", "timeout_s": 5, "site_id": SITE_ID}
        return connect(login=sandbox.key, host=sandbox.v2_url, extra=extra)

    def test_the_test_button_asks_whether_the_account_can_send(
        self, sandbox: SandboxProcess, hook: DropCowboyHook, connect: Callable[..., DropCowboyHook]
    ) -> None:
        host = sandbox.v2_url.removeprefix("http://")
        said = f"{host} accepts the credentials. It has funds and 1 numbers to send from."
        assert hook.test_connection() == (True, said)
        wrong = connect(login="another", host=sandbox.v2_url, extra={"api_version": "v2", "timeout_s": 5})
        works, message = wrong.test_connection()
        assert (works, "The key (login) or its secret (password) is wrong" in message) == (False, True)

    def test_its_routes_are_read(self, hook: DropCowboyHook) -> None:
        assert hook.get_readiness().has_funds
        assert [voice.status for voice in hook.list_voices()] == ["ready", "training"]
        assert RECORDING_ID in {media.media_id for media in hook.list_media()}
        assert POOL_ID in {line.pool_id for line in hook.list_pools()}
        assert SMS_LINE_ID in {line.pool_id for line in hook.list_lines("sms")}
        assert hook.list_webhooks() == ()
        assert hook.get_campaign_counts("c1") == {"sent": 0, "failed": 0, "pending": 0}

    def test_one_voicemail_is_queued(self, sandbox: SandboxProcess, hook: DropCowboyHook) -> None:
        name = hook.send_rvm(phone_number=NUMBER, recording_id=RECORDING_ID)
        assert sandbox.sends()[name]["phone_number"] == NUMBER

    def test_one_text_with_a_picture_is_queued_in_the_words_of_either_version(
        self, sandbox: SandboxProcess, hook: DropCowboyHook
    ) -> None:
        picture = "https://host.example/a.png"
        names = [
            hook.send_sms(phone_number=NUMBER, sms_body="Hi", opt_in=True, pool_id=SMS_LINE_ID, media_urls=[picture]),
            hook.send_sms(phone_number=NUMBER, body="Hi", opt_in=True, phone_line_id=SMS_LINE_ID, media_urls=[picture]),
        ]
        first, second = (sandbox.sends()[name]["first_body"] for name in names)
        assert first.pop("foreign_id") != second.pop("foreign_id")
        assert first == second
        with pytest.raises(AirflowFailException, match="sms_body and body are two words for one thing"):
            hook.send_sms(phone_number=NUMBER, sms_body="Hi", body="Ho", opt_in=True)

    def test_a_webhook_is_made_its_secret_changed_and_it_is_gone(self, hook: DropCowboyHook) -> None:
        made = hook.register_webhook("https://hooks.example/events", event_types=["contact.created"])
        changed = hook.rotate_webhook_secret(made.webhook_id)
        assert made.signing_secret != changed.signing_secret
        assert [webhook.webhook_id for webhook in hook.list_webhooks()] == [made.webhook_id]
        hook.delete_webhook(made.webhook_id)
        assert hook.list_webhooks() == ()

    def test_contacts_are_added_read_changed_and_deleted(self, hook: DropCowboyHook) -> None:
        added = hook.append_contacts(LIST_ID, ["first_name", "phone"], values=[["Ann", NUMBER], ["Bo", None]])
        assert (added.accepted_count, [row.index for row in added.rejected]) == (1, [1])
        ann = added.contact_ids[0]
        assert hook.get_list(LIST_ID).contact_count == 1
        hook.update_contact(ann, first_name="Anne")
        assert hook.record_consent(
            ann, consent_type="sms_optin", phone_number=NUMBER, text="I agree.", method="web_form"
        )
        (read,) = hook.list_contacts(LIST_ID)
        assert (read.first_name, read.main_phone, read.has_sms_consent) == ("Anne", NUMBER, True)
        assert read == hook.get_contact(ann)
        assert NUMBER not in repr(read)
        hook.delete_contact(ann)
        with pytest.raises(AirflowFailException, match="404"):
            hook.get_contact(ann)

    def test_a_file_is_uploaded_in_three_steps_and_can_be_sent(
        self, sandbox: SandboxProcess, hook: DropCowboyHook, tmp_path: Path
    ) -> None:
        file = tmp_path / "hello.wav"
        file.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
        media_id = hook.upload_media(file)
        assert (hook.get_media(media_id).name, hook.get_media(media_id).api_allowed) == ("hello.wav", True)
        assert hook.get_media(hook.import_media("https://host.example/a.mp3", name="web")).api_allowed
        hook.send_rvm(phone_number=NUMBER, media_id=media_id)
        assert sandbox.takes()["takes"] == 1

    @pytest.mark.parametrize(
        ("fault", "route"), [("500_before", "put_upload"), ("drop_request", "put_upload"), ("429", "upload")]
    )
    def test_an_upload_survives_a_fault_and_tells_no_url(
        self, sandbox: SandboxProcess, hook: DropCowboyHook, tmp_path: Path, fault: str, route: str
    ) -> None:
        file = tmp_path / "hello.mp3"
        file.write_bytes(b"ID3 and music")
        sandbox.fault(fault, route=route, times=1, delay_s=0)
        assert hook.get_media(hook.upload_media(file)).api_allowed
        sandbox.fault("reset_before", route="put_upload")
        with pytest.raises(NotTakenError, match=r"The bytes of hello.mp3 did not arrive") as lost:
            hook.upload_media(file)
        assert "_upload" not in str(lost.value)

    def test_what_has_no_route_is_refused_by_name(
        self, hook: DropCowboyHook, connect: Callable[..., DropCowboyHook]
    ) -> None:
        with pytest.raises(AirflowFailException, match="no route that lists brands"):
            hook.list_brands()
        with pytest.raises(AirflowFailException, match="no route that makes, empties or renames a contact list"):
            hook.create_list("due")
        with pytest.raises(AirflowFailException, match="API v1 has no such route"):
            connect().list_voices()
        with pytest.raises(AirflowFailException, match="API v1 has no such route"):
            connect().upload_media(__file__)
