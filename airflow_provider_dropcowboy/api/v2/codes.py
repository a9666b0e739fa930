"""What each ``reason_code`` of a result means for the message (API v2, known part of the page "Outcomes")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.api.callbacks import Result


@dataclass(frozen=True, slots=True)
class Code:
    """One documented code.

    :param meaning: for a person.
    :param remedy: what to do about it; empty: nothing can be done for this message.
    :param suppresses: nobody may contact the number again.
    """

    result: Result
    meaning: str
    remedy: str = ""
    suppresses: bool = False


_D, _F, _M, _A, _O = Result.DELIVERED, Result.FAILED, Result.REJECTED, Result.REFUSED, Result.FAULT

CODES: Final[Mapping[int, Code]] = {
    0: Code(_D, "success"),
    3000: Code(_A, "no funds", "Add funds to the account."),
    3001: Code(_M, "audio not usable", "Use an mp3 or wav file that can be downloaded."),
    3002: Code(_M, "voice missing or bad", "Take a voice_id whose status is ready."),
    3007: Code(_A, "key, secret or scope wrong or expired", "Correct login and password of the connection."),
    3011: Code(_M, "number not in E.164"),
    3012: Code(_M, "number invalid"),
    3013: Code(_A, "line invalid or not the account's", "Take a line that `dropcowboy pools` lists."),
    3014: Code(_A, "audio_url not allowed", "Ask Drop Cowboy to allow audio_url, or upload the file."),
    3015: Code(_M, "text missing", "Give voice_id and tts_body together."),
    3016: Code(_A, "BYOC not enabled", "Ask Drop Cowboy to enable it, or leave byoc_secret out of the connection."),
    3017: Code(_A, "STI id or attestation invalid", "Correct byoc_secret of the connection."),
    3018: Code(_A, "STI id or attestation invalid", "Correct byoc_secret of the connection."),
    3019: Code(_A, "callback URL invalid", "Correct callback_url: a public http(s) URL."),
    3021: Code(_M, "tts_body too long", "Shorten it to 1,200 characters."),
    3022: Code(_M, "trial account: number not verified", "Verify the number, or end the trial."),
    3027: Code(_O, "idempotency key used with another request"),
    3028: Code(_O, "idempotency key malformed"),
    3033: Code(_M, "media deleted, of another account, or not completely uploaded", "Upload it again."),
    3040: Code(_A, "the account sends to test numbers only", "Ask Drop Cowboy to end the testing mode."),
    4000: Code(_F, "voicemail not detected"),
    4001: Code(_F, "mailbox not set up"),
    4002: Code(_F, "mailbox full"),
    4004: Code(_F, "number not reachable"),
    4005: Code(_F, "no answer"),
    4006: Code(_F, "busy"),
    4008: Code(_F, "spam detected"),
    4010: Code(_A, "no line or caller id to send from", "Give pool_id, or set a default line at Drop Cowboy."),
    4011: Code(_M, "text outside calling hours", "Send it again within them: `dropcowboy rejected release`."),
    4013: Code(_M, "too many attempts on the number", "Send it again later: `dropcowboy rejected release`."),
    4016: Code(_F, "on the do-not-contact list", suppresses=True),
    4017: Code(_F, "known litigator", suppresses=True),
    4019: Code(_F, "number reassigned"),
    4021: Code(_F, "check of the number failed"),
    6000: Code(_A, "carrier denied the use case", "Look into the Trust Center of Drop Cowboy."),
    6001: Code(_A, "suspended by the carrier", "Look into the Trust Center of Drop Cowboy."),
    6002: Code(_A, "pool suspended", "Look into the Trust Center of Drop Cowboy."),
    6003: Code(_A, "pool not ready", "Wait until Drop Cowboy says that it is ready."),
    6004: Code(_M, "opt-in flagged", "Record the person's consent at Drop Cowboy."),
    6005: Code(_M, "opt-in revoked"),
    6006: Code(_M, "opt-in pending", "Send it again when the person has confirmed."),
    6011: Code(_M, "opt-in missing", "Record the person's consent at Drop Cowboy."),
}
"""An unknown code is a failure, and is logged: the message may have reached the person."""
