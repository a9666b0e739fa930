"""The client of single calls, over real sockets."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_dropcowboy.api import catalog, lists
from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Request
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
    close_at_once,
    close_without_a_word,
    cut_off,
    echo,
    in_turn,
    reset,
    speak_another_protocol,
    tls,
    wait_until_the_client_leaves,
)

SECRET = "s3cret/of-the-team"
SEND = Request("POST", "/rvm", body={"phone_number": "+15045550100"}, has_credentials_in_body=True)
A_LIST = b'{"list_id": "l1", "list_name": "due", "created_at": 1800000000000}'


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody but its owner trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) + made.public_bytes(pem)
    )
    return path


@pytest.fixture
def tls_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def client(
    base_url: str, *, timeout_s: float = 5.0, verify: bool | str = True, slept: list[float] | None = None
) -> Client:
    pauses = [] if slept is None else slept
    return Client(Account("team", Secret(SECRET), base_url), timeout_s=timeout_s, verify=verify, sleep=pauses.append)


def everything_said(error: BaseException | None) -> Iterator[str]:
    """What a traceback could print of an exception and of all that it came from."""
    while error is not None:
        yield f"{error!r} {error} {error.args!r}"
        error = error.__cause__ or error.__context__


class TestWhatWasNotWrittenWasNotTaken:
    def test_a_refused_connection_is_not_written(self) -> None:
        with ScriptedServer(is_listening=False) as server, client(server.base_url()) as asking:
            assert asking.call(SEND) == NotWritten("the connection was refused")

    def test_a_name_that_does_not_resolve_is_not_written(self) -> None:
        with client("http://nowhere.invalid/v1") as asking:
            assert asking.call(SEND) == NotWritten("the host's name could not be resolved")

    def test_a_connection_that_does_not_come_about_in_time_is_not_written(self) -> None:
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for waiting in (first, second):  # the queue of connections nobody accepts is full
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            with client(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeout_s=0.2) as asking:
                assert asking.call(SEND) == NotWritten("timed out after 0.2 s")

    def test_a_certificate_that_is_not_trusted_is_not_written(self, tls_context: ssl.SSLContext) -> None:
        with ScriptedServer(tls(tls_context)) as server, client(server.base_url("https")) as asking:
            reply = asking.call(SEND)
        assert isinstance(reply, NotWritten)
        assert "certificate is not accepted" in reply.why
        assert server.requests == []

    @pytest.mark.parametrize("step", [close_at_once, reset, speak_another_protocol])
    def test_a_failed_handshake_is_not_written(self, step: Step) -> None:
        with ScriptedServer(step) as server, client(server.base_url("https")) as asking:
            assert isinstance(asking.call(SEND), NotWritten)

    @pytest.mark.parametrize("step", [answer(403), close_without_a_word, close_at_once, reset])
    def test_a_proxy_that_opens_no_tunnel_is_not_written(self, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(step) as proxy, client("https://api.example/v1") as asking:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            reply = asking.call(SEND)
        assert isinstance(reply, NotWritten)

    def test_a_tunnel_that_breaks_in_the_handshake_is_not_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(answer(200, b"")) as proxy, client("https://api.example/v1") as asking:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            assert isinstance(asking.call(SEND), NotWritten)


class TestWhatWasWrittenMayHaveBeenTaken:
    @pytest.mark.parametrize("step", [reset, close_at_once, close_without_a_word])
    def test_a_connection_that_ends_without_an_answer_is_broken(self, step: Step) -> None:
        with ScriptedServer(step) as server, client(server.base_url()) as asking:
            assert isinstance(asking.call(SEND), Broken)

    def test_half_an_answer_is_broken(self) -> None:
        with ScriptedServer(cut_off) as server, client(server.base_url()) as asking:
            assert asking.call(SEND) == Broken("the connection was closed before the whole answer came")

    def test_an_answer_that_does_not_come_in_time_is_broken(self) -> None:
        with ScriptedServer(wait_until_the_client_leaves) as server, client(server.base_url(), timeout_s=0.2) as asking:
            assert asking.call(SEND) == Broken("timed out after 0.2 s")

    def test_what_is_no_http_is_broken(self) -> None:
        with ScriptedServer(speak_another_protocol) as server, client(server.base_url()) as asking:
            assert isinstance(asking.call(SEND), Broken)

    def test_a_break_after_the_tls_handshake_is_broken(self, tls_context: ssl.SSLContext, certificate: Path) -> None:
        step = in_turn(tls(tls_context), close_without_a_word)
        with ScriptedServer(step) as server, client(server.base_url("https"), verify=str(certificate)) as asking:
            assert isinstance(asking.call(SEND), Broken)
        assert len(server.requests) == 1

    def test_a_break_behind_a_proxy_is_broken(
        self, tls_context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        step = in_turn(answer(200, b""), tls(tls_context), close_without_a_word)
        with ScriptedServer(step) as proxy, client("https://127.0.0.1:1/v1", verify=str(certificate)) as asking:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            assert isinstance(asking.call(SEND), Broken)
        assert [request.split()[0] for request in proxy.requests] == [b"CONNECT", b"POST"]

    def test_a_forwarding_proxy_that_breaks_is_broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(close_without_a_word) as proxy, client("http://api.example/v1") as asking:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
            assert isinstance(asking.call(SEND), Broken)


class TestConnections:
    def test_two_questions_share_a_connection(self) -> None:
        with ScriptedServer(in_turn(answer(keep_alive=True), answer())) as server, client(server.base_url()) as asking:
            assert [asking.ask(catalog.brands()), asking.ask(catalog.pools())] == [(), ()]

    def test_a_connection_that_the_server_closed_while_idle_is_not_used_again(self) -> None:
        with (
            ScriptedServer(answer(keep_alive=True), answer(body=b'{"status": "queued"}')) as server,
            client(server.base_url()) as asking,
        ):
            asking.ask(catalog.brands())
            assert server.closed[0].wait(20)
            assert asking.call(SEND) == Answer(200, b'{"status": "queued"}')
        assert len(server.requests) == 2

    def test_a_change_never_goes_out_on_a_used_connection(self) -> None:
        stays_open = in_turn(answer(keep_alive=True), wait_until_the_client_leaves)
        with ScriptedServer(stays_open, answer()) as server, client(server.base_url()) as asking:
            asking.ask(catalog.brands())
            assert asking.call(SEND) == Answer(200, b"[]")
        assert len(server.requests) == 2

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, status: int) -> None:
        with ScriptedServer(answer()) as target:
            step = answer(status, b"", Location=f"{target.base_url()}/rvm")
            with ScriptedServer(step) as server, client(server.base_url()) as asking:
                assert asking.call(SEND) == Answer(status)
        assert target.requests == []

    def test_a_proxy_of_the_environment_is_used(
        self, tls_context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        step = in_turn(answer(200, b""), tls(tls_context), answer())
        with ScriptedServer(step) as proxy, client("https://127.0.0.1:1/v1", verify=str(certificate)) as asking:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            assert asking.ask(catalog.brands()) == ()
        assert SECRET.encode() not in proxy.requests[0]

    def test_a_host_that_needs_no_proxy_is_asked_directly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(answer()) as server, client(server.base_url()) as asking:
            monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            assert asking.ask(catalog.brands()) == ()

    def test_a_socks_proxy_is_a_configuration_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
        with client("https://api.example/v1") as asking, pytest.raises(ConfigurationError, match="SOCKS"):
            asking.call(SEND)

    def test_a_ca_bundle_is_trusted(self, tls_context: ssl.SSLContext, certificate: Path) -> None:
        step = in_turn(tls(tls_context), answer())
        with ScriptedServer(step) as server, client(server.base_url("https"), verify=str(certificate)) as asking:
            assert asking.ask(catalog.brands()) == ()

    @pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
    def test_verification_can_be_turned_off(self, tls_context: ssl.SSLContext) -> None:
        step = in_turn(tls(tls_context), answer())
        with ScriptedServer(step) as server, client(server.base_url("https"), verify=False) as asking:
            assert asking.ask(catalog.brands()) == ()

    def test_a_ca_bundle_that_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"gone\.pem"):
            client("https://api.example/v1", verify=str(tmp_path / "gone.pem"))


class TestWhatIsWritten:
    def test_a_call_carries_the_credentials_in_its_headers(self) -> None:
        with ScriptedServer(answer(body=A_LIST)) as server, client(server.base_url()) as asking:
            asking.ask(lists.create_list("due"))
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/list HTTP/1.1")
        assert {b"x-team-id: team", b"x-secret: " + SECRET.encode()} < set(head.split(b"\r\n"))
        assert body == b'{"list_name":"due"}'

    def test_a_question_is_in_the_query(self) -> None:
        with ScriptedServer(answer()) as server, client(server.base_url()) as asking:
            asking.ask(catalog.recordings(api_allowed=True))
        assert server.requests[0].startswith(b"GET /v1/recording?api_allowed=true HTTP/1.1")

    def test_credentials_of_a_netrc_are_not_sent(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with ScriptedServer(answer()) as server, client(server.base_url()) as asking:
            asking.ask(catalog.brands())
        assert b"authorization" not in server.requests[0].lower()

    def test_a_value_that_json_has_no_word_for_is_not_sent_and_not_repeated(self) -> None:
        with client("http://127.0.0.1:1/v1") as asking, pytest.raises(ConfigurationError) as caught:
            asking.call(Request("POST", "/list", body={"list_name": {"Ann Example"}}))
        assert not any("Ann" in said for said in everything_said(caught.value))


class TestAskingAgain:
    @pytest.mark.parametrize("step", [answer(500), answer(503), answer(429), close_without_a_word, cut_off, reset])
    def test_a_call_that_only_reads_is_asked_again(self, step: Step, slept: list[float]) -> None:
        with ScriptedServer(step, step, answer()) as server, client(server.base_url(), slept=slept) as asking:
            assert asking.ask(catalog.brands()) == ()
        assert len(slept) == 2

    def test_a_call_is_asked_again_a_few_times_only(self, slept: list[float]) -> None:
        with (
            ScriptedServer(*[answer(500)] * TRIES) as server,
            client(server.base_url(), slept=slept) as asking,
            pytest.raises(VendorError, match="HTTP 500") as caught,
        ):
            asking.ask(catalog.brands())
        assert not isinstance(caught.value, AmbiguousError)
        assert (len(server.requests), len(slept)) == (TRIES, TRIES - 1)

    @pytest.mark.parametrize(
        "step",
        [answer(500), answer(503, Retry_After="1"), answer(409), answer(302), close_without_a_word, cut_off, reset],
    )
    def test_a_change_that_may_have_been_made_is_not_asked_again(self, step: Step, slept: list[float]) -> None:
        call = lists.append_contacts("l1", ["phone"], values=[["+15045550100"]])
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
            asking.ask(lists.delete_list("l1"))
        assert len(server.requests) == 1

    def test_a_change_that_met_the_limit_is_asked_again(self, slept: list[float]) -> None:
        steps = (answer(429, Retry_After="7"), answer(body=A_LIST))
        with ScriptedServer(*steps) as server, client(server.base_url(), slept=slept) as asking:
            assert asking.ask(lists.create_list("due")).list_id == "l1"
        assert slept == [7.0]

    def test_a_change_that_was_not_written_is_asked_again(self) -> None:
        server = ScriptedServer(answer(body=A_LIST), is_listening=False)
        account = Account("team", Secret(SECRET), server.base_url())
        with server, Client(account, sleep=lambda _: server.listen()) as asking:
            assert asking.ask(lists.create_list("due")).list_id == "l1"

    def test_a_host_that_stays_away_leaves_nothing_in_doubt(self, slept: list[float]) -> None:
        with (
            ScriptedServer(is_listening=False) as server,
            client(server.base_url(), slept=slept) as asking,
            pytest.raises(NotTakenError, match="refused"),
        ):
            asking.ask(lists.create_list("due"))
        assert len(slept) == TRIES - 1

    def test_the_time_that_the_host_names_is_waited(self, slept: list[float]) -> None:
        now = datetime(2026, 11, 24, 12, tzinfo=UTC)
        until = format_datetime(now + timedelta(seconds=9), usegmt=True)
        limited = answer(429, Retry_After=until, Date=format_datetime(now, usegmt=True))
        with ScriptedServer(limited, answer()) as server, client(server.base_url(), slept=slept) as asking:
            asking.ask(catalog.brands())
        assert slept == [9.0]

    def test_a_host_cannot_make_a_task_wait_for_ever(self, slept: list[float]) -> None:
        limited = answer(429, Retry_After="86400")
        with ScriptedServer(limited, answer()) as server, client(server.base_url(), slept=slept) as asking:
            asking.ask(catalog.brands())
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
            asking.ask(lists.get_list("l1"))
        assert (len(server.requests), slept) == (1, [])


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_a_page_that_repeats_the_request_puts_nothing_of_it_into_an_error(status: int, slept: list[float]) -> None:
    call = lists.append_contacts("l1", ["phone", "first_name"], values=[["+15045550100", "Ann"]])
    with (
        ScriptedServer(*[echo(status)] * TRIES) as server,
        client(server.base_url(), slept=slept) as asking,
        pytest.raises(VendorError) as caught,
    ):
        asking.ask(call)
    said = " ".join(everything_said(caught.value))
    assert not any(hidden in said for hidden in (SECRET, "5045550100", "Ann"))


def test_a_secret_that_no_header_can_carry_is_not_repeated() -> None:
    account = Account("team", Secret(f"{SECRET}\n"), "http://127.0.0.1:1/v1")
    with Client(account) as asking, pytest.raises(ConfigurationError) as caught:
        asking.call(SEND)
    assert not any(SECRET in said for said in everything_said(caught.value))
