"""Wrong options are named as they are written on the command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from airflow_provider_dropcowboy.cli.send import send
from airflow_provider_dropcowboy.errors import ConfigurationError

SMS = ("--caller-id", "+15045550100", "--sms-body", "Hi")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("rvm",), "Give exactly one audio source: --recording-id, or --voice-id with --tts-body, or --audio-url"),
        (("rvm", "--tts-body", "Hello"), "--voice-id and --tts-body belong together"),
        (("rvm", "--recording-id", "r", "--forwarding-number", "504"), "--forwarding-number is not in E.164 format"),
        (("rvm", "--recording-id", "r", "--partition", "9/8"), "partition 9/8 does not exist"),
        (("rvm", "--recording-id", "r", "--region", "us"), "--region 'us' is not a country"),
        (("sms", *SMS), "give exactly one of --opt-in (all of them did) and --opt-in-column"),
        (("sms", "--caller-id", "+15045550100", "--opt-in"), "--sms-body is missing"),
    ],
)
def test_a_wrong_option_is_named_with_what_to_write(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    contacts = tmp_path / "due.csv"
    contacts.write_text("phone\n")
    result = CliRunner().invoke(send, [*words, "--contacts", str(contacts), "--campaign", "spring"])
    assert isinstance(result.exception, ConfigurationError)
    assert named in str(result.exception)


@pytest.mark.usefixtures("in_process")
def test_an_option_that_the_version_of_the_api_needs_is_named(contacts: str) -> None:
    words = ("sms", "--sms-body", "Hi", "--opt-in", "--contacts", contacts, "--campaign", "spring")
    result = CliRunner().invoke(send, words)
    assert "A text needs a --caller-id" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--concurrency", "100"), "Invalid value for '--concurrency': 100 is not in the range 1<=x<=99."),
        (("--audio-type", "ogg"), "Invalid value for '--audio-type': 'ogg' is not one of 'mp3', 'wav'."),
        (("--contacts", "nowhere.csv"), "Invalid value for '--contacts': File 'nowhere.csv' does not exist."),
        (("--sms-body", "Hi"), "No such option"),
    ],
)
def test_a_value_that_no_option_takes_is_wrong_use(words: tuple[str, ...], named: str) -> None:
    result = CliRunner().invoke(send, ["rvm", *words])
    assert result.exit_code == 2
    assert named in result.output


def test_a_campaign_must_be_named(tmp_path: Path) -> None:
    contacts = tmp_path / "due.csv"
    contacts.write_text("phone\n")
    result = CliRunner().invoke(send, ["rvm", "--contacts", str(contacts), "--recording-id", "r"])
    assert result.exit_code == 2
    assert "Missing option '--campaign'" in result.output
