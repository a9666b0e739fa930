"""The hook against the vendor's stand-in, by API v2."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_dropcowboy.errors import NotTakenError
from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
from airflow_provider_dropcowboy.sandbox.catalog import (
    LIST_ID,
    POOL_ID,
    RECORDING_ID,
    SITE_ID,
    SMS_LINE_ID,
)
from tests.sandbox_process import SandboxProcess

NUMBER = "+15045550100"


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
        self,
        sandbox: SandboxProcess,
        hook: DropCowboyHook,
        tmp_path: Path,
        fault: str,
        route: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG, logger="urllib3")
        file = tmp_path / "hello.mp3"
        file.write_bytes(b"ID3 and music")
        sandbox.fault(fault, route=route, times=1, delay_s=0)
        assert hook.get_media(hook.upload_media(file)).api_allowed
        sandbox.fault("reset_before", route="put_upload")
        with pytest.raises(NotTakenError, match=r"The bytes of hello.mp3 did not arrive") as lost:
            hook.upload_media(file)
        assert "/media/public/media" in caplog.text
        assert "_upload" not in caplog.text + str(lost.value)

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
