"""What must hold for every room, not only for the cases that someone thought of."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.law.admission import (
    IN_ANY_PHASE,
    Admitted,
    Appearance,
    Attempt,
    Finding,
    Question,
    admit,
    blockers_of,
)
from greenroom.law.announcement import line
from greenroom.law.days import day_of, end_of
from greenroom.law.evidence import canonical, freeze, thaw
from greenroom.law.policies import ALIEXPRESS_2021, CN_2026, ForeignSeller, InForce, PerRoom
from greenroom.law.requirements import is_satisfied, items
from greenroom.law.terms import (
    AccountKind,
    BroadcastLocation,
    FindingCode,
    RequirementKind,
    VerificationPath,
    VerificationStatus,
)

from .cases import APPROVED, DRAFT, LAUNCH, NOW, REJECTED, SUBMITTED

instants = st.integers(-270 * 24 * 60, 90 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
past = st.integers(1, 400 * 24).map(lambda hours: NOW - timedelta(hours=hours))
packs = {
    policy.name: policy
    for policy in (
        ALIEXPRESS_2021,
        CN_2026,
        replace(ALIEXPRESS_2021, name="fresh", per_room=PerRoom.FRESH),
        replace(CN_2026, name="literal", foreign_seller=ForeignSeller.ENGLISH_LITERAL, per_room=PerRoom.FRESH),
    )
}
findings = st.builds(Finding, st.sampled_from(FindingCode), st.sampled_from(RequirementKind))


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    status = draw(st.sampled_from(VerificationStatus))
    handed_in = None if status is DRAFT else draw(past)
    was_refused = status in (REJECTED, VerificationStatus.REVOKED)
    return Attempt(
        id=draw(st.uuids()),
        path=draw(st.sampled_from(VerificationPath)),
        status=status,
        submitted_at=handed_in,
        decided_at=None if status in (DRAFT, SUBMITTED) else handed_in,
        ends_at=draw(st.none() | instants),
        documents_last_day=draw(st.none() | instants.map(day_of)),
        is_retryable=draw(st.booleans()) if status is REJECTED else None,
        strikes=draw(st.integers(0, 3)),
        attempts=draw(st.integers(0, 10)),
        findings=tuple(draw(st.lists(findings, max_size=2))) if was_refused else (),
        has_email=draw(st.booleans()),
        is_for_nationality=draw(st.sampled_from((True, True, False))),
        provided=draw(st.frozensets(st.sampled_from(RequirementKind), max_size=2)),
    )


appearances = st.builds(
    Appearance,
    member_id=st.uuids(),
    anchor_id=st.uuids(),
    anchor_is_chinese=st.booleans(),
    location=st.sampled_from(BroadcastLocation),
    confirmed_at=st.none() | past,
    has_consent=st.booleans(),
    consent_withdrawn=st.booleans(),
    attempts=st.lists(attempts(), max_size=4, unique_by=lambda each: each.id).map(tuple),
    others=st.lists(attempts(), max_size=3, unique_by=lambda each: each.id).map(tuple),
    is_barred=st.booleans(),
    is_under_age=st.none() | st.booleans(),
)
# Ready in everything but the attempts: else hardly a room drawn would be admitted, and the properties say little.
willing = st.builds(
    Appearance,
    member_id=st.uuids(),
    anchor_id=st.uuids(),
    anchor_is_chinese=st.booleans(),
    location=st.sampled_from(BroadcastLocation),
    confirmed_at=past,
    attempts=st.lists(attempts(), min_size=1, max_size=4, unique_by=lambda each: each.id).map(tuple),
)
questions = st.builds(
    Question,
    account_kind=st.sampled_from(AccountKind),
    account_is_chinese=st.booleans(),
    airs_at=st.integers(-9 * 24, 60 * 24).map(lambda hours: NOW + timedelta(hours=hours)),
    account_rejections=st.sampled_from((0, 29, 30)),
    cast=st.lists(appearances | willing, max_size=3).map(tuple),
)
policies = st.sampled_from(list(packs.values()))
in_forces = st.builds(InForce, policies, st.none() | instants, st.integers(1, 99))


@st.composite
def rivals(draw: st.DrawFn) -> Attempt:
    """One of several attempts on the path of the one place, in the states that compete, ending about the broadcast."""
    status = draw(st.sampled_from((SUBMITTED, SUBMITTED, APPROVED, REJECTED)))
    handed_in = NOW - timedelta(days=draw(st.integers(1, 9)))
    reason = draw(st.sampled_from((FindingCode.IMAGE_GLARE, FindingCode.WRONG_PATH)))
    path = draw(st.sampled_from((VerificationPath.CONTACT, VerificationPath.PASSPORT_VISA)))
    last_day = day_of(NOW) + timedelta(days=draw(st.sampled_from((-1, 1, 9))))
    return Attempt(
        id=draw(st.uuids()),
        path=path,
        status=status,
        submitted_at=handed_in,
        decided_at=None if status is SUBMITTED else handed_in,
        ends_at=end_of(last_day),
        documents_last_day=last_day,
        is_retryable=True if status is REJECTED else None,
        strikes=draw(st.sampled_from((0, 2))),
        findings=(Finding(reason, RequirementKind.PASSPORT),) if status is REJECTED else (),
        has_email=draw(st.booleans()),
    )


rooms_of_one = st.builds(
    lambda kept, others, location, picked, starts: Question(
        account_kind=AccountKind.SELLER,
        account_is_chinese=True,
        airs_at=NOW + timedelta(days=starts),
        cast=(
            Appearance(
                member_id=UUID(int=1),
                anchor_id=UUID(int=2),
                anchor_is_chinese=False,
                location=location,
                confirmed_at=NOW - timedelta(days=picked),
                attempts=tuple(kept),
                others=tuple(others),
            ),
        ),
    ),
    st.lists(rivals(), min_size=2, max_size=4, unique_by=lambda each: each.id),
    st.lists(rivals(), max_size=2, unique_by=lambda each: each.id),
    st.sampled_from(BroadcastLocation),
    st.integers(0, 9),
    st.sampled_from((5, 5, 0, -3)),
)


@given(questions, appearances, policies)
def test_adding_an_anchor_never_admits(question: Question, joining: Appearance, policy: object) -> None:
    # R20, R21: only the very first can, by ending the emptiness
    in_force = InForce(policy, launch_at=LAUNCH)  # type: ignore[arg-type]  # drawn from the packs
    before = admit(question, in_force=in_force, now=NOW)
    after = admit(replace(question, cast=(*question.cast, joining)), in_force=in_force, now=NOW)
    if question.cast and isinstance(after, Admitted):
        assert isinstance(before, Admitted)


@given(questions, policies, st.data())
def test_adding_an_unready_anchor_always_refuses(question: Question, policy: object, data: st.DataObject) -> None:
    unready = replace(data.draw(appearances), attempts=())
    in_force = InForce(policy, launch_at=LAUNCH)  # type: ignore[arg-type]  # drawn from the packs
    assert not isinstance(
        admit(replace(question, cast=(*question.cast, unready)), in_force=in_force, now=NOW), Admitted
    )


@settings(max_examples=400)
@given(rooms_of_one, policies)
def test_an_approval_never_blocks(question: Question, policy: object) -> None:
    in_force = InForce(policy, launch_at=LAUNCH)  # type: ignore[arg-type]  # drawn from the packs
    if not isinstance(admit(question, in_force=in_force, now=NOW), Admitted):
        return
    member = question.cast[0]
    for chosen in (attempt for attempt in member.attempts if attempt.status is SUBMITTED):
        approved = replace(chosen, status=APPROVED, decided_at=NOW)
        now_has = replace(member, attempts=tuple(approved if a is chosen else a for a in member.attempts))
        assert isinstance(admit(replace(question, cast=(now_has,)), in_force=in_force, now=NOW), Admitted)


@given(questions, policies)
def test_every_blocker_has_a_basis_with_real_lines(question: Question, policy: object) -> None:
    # X8
    for blocker in blockers_of(question, policy=policy, now=NOW):  # type: ignore[arg-type]  # drawn from the packs
        assert blocker.basis.lines or blocker.code in IN_ANY_PHASE, "law of its own needs no line"
        assert all(line(number) for number in blocker.basis.lines + blocker.basis.overrides)


@given(questions, in_forces, instants)
def test_what_was_frozen_decides_the_same_again(question: Question, in_force: InForce, now: datetime) -> None:
    # X4
    record = json.loads(canonical(freeze(question, in_force=in_force, now=now)))
    thawed = thaw(record, packs=packs)
    assert (thawed.question, thawed.in_force, thawed.now) == (question, in_force, now)
    assert freeze(thawed.question, in_force=thawed.in_force, now=thawed.now) == record


@given(questions, in_forces)
def test_a_phase_only_moves_blockers_from_recorded_to_refusing(question: Question, in_force: InForce) -> None:
    # R30
    found = set(blockers_of(question, policy=in_force.policy, now=NOW))
    answer = admit(question, in_force=in_force, now=NOW)
    refusing = () if isinstance(answer, Admitted) else answer.blockers
    assert {*refusing, *answer.would_block} == found
    assert len(refusing) + len(answer.would_block) == len({*refusing, *answer.would_block})


@given(attempts(), policies, st.booleans())
def test_a_refused_attempt_never_looks_satisfied(attempt: Attempt, policy: object, has_consent: bool) -> None:
    # R37
    shown = items(attempt.path, policy=policy, attempt=attempt, has_consent=has_consent)  # type: ignore[arg-type]  # packs
    if attempt.status not in (SUBMITTED, APPROVED, DRAFT):
        assert not is_satisfied(shown)
