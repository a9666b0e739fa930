"""The client of single calls, over real sockets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.v1.vendor import V1
from airflow_provider_dropcowboy.api.v2.contacts import get_contact
from airflow_provider_dropcowboy.api.wire import Answer, Request
from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    ConfigurationError,
    NotTakenError,
    RejectedError,
    VendorError,
)
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import MAX_PAUSE_S, TRIES, Client
from tests.integration.transport.scripted_server import (
    ScriptedServer,
    Step,
    answer,
    close_without_a_word,
    cut_off,
    echo,
    reset,
)

SECRET = "s3cret/of-the-team"
SEND = Request("POST", "/rvm", body={"phone_number": "+15045550100"})
A_LIST = b'{"list_id": "l1", "list_name": "due", "created_at": 1800000000000}'


@pytest.fixture
def slept() -> list[float]:
    return []


def client(base_url: str, *, slept: list[float] | None = None) -> Client:
    pauses = [] if slept is None else slept
    return Client(Account("team", Secret(SECRET), base_url), timeout_s=5.0, sleep=pauses.append)


def everything_said(error: BaseException | None) -> Iterator[str]:
    """What a traceback could print of an exception and of all that it came from."""
    while error is not None:
        yield f"{error!r} {error} {error.args!r}"
        error = error.__cause__ or error.__context__


class TestWhatIsWritten:
    def test_a_call_carries_the_credentials_in_its_headers(self) -> None:
        with ScriptedServer(answer(body=A_LIST)) as server, client(server.base_url()) as asking:
            asking.ask(V1().create_list("due"))
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/list HTTP/1.1")
        assert {b"x-team-id: team", b"x-secret: " + SECRET.encode()} < set(head.split(b"\r\n"))
        assert body == b'{"list_name":"due"}'

    def test_a_question_is_in_the_query(self) -> None:
        with ScriptedServer(answer()) as server, client(server.base_url()) as asking:
            asking.ask(V1().recordings(api_allowed=True))
        assert server.requests[0].startswith(b"GET /v1/recording?api_allowed=true HTTP/1.1")

    def test_credentials_of_a_netrc_are_not_sent(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with ScriptedServer(answer()) as server, client(server.base_url()) as asking:
            asking.ask(V1().brands())
        assert b"authorization" not in server.requests[0].lower()

    def test_a_value_that_json_has_no_word_for_is_not_sent_and_not_repeated(self) -> None:
        with client("http://127.0.0.1:1/v1") as asking, pytest.raises(ConfigurationError) as caught:
            asking.call(Request("POST", "/list", body={"list_name": {"Ann Example"}}))
        assert not any("Ann" in said for said in everything_said(caught.value))


class TestAskingAgain:
    @pytest.mark.parametrize("step", [answer(500), answer(503), answer(429), close_without_a_word, cut_off, reset])
    def test_a_call_that_only_reads_is_asked_again(self, step: Step, slept: list[float]) -> None:
        with ScriptedServer(step, step, answer()) as server, client(server.base_url(), slept=slept) as asking:
            assert asking.ask(V1().brands()) == ()
        assert len(slept) == 2

    def test_a_call_is_asked_again_a_few_times_only(self, slept: list[float]) -> None:
        with (
            ScriptedServer(*[answer(500)] * TRIES) as server,
            client(server.base_url(), slept=slept) as asking,
            pytest.raises(VendorError, match="HTTP 500") as caught,
        ):
            asking.ask(V1().brands())
        assert not isinstance(caught.value, AmbiguousError)
        assert (len(server.requests), len(slept)) == (TRIES, TRIES - 1)

    @pytest.mark.parametrize(
        "step",
        [answer(500), answer(503, Retry_After="1"), answer(409), answer(302), close_without_a_word, cut_off, reset],
    )
    def test_a_change_that_may_have_been_made_is_not_asked_again(self, step: Step, slept: list[float]) -> None:
        call = V1().append_contacts("l1", ["phone"], values=[["+15045550100"]])
        with (
            ScriptedServer(step, answer()) as server,
            client(server.base_url(), slept=slept) as asking,
            pytest.raises(AmbiguousError, match="contact_count"),
        ):
            asking.ask(call)
        assert slept == []

    def test_a_change_that_was_answered_with_something_else_is_in_doubt(self, slept: list[float]) -> None:
        page = answer(200, b"<html>Log in to the network</html>")
        with (
            ScriptedServer(page, answer()) as server,
            client(server.base_url(), slept=slept) as asking,
            pytest.raises(AmbiguousError),
        ):
            asking.ask(V1().delete_list("l1"))
        assert len(server.requests) == 1

    def test_a_change_that_met_the_limit_is_asked_again(self, slept: list[float]) -> None:
        steps = (answer(429, Retry_After="7"), answer(body=A_LIST))
        with ScriptedServer(*steps) as server, client(server.base_url(), slept=slept) as asking:
            assert asking.ask(V1().create_list("due")).list_id == "l1"
        assert slept == [7.0]

    def test_a_change_that_was_not_written_is_asked_again(self) -> None:
        server = ScriptedServer(answer(body=A_LIST), is_listening=False)
        account = Account("team", Secret(SECRET), server.base_url())
        with server, Client(account, sleep=lambda _: server.listen()) as asking:
            assert asking.ask(V1().create_list("due")).list_id == "l1"

    def test_a_host_that_stays_away_leaves_nothing_in_doubt(self, slept: list[float]) -> None:
        with (
            ScriptedServer(is_listening=False) as server,
            client(server.base_url(), slept=slept) as asking,
            pytest.raises(NotTakenError, match="refused"),
        ):
            asking.ask(V1().create_list("due"))
        assert len(slept) == TRIES - 1

    def test_the_time_that_the_host_names_is_waited(self, slept: list[float]) -> None:
        now = datetime(2026, 11, 24, 12, tzinfo=UTC)
        until = format_datetime(now + timedelta(seconds=9), usegmt=True)
        limited = answer(429, Retry_After=until, Date=format_datetime(now, usegmt=True))
        with ScriptedServer(limited, answer()) as server, client(server.base_url(), slept=slept) as asking:
            asking.ask(V1().brands())
        assert slept == [9.0]

    def test_a_host_cannot_make_a_task_wait_for_ever(self, slept: list[float]) -> None:
        limited = answer(429, Retry_After="86400")
        with ScriptedServer(limited, answer()) as server, client(server.base_url(), slept=slept) as asking:
            asking.ask(V1().brands())
        assert slept == [MAX_PAUSE_S]

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            *((status, AuthenticationError) for status in (401, 402, 403)),
            *((status, RejectedError) for status in (400, 404, 405, 413, 422)),
        ],
    )
    def test_a_refusal_is_final_and_says_why(self, status: int, kind: type[VendorError], slept: list[float]) -> None:
        step = answer(status, b'{"error": "the list is locked"}')
        with (
            ScriptedServer(step, answer()) as server,
            client(server.base_url(), slept=slept) as asking,
            pytest.raises(kind, match=f"HTTP {status}: the list is locked"),
        ):
            asking.ask(V1().get_list("l1"))
        assert (len(server.requests), slept) == (1, [])


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_a_page_that_repeats_the_request_puts_nothing_of_it_into_an_error(status: int, slept: list[float]) -> None:
    call = V1().append_contacts("l1", ["phone", "first_name"], values=[["+15045550100", "Ann"]])
    with (
        ScriptedServer(*[echo(status)] * TRIES) as server,
        client(server.base_url(), slept=slept) as asking,
        pytest.raises(VendorError) as caught,
    ):
        asking.ask(call)
    said = " ".join(everything_said(caught.value))
    assert not any(hidden in said for hidden in (SECRET, "5045550100", "Ann"))


def test_a_site_is_asked_with_its_token_alone_and_a_page_that_repeats_it_hides_it() -> None:
    granted = answer(200, b'{"data": {"token": "t0ken-of-the-site"}}')
    with ScriptedServer(granted, echo(404)) as server:
        account = Account("the-key", Secret(SECRET), server.base_url(), api_version="v2", site_id="s")
        with Client(account) as asking:
            reply = asking.call(get_contact("c").request)
    assert isinstance(reply, Answer)
    assert b"Authorization: Bearer ***" in reply.body
    assert not any(hidden in reply.body for hidden in (b"t0ken", b"the-key", SECRET.encode()))


def test_a_secret_that_no_header_can_carry_is_not_repeated() -> None:
    account = Account("team", Secret(f"{SECRET}\n"), "http://127.0.0.1:1/v1")
    with Client(account) as asking, pytest.raises(ConfigurationError) as caught:
        asking.call(SEND)
    assert not any(SECRET in said for said in everything_said(caught.value))
