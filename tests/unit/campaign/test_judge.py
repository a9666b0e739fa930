"""From rows to messages and verdicts."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.content import Channel, Rvm, Sms
from airflow_provider_dropcowboy.campaign.judge import Judge
from airflow_provider_dropcowboy.campaign.messages import Identity, RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.campaign.plan import Plan, Rows
from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.contacts.contact import ContactColumns, Template
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.screening.screen import Candidate, Facts, Message, Verdict, screen
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import State

RVM = RvmTemplate(brand_id="b", recording_id="r")
TTS = RvmTemplate(brand_id="b", voice_id="v", tts_body=Template.parse("{name}"))
SMS = SmsTemplate(caller_id="+15045550199", pool_id="p", sms_body=Template.parse("Hi {name}"))


def plan(template: RvmTemplate | SmsTemplate = RVM, **changes: object) -> Plan:
    settings: dict[str, object] = {
        "account": Account("team", Secret("secret"), "https://api.dropcowboy.com/v1"),
        "campaign": "spring",
        "template": template,
        "columns": ContactColumns(key_column="id", postal_code_column="zip"),
    }
    return Plan(**{**settings, **changes})  # type: ignore[arg-type]  # the tests' own


def judged(rows: Rows, made: Plan | None = None, *, size: int = 3) -> list[Candidate | Verdict]:
    made = made or plan()
    identity = Identity(bytes(32), made.account.name, made.campaign, made.channel)
    found: list[Candidate | Verdict] = []
    with Seen() as seen:
        judge = Judge(made, identity, seen=seen)
        source = iter(rows)
        while read := list(islice(source, size)):
            batch = judge.judge(read)
            found += [*batch.candidates, *batch.verdicts]
    return found


def row(key: object = 1, phone: object = "+15045550100", **more: object) -> dict[str, object]:
    return {"id": key, "phone": phone, "zip": None, "name": "Zoë", **more}


def only(item: Candidate | Verdict) -> Message:
    assert isinstance(item, Candidate)
    return item.message


def stop(item: Candidate | Verdict) -> tuple[State, str] | None:
    """Why screening stops the message, with nothing known but its row; None: it does not."""
    assert isinstance(item, Candidate)
    found = screen(item, Facts(at=utcnow()))
    return None if found is None else (found.state, found.reason)


def verdict(item: Candidate | Verdict) -> tuple[State, str]:
    assert isinstance(item, Verdict)
    return item.state, item.reason


def test_a_row_becomes_a_message_with_its_values() -> None:
    (item,) = judged([row(zip=2101)])
    message = only(item)
    assert (message.contact_key, message.phone.e164, message.channel) == ("1", "+15045550100", Channel.RVM)
    assert message.content == Rvm(brand_id="b", recording_id="r", postal_code="02101")


def test_a_text_holds_the_rows_values() -> None:
    (item,) = judged([row()], plan(SMS))
    assert only(item).content == Sms(caller_id="+15045550199", pool_id="p", sms_body="Hi Zoë")
    assert "Zoë" not in repr(item)
    assert "504555" not in repr(item)


@pytest.mark.parametrize(
    ("template", "name", "reason"),
    [
        (SMS, "x" * 158, "text: longer than 160 characters with the row's values"),
        (SMS, None, "no value for {name}"),
        (SMS, True, "a value of type bool for {name}"),
        (SmsTemplate(caller_id="+15045550199", pool_id="p", sms_body=Template.parse("{name}")), " ", "text: empty"),
        (TTS, "", "text: empty with the row's values"),
    ],
)
def test_a_text_that_cannot_be_filled_in_is_invalid_with_its_reason(
    template: RvmTemplate | SmsTemplate, name: object, reason: str
) -> None:
    (item,) = judged([row(name=name)], plan(template))
    state, said = verdict(item)
    assert state is State.INVALID
    assert said.startswith(reason)


def test_a_text_of_just_160_characters_is_taken() -> None:
    (item,) = judged([row(name="x" * 157)], plan(SMS))
    assert isinstance(item, Candidate)


def test_a_second_row_with_the_same_key_is_a_duplicate() -> None:
    items = judged([row("1"), row(1.0, "+15045550101"), row(" 1 ", "+15045550102")], size=10)
    assert [type(item) for item in items] == [Candidate, Verdict, Verdict]
    assert verdict(items[1]) == (State.DUPLICATE, "the same key came before")


def test_an_unusable_row_does_not_take_the_key() -> None:
    items = judged([row(1, "12"), row(1)])
    assert {type(item) for item in items} == {Candidate, Verdict}


def test_without_a_clear_yes_a_row_is_suppressed() -> None:
    made = plan(opt_in_column="Consented")
    items = judged([row(1, consented="yes"), row(2, "+15045550101", consented="no")], made)
    assert [stop(item) for item in items] == [None, (State.SUPPRESSED, "no consent in Consented")]


def test_a_missing_column_ends_the_run_before_anyone_is_judged() -> None:
    with pytest.raises(ConfigurationError, match="no column 'consent'"):
        judged([row()], plan(opt_in_column="consent"))


ROWS = st.lists(
    st.builds(
        row,
        st.integers(0, 5) | st.none() | st.text(max_size=2),
        st.sampled_from(["+15045550100", "5045550101", "12", None, "x", 5045550102]),
        name=st.none() | st.text(max_size=3),
        ok=st.sampled_from([True, None, "yes"]),
    ),
    max_size=20,
)


@given(ROWS, st.integers(1, 7))
def test_every_row_is_judged_once(rows: list[Mapping[str, object]], size: int) -> None:
    items = judged(iter(rows), plan(SMS, opt_in_column="ok"), size=size)
    assert len(items) == len(rows)
    names = Counter(item.message.foreign_id for item in items if isinstance(item, Candidate))
    assert set(names.values()) <= {1}


@given(ROWS, st.integers(1, 4))
def test_each_row_is_in_exactly_one_part_of_a_source(rows: list[Mapping[str, object]], count: int) -> None:
    parts = [judged(rows, plan(partition=Partition(index, count))) for index in range(1, count + 1)]
    whole = judged(rows)

    def names(items: list[Candidate | Verdict]) -> Iterator[str]:
        return (item.message.foreign_id for item in items if isinstance(item, Candidate))

    assert sum(map(len, parts)) == len(rows)
    assert Counter(name for part in parts for name in names(part)) == Counter(names(whole))


class TestContentDigest:
    def test_the_same_request_has_the_same_digest_in_every_run(self) -> None:
        one, other = (only(judged([row()], plan(SMS))[0]) for _ in range(2))
        assert one.content_digest == other.content_digest

    @pytest.mark.parametrize(
        "other",
        [
            plan(RvmTemplate(brand_id="other", recording_id="r")),
            plan(RvmTemplate(brand_id="b", recording_id="other")),
            plan(RvmTemplate(brand_id="b", recording_id="r", pool_id="p")),
            plan(RvmTemplate(brand_id="b", recording_id="r", forwarding_number="+15045550100")),
            plan(RvmTemplate(brand_id="b", audio_url="https://host/r.mp3")),
            plan(TTS),
        ],
    )
    def test_another_request_has_another_digest(self, other: Plan) -> None:
        ours = only(judged([row()])[0])
        theirs = only(judged([row()], other)[0])
        assert ours.foreign_id == theirs.foreign_id
        assert ours.content_digest != theirs.content_digest

    def test_another_text_has_another_digest(self) -> None:
        one, other = judged([row(1), row(2, name="Ann")], plan(SMS))
        assert only(one).content_digest != only(other).content_digest


def test_a_number_of_the_suppression_list_is_stopped_in_any_notation() -> None:
    made = plan()
    identity = Identity(bytes(32), made.account.name, made.campaign, made.channel)
    with Seen() as seen:
        rows = [row(1, "+15045550100"), row(2, "(504) 555-0101")]
        judge = Judge(made, identity, seen=seen)
        judge.read_suppressed(SuppressionList([{"n": "504.555.0100"}]))
        batch = judge.judge(rows)
    assert [stop(candidate) for candidate in batch.candidates] == [(State.SUPPRESSED, "on the suppression list"), None]


def test_a_suppression_list_that_cannot_be_read_ends_the_run_before_anyone_is_judged() -> None:
    def broken() -> Iterator[Mapping[str, object]]:
        yield {"n": "504.555.0100"}
        raise ConfigurationError("the list is gone")

    made = plan()
    identity = Identity(bytes(32), made.account.name, made.campaign, made.channel)
    with Seen() as seen, pytest.raises(ConfigurationError, match="the list is gone"):
        Judge(made, identity, seen=seen).read_suppressed(SuppressionList(broken()))


MARKETING = {
    channel: CallingHours.load(
        Mode.STATE,
        channel=channel,
        message_kind="marketing",
        rules_text='version = "t"\n[[rule]]\nregion = "US"\ncite = "c"\nsource = "s"\nconfidence = "S"',
    )
    for channel in ("rvm", "sms")
}
"""Without federal hours: an hour of the day decides nothing here."""


@pytest.mark.parametrize(
    ("cells", "columns", "is_stopped"),
    [
        ({}, {}, True),
        ({"consent": "express"}, {"consent_column": "consent"}, False),
        ({"CONSENT": "written"}, {"consent_column": "consent"}, False),
        ({"consent": "relationship"}, {"consent_column": "consent"}, True),
        ({"consent": None}, {"consent_column": "consent"}, True),
        ({"yes": True}, {"opt_in_column": "yes"}, False),
    ],
)
def test_a_sales_voicemail_goes_only_with_the_consent_that_the_law_of_its_place_wants(
    cells: dict[str, object], columns: dict[str, object], is_stopped: bool
) -> None:
    virginia = row(phone="+18045550100", **cells)
    (item,) = judged([virginia], plan(RVM, hours=MARKETING["rvm"], **columns))
    found = stop(item)
    if is_stopped:
        assert found is not None
        assert found[0] is State.SUPPRESSED
        assert found[1].startswith(
            "no consent: US-VA (Va. Code 59.1-518.2) needs consent: express; calling hours 2026.11.28"
        )
    else:
        assert found is None
        assert isinstance(item, Candidate)
        assert "; consent: express" in str(item.rule)  # kept with the send


@pytest.mark.parametrize(
    ("number", "reason"),
    [("+18615550100", "the area code 861 is in no table"), ("+18005550100", "belongs to no place")],
)
def test_a_voicemail_to_nobody_knows_where_is_held_for_its_place_and_not_for_consent(number: str, reason: str) -> None:
    (item,) = judged([row(phone=number)], plan(hours=MARKETING["rvm"]))
    found = stop(item)
    assert found is not None
    assert found[0] is State.HELD
    assert reason in found[1]


def test_a_text_has_express_consent_by_itself() -> None:
    (item,) = judged([row(phone="+18045550100")], plan(SMS, hours=MARKETING["sms"]))
    assert stop(item) is None


def test_a_consent_column_is_read_from_the_source_and_stops_the_run_where_it_is_missing() -> None:
    assert "agreed" in plan(opt_in_column="ok", consent_column="agreed").source_columns
    with pytest.raises(ConfigurationError, match="consent"):
        judged([row(phone="+18045550100")], plan(hours=MARKETING["rvm"], consent_column="consent"))
