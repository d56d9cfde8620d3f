"""The packs, and where the rules stand in time."""

from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from greenroom.law.notices import NOTICES, notice
from greenroom.law.policies import (
    ALIEXPRESS_2021,
    CN_2026,
    PACKS,
    InForce,
    OnRejectWhileLive,
    PassportFace,
    Policy,
    knobs,
)
from greenroom.law.terms import DocumentKind, PolicyPhase

US_WEST = ZoneInfo("America/Los_Angeles")
FROM, UNTIL = ALIEXPRESS_2021.publicity_from, ALIEXPRESS_2021.publicity_until
assert FROM is not None
assert UNTIL is not None
INSTANT = timedelta(microseconds=1)


def test_publicity_is_the_union_of_both_texts_in_the_time_of_us_west() -> None:
    # A1: L1 says 1-7 September, L21 31 August - 6 September
    assert datetime(2021, 8, 31, tzinfo=US_WEST) == FROM
    assert datetime(2021, 9, 8, tzinfo=US_WEST) == UNTIL


@pytest.mark.parametrize(
    ("now", "phase"),
    [
        (FROM - INSTANT, PolicyPhase.AWAITING_PUBLICITY),
        (FROM, PolicyPhase.PUBLICITY),
        (UNTIL - INSTANT, PolicyPhase.PUBLICITY),
        (UNTIL, PolicyPhase.AWAITING_LAUNCH),
        (UNTIL + timedelta(days=4000), PolicyPhase.AWAITING_LAUNCH),
    ],
)
def test_without_a_launch_nothing_is_ever_enforced(now: datetime, phase: PolicyPhase) -> None:
    # R30, R31, A2: L1, L21, L22
    in_force = InForce(ALIEXPRESS_2021)
    assert in_force.phase(now) is phase
    assert not in_force.is_enforced(now)


@pytest.mark.parametrize("launch_at", [FROM - timedelta(days=9), FROM, UNTIL - INSTANT])
def test_a_launch_within_publicity_waits_for_its_end(launch_at: datetime) -> None:
    # R30: L1, L21
    in_force = InForce(ALIEXPRESS_2021, launch_at=launch_at)
    for now in (FROM, UNTIL - INSTANT):
        assert (in_force.phase(now), in_force.is_enforced(now)) == (PolicyPhase.PUBLICITY, False)
    assert (in_force.phase(UNTIL), in_force.is_enforced(UNTIL)) == (PolicyPhase.ENFORCED, True)


@pytest.mark.parametrize("launch_at", [UNTIL, UNTIL + timedelta(days=9)])
def test_the_launch_instant_itself_is_enforced(launch_at: datetime) -> None:
    # R31: L22
    in_force = InForce(ALIEXPRESS_2021, launch_at=launch_at)
    assert in_force.phase(launch_at) is PolicyPhase.ENFORCED
    assert in_force.phase(launch_at - INSTANT) is not PolicyPhase.ENFORCED
    assert in_force.is_enforced(launch_at)
    assert not in_force.is_enforced(launch_at - INSTANT)


def test_a_pack_without_a_publicity_window_awaits_its_launch() -> None:
    assert InForce(CN_2026).phase(datetime(2020, 1, 1, tzinfo=UTC)) is PolicyPhase.AWAITING_LAUNCH


def test_the_default_pack_reads_the_text_as_the_readings_say() -> None:
    by_reading = {(knob.reading, knob.name): knob.value for knob in knobs(ALIEXPRESS_2021)}
    assert by_reading[("A1", "publicity")] == "2021-08-31T07:00Z/2021-09-08T07:00Z"
    assert by_reading[("A3", "foreign_seller")] == "BY_ANCHOR"
    assert by_reading[("A9", "per_room")] == "CONFIRM"
    assert by_reading[("A9", "freshness")] == "NONE"
    assert by_reading[("A12", "submission_suffices")] == "true"
    assert by_reading[("A14", "on_reject_while_live")] == "KEEP"
    assert by_reading[("A15", "strikes")] == "2"
    assert by_reading[("A15", "max_attempts")] == "9"
    assert by_reading[("A25", "regions")] == "CN HK MO TW"
    assert by_reading[("A26", "passport_face")] == "NONE"
    assert by_reading[("A27", "review_contact")] == "true"


def test_the_pack_of_2026_is_the_stricter_one() -> None:
    # approval before the broadcast (A12), six-month refresh (A9), manifest for 3 years, A14, A26
    assert not CN_2026.submission_suffices
    assert (CN_2026.freshness_months, CN_2026.manifest_kept_years) == (6, 3)
    assert CN_2026.on_reject_while_live is OnRejectWhileLive.CUT
    assert CN_2026.passport_face is PassportFace.PROVIDER


def test_a_work_visa_has_three_alternatives() -> None:
    # A21
    assert ALIEXPRESS_2021.documents == (
        (DocumentKind.WORK_VISA,),
        (DocumentKind.RESIDENCE_PERMIT, DocumentKind.WORK_PERMIT),
        (DocumentKind.PERMANENT_RESIDENCE_CARD,),
    )


def test_every_field_of_a_pack_is_shown_as_a_knob() -> None:
    shown = {knob.name for knob in knobs(CN_2026)}
    aliases = {
        "publicity_from": "publicity",
        "publicity_until": "publicity",
        "freshness_months": "freshness",
        "manifest_kept_years": "manifest_kept",
    }
    assert {aliases.get(field.name, field.name) for field in fields(Policy)} - {"name"} == shown


@pytest.mark.parametrize("pack", PACKS.values(), ids=list(PACKS))
def test_a_pack_cannot_be_edited(pack: Policy) -> None:
    with pytest.raises(FrozenInstanceError):
        pack.strikes = 99  # type: ignore[misc]  # the point


@pytest.mark.parametrize("pack", PACKS.values(), ids=list(PACKS))
def test_every_pack_has_its_privacy_notice_in_both_languages(pack: Policy) -> None:
    # X1, X8
    zh, en = notice(pack.notice_version, "zh"), notice(pack.notice_version, "en")
    assert zh != en
    assert len(zh) > 100
    assert len(en) > 100


def test_a_notice_that_never_was_is_a_key_error() -> None:
    assert "1999-01" not in NOTICES
    with pytest.raises(KeyError):
        notice("1999-01", "en")
