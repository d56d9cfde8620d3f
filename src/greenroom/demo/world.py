"""The small world: every case of the announcement, to look at. Its people are made up.

The rules were launched 30 days before it was made: a newcomer meets refusals, and one record from before the launch.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func
from sqlmodel import col, select

from greenroom.access import PLATFORM, account_id_of
from greenroom.accounts.actions import register_account
from greenroom.accounts.tables import Account
from greenroom.anchors.actions import forget_anchor
from greenroom.db import Database, Read, Scope, Transaction
from greenroom.demo.scene import (
    FILLING,
    IN_CHINA,
    OUTSIDE,
    PASSED,
    PLATFORM_STAFF,
    RAN_OUT,
    Outcome,
    Scene,
    rejected,
    rescoped,
    took,
    withdrawn,
)
from greenroom.law.policies import ALIEXPRESS_2021
from greenroom.law.terms import AccountKind, FindingCode, VerificationStatus
from greenroom.policies.actions import activate_policy
from greenroom.rooms.actions import cancel_room, update_room
from greenroom.verifications.keeping import Safe

SELLER, BLOGGER = AccountKind
LAUNCHED_DAYS_AGO: Final = 30


@dataclass(frozen=True, slots=True)
class Shown:
    """An account of this world, and what to look at in it."""

    external_id: str
    kind: AccountKind
    nationality: str
    name: str
    shows: str


ACCOUNTS: Final = (
    Shown("seller-cn", SELLER, "CN", "西湖丝绸 West Lake Silk", "sellers 1, 1.1, 1.2; rooms in every state"),
    Shown("seller-us", SELLER, "US", "Portland Tools", "sellers 2; a Chinese anchor there (A3); a changed path"),
    Shown("seller-new", SELLER, "CN", "新店 Opened Today", "an empty account: authentication begins at home (R28)"),
    Shown("blogger-es", BLOGGER, "ES", "Lucía en directo", "bloggers 1 and 2; documents that end or are refused"),
    Shown("blogger-cn", BLOGGER, "CN", "小雨的直播间 Xiaoyu Live", "bloggers 3; on air; expired and revoked approvals"),
    Shown(
        "blogger-fr",
        BLOGGER,
        "FR",
        "Chloé & compagnie",
        "strikes, no attempt left, final refusals, consent taken back",
    ),
)


async def fill(db: Database, *, safe: Safe, now: datetime) -> bool:
    """Fill an empty database, whole or not at all; one that has accounts is left as it is. Says whether it did."""
    async with db.transaction(Scope(reading="accounts")) as tx:
        await tx.exec(select(func.pg_advisory_xact_lock(FILLING)))
        if (await tx.exec(select(col(Account.account_id)).limit(1))).first() is not None:
            return False
        for shown in ACCOUNTS:
            scene = await Scene.of(tx, shown.external_id, safe=safe, present=now)
            await scene.days_ago(45).do(register_account, **told(shown), by=PLATFORM_STAFF)
        await play(tx, "seller-cn", observed, safe=safe, now=now)
        await launch(tx, at=now - timedelta(days=LAUNCHED_DAYS_AGO))
        for external_id, scenario in SCENARIOS.items():
            await play(tx, external_id, scenario, safe=safe, now=now)
        return True


async def is_in(db: Database) -> bool:
    """Say whether this world's accounts are in a database, and not somebody else's alone."""
    ids = [account_id_of(shown.external_id) for shown in ACCOUNTS]
    return len(await db.rows(THERE, Scope(reading="accounts"), ids=ids)) == len(ids)


async def awaited(url: str, *, waiting: Callable[[], None]) -> None:
    """Return once nobody fills this database; `waiting` is called where somebody does."""
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock_shared($1)", FILLING):
            waiting()
            await connection.execute("SELECT pg_advisory_lock_shared($1)", FILLING)
    finally:
        await connection.close()


THERE: Final = Read(
    select(col(Account.account_id)).where(col(Account.account_id) == any_(bindparam("ids", type_=ARRAY(Uuid()))))
)


def told(shown: Shown) -> dict[str, Any]:
    """Return an account as the platform registers it."""
    return {name: getattr(shown, name) for name in ("external_id", "kind", "nationality", "name")}


async def play(
    tx: Transaction, external_id: str, scenario: Callable[[Scene], Awaitable[None]], *, safe: Safe, now: datetime
) -> None:
    """Play what happened to one account."""
    await scenario(await Scene.of(tx, external_id, safe=safe, present=now))


async def launch(tx: Transaction, *, at: datetime) -> None:
    """Have the announcement's own pack enforced from an instant on."""
    await rescoped(tx, Scope(PLATFORM))
    took(
        await activate_policy(
            tx, name=ALIEXPRESS_2021.name, launch_at=at, expected_version=1, by=PLATFORM_STAFF, now=at
        )
    )


async def observed(s: Scene) -> None:
    """Before the launch: somebody who handed in nothing is admitted, and the record says what would have refused."""
    s.days_ago(40)
    emma = await s.anchor("Emma Clark", "GB")
    room = await s.room("Before the launch: admitted, and on record", (emma, OUTSIDE), in_days=-39)
    await s.days_ago(39).on_air(room)
    await s.off_air(room)


async def seller_cn(s: Scene) -> None:
    """A Chinese shop with three paths in one cast."""
    s.days_ago(29)
    lin = await s.taobao(await s.anchor("林悦 Lin Yue", "CN"), PASSED)
    john = await s.passport(await s.anchor("John Miller", "US"), "John Quentin Miller", PASSED)
    maria = await s.contact(await s.anchor("María Ruiz", "ES"), "María Ruiz Soler", "ES", "maria.ruiz@example.com")
    tom = await s.contact(await s.anchor("Tom Baker", "AU"), "Thomas Baker", "AU", "tom.baker@example.com", PASSED)
    grace = await s.anchor("Grace Hill", "GB")
    s.days_ago(9)
    await s.do(forget_anchor, s.account_id, tom)
    over = await s.room("Ended: a week ago", (lin, IN_CHINA), (john, IN_CHINA), in_days=-7)
    canceled = await s.room("Canceled: it rained", (maria, OUTSIDE), in_days=-6)
    await s.do(cancel_room, canceled, expected_version=None)
    await s.days_ago(7).on_air(over)
    await s.off_air(over)
    s.days_ago(2)
    live = await s.room("Live: evening show", (lin, IN_CHINA), (maria, OUTSIDE), in_days=-0.02)
    three = ((lin, IN_CHINA), (john, IN_CHINA), (maria, OUTSIDE))
    await s.room("Ready: three anchors, three paths", *three)
    await s.room("Blocked: one of three owes passport and visa", *three[:2], (grace, IN_CHINA), in_days=2)
    moved = await s.room("Not confirmed: the start was moved", *three, in_days=3)
    later = s.present + timedelta(days=4)
    await s.do(
        update_room, moved, title=None, scheduled_start_at=later, picks=None, expected_version=None, clock=lambda: s.now
    )
    await s.room("Blocked: nobody in the cast", in_days=5)
    await s.days_ago(0.014).on_air(live)


async def seller_us(s: Scene) -> None:
    """A shop from abroad: contact data there; elsewhere the anchor decides (A3)."""
    s.days_ago(20)
    bob = await s.contact(await s.anchor("Bob Stone", "US"), "Robert Stone", "US", "bob.stone@example.com", PASSED)
    dana_refused = rejected(FindingCode.EMAIL_UNVERIFIED)
    dana = await s.contact(await s.anchor("Dana Roy", "CA"), "Dana Roy", "CA", "dana.roy@example.com", dana_refused)
    wang = await s.anchor("王芳 Wang Fang", "CN")
    s.days_ago(1)
    await s.room("Ready: contact data, from abroad", (bob, OUTSIDE))
    await s.room("Blocked: the e-mail address did not answer", (dana, OUTSIDE), in_days=2)
    await s.room("Blocked: a Chinese anchor uses the Taobao app (A3)", (wang, IN_CHINA), in_days=3)
    await s.room("Blocked: in China another path applies", (bob, IN_CHINA), in_days=4)


async def blogger_es(s: Scene) -> None:
    """A creator from abroad, at home and in China."""
    s.days_ago(20)
    lucia = await s.contact(await s.anchor("Lucía Vega", "ES"), "Lucía Vega Gil", "ES", "lucia.vega@example.com")
    kenji = await s.passport(await s.anchor("Kenji Mori", "JP"), "Kenji Mori")
    pablo = await s.passport(await s.anchor("Pablo Díaz", "ES"), "Pablo Díaz Prado", PASSED, lasts_days=10)
    refused = rejected(FindingCode.IMAGE_GLARE, FindingCode.VISA_NOT_FOR_WORK)
    nina = await s.passport(await s.anchor("Nina Costa", "BR"), "Nina Costa Lima", refused)
    s.days_ago(1)
    await s.room("Ready: from Madrid", (lucia, OUTSIDE))
    await s.room("Ready: from Shanghai, review still to come", (kenji, IN_CHINA), in_days=2)
    await s.room("Blocked: the visa ends before the day", (pablo, IN_CHINA), in_days=20)
    await s.room("Blocked: two photos to hand in again", (lucia, OUTSIDE), (nina, IN_CHINA), in_days=3)


async def blogger_cn(s: Scene) -> None:
    """A Chinese creator: the Taobao app, here and abroad."""
    s.days_ago(28)
    xiaoyu = await s.taobao(await s.anchor("小雨 Xiaoyu", "CN"), PASSED)
    olga = await s.passport(await s.anchor("Olga Petrova", "RU"), "Olga Petrova", PASSED, RAN_OUT)
    revoked = Outcome(VerificationStatus.REVOKED, (FindingCode.PASSPORT_VISA_MISMATCH,))
    ivan = await s.passport(await s.anchor("Иван Орлов", "RU"), "Ivan Orlov", PASSED, revoked)
    liu = await s.taobao(await s.anchor("刘洋 Liu Yang", "CN"), rejected(FindingCode.FACE_NOT_PASSED))
    chan = await s.taobao(await s.anchor("陳晨 Chan Sun", "HK"), place=OUTSIDE)
    s.days_ago(1)
    live = await s.room("Live: two Chinese anchors, one in Hong Kong", (xiaoyu, IN_CHINA), (chan, OUTSIDE), in_days=0)
    await s.room("Ready: next week's show", (xiaoyu, IN_CHINA), in_days=7)
    await s.room("Blocked: the face check failed", (liu, IN_CHINA), in_days=2)
    await s.room("Blocked: an approval ran out, another was taken back", (olga, IN_CHINA), (ivan, IN_CHINA), in_days=3)
    await s.days_ago(0.02).on_air(live)


async def blogger_fr(s: Scene) -> None:
    """What does not end well, each alone; then all at once."""
    unverified, no_match = rejected(FindingCode.EMAIL_UNVERIFIED), rejected(FindingCode.NAME_MISMATCH)
    s.days_ago(28)
    hugo = await s.anchor("Hugo Blanc", "FR")
    for _ in range(ALIEXPRESS_2021.max_attempts):
        await s.contact(hugo, "Hugo Blanc", "FR", "hugo.blanc@example.com", no_match)
    chloe = await s.anchor("Chloé Martin", "FR")
    for outcome in (unverified, unverified, None):
        await s.contact(chloe, "Chloé Martin", "FR", "chloe.martin@example.com", outcome)
    someone_else = rejected(FindingCode.IMPERSONATION, is_retryable=False)
    leo = await s.contact(await s.anchor("Léo Petit", "FR"), "Léo Petit", "FR", "leo.petit@example.com", someone_else)
    too_young = rejected(FindingCode.UNDER_MINIMUM_AGE, is_retryable=False)
    zoe = await s.passport(await s.anchor("Zoé Roux", "FR"), "Zoé Roux", too_young, under_age=True)
    manon = await s.contact(await s.anchor("Manon Roy", "BE"), "Manon Roy", "BE", "manon.roy@example.com", PASSED)
    await s.do(withdrawn, manon)
    s.days_ago(1)
    await s.room("Blocked: rejected twice, so approval must come first", (chloe, OUTSIDE))
    await s.room("Blocked: no attempt is left", (hugo, OUTSIDE), in_days=2)
    await s.room("Blocked for good: somebody else", (leo, OUTSIDE), in_days=3)
    await s.room("Blocked for good: under age", (zoe, IN_CHINA), in_days=4)
    await s.room("Blocked: consent was taken back", (manon, OUTSIDE), in_days=5)
    everyone = (chloe, hugo, leo, manon)
    await s.room("Blocked: everything at once", *((who, OUTSIDE) for who in everyone), (zoe, IN_CHINA), in_days=6)


SCENARIOS: Final[dict[str, Callable[[Scene], Awaitable[None]]]] = {
    "seller-cn": seller_cn,
    "seller-us": seller_us,
    "blogger-es": blogger_es,
    "blogger-cn": blogger_cn,
    "blogger-fr": blogger_fr,
}
