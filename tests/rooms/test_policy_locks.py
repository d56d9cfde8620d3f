"""What decides by the policy or the account holds them until it is done: what changes them comes before or after.

Each race is stopped where its first verb has all its locks but the last, the head of its log; then the second comes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest
from clients import Data, Shop, newcomer, picked
from race import HELD_S, WAITING, one_winner, race
from worlds import LAUNCHED, World, iso, ready

from greenroom.access import PLATFORM
from greenroom.graph import read_id
from rooms.test_races import Attempt, codes, events, sent, succeeded

Prepared = Callable[[World, Shop], Awaitable[Attempt]]


async def in_line(world: World, log: UUID, first: Attempt, second: Attempt) -> tuple[Data, Data, bool]:
    """Let `second` come while `first` stands before the head of its log. Returns their answers, and whether the second
    waited."""
    boss = await asyncpg.connect(world.superuser_url)
    try:
        async with boss.transaction(), asyncio.timeout(HELD_S):
            assert await boss.fetchval("SELECT true FROM event_heads WHERE account_id = $1 FOR UPDATE", log)
            begun = asyncio.ensure_future(first())
            while await boss.fetchval(WAITING) < 1:  # noqa: ASYNC110  # PostgreSQL tells nobody who waits
                await asyncio.sleep(0.005)
            behind = asyncio.ensure_future(second())
            while not behind.done() and await boss.fetchval(WAITING) < 2:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.005)
            waited = not behind.done()
        return await begun, await behind, waited
    finally:
        await boss.close()


def by_staff(world: World, operation: str, input: Data) -> Attempt:
    """A mutation of an administrator's, to be sent when the race begins; its payload, refused or not."""

    async def send() -> Data:
        (payload,) = (await world.staff().call(operation, {"input": input})).values()
        assert isinstance(payload, dict)
        return payload

    return send


async def a_start(world: World, shop: Shop) -> Attempt:
    """A start with somebody unready: admitted only while nothing is enforced."""
    room = await shop.room(newcomer(), start=world.tonight())
    return sent(shop, "GoLive", liveRoomId=room["id"])


async def a_joining(world: World, shop: Shop) -> Attempt:
    """Somebody unready, whom one knows, who joins on air: a newcomer's row would wait for the account's by itself."""
    ana, ben = await ready(shop), await shop.anchor("Ben")
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.go_live(room["id"])
    return sent(shop, "UpdateRoom", liveRoomId=room["id"], cast=[picked(ana["id"]), picked(ben["id"])])


async def a_move(world: World, shop: Shop) -> Attempt:
    """Somebody on air who moves to where another path applies, which they have not gone."""
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.go_live(room["id"])
    member = {"castMemberId": room["cast"][0]["id"], "location": "IN_CHINA"}
    return sent(shop, "ConfirmCast", liveRoomId=room["id"], members=[member])


async def a_consent(_: World, shop: Shop) -> Attempt:
    """Consent to the notice of the pack in force."""
    ana = await shop.anchor()
    return sent(shop, "GiveConsent", anchorId=ana["id"], noticeVersion="2021-08")


GATED = [a_start, a_joining, a_move]


async def a_change_of_policy(world: World) -> tuple[Attempt, int]:
    """The stricter pack, launched; and the version before it. The platform's log has its head by then."""
    await world.policy("cn-2026")
    version = (await world.policy())["version"]
    input = {"name": "cn-2026", "launchAt": iso(LAUNCHED), "expectedVersion": version}
    return by_staff(world, "ActivatePolicy", input), version


async def recorded(boss: asyncpg.Connection, what: str) -> str | None:
    """What the newest admission record says."""
    found: str | None = await boss.fetchval(
        "SELECT evidence ->> $1 FROM admission_records ORDER BY event_seq DESC LIMIT 1", what
    )
    return found


@pytest.mark.parametrize("prepared", [*GATED, a_consent])
async def test_a_policy_changes_only_once_what_is_decided_by_it_is_done(
    prepared: Prepared, world: World, boss: asyncpg.Connection
) -> None:  # R31
    shop = await world.seller()
    activate, version = await a_change_of_policy(world)
    log = read_id(shop.account_id)[1].account_id
    done, changed, waited = await in_line(world, log, await prepared(world, shop), activate)
    assert waited, "the policy was changed under a decision that rests on it"
    assert (codes(done), codes(changed)) == ([], [])
    if prepared in GATED:
        assert await recorded(boss, "revision") == str(version)


@pytest.mark.parametrize("prepared", GATED)
async def test_what_comes_while_the_policy_changes_is_decided_by_the_new_one(prepared: Prepared, world: World) -> None:
    # R31, R32, A17
    shop = await world.seller()
    activate, _ = await a_change_of_policy(world)
    changed, refused, _ = await in_line(world, PLATFORM, activate, await prepared(world, shop))
    assert succeeded(changed)
    assert codes(refused) == ["ADMISSION_REFUSED"]


async def test_consent_given_while_the_policy_changes_is_to_the_new_notice(world: World) -> None:
    # X1: what was read before is no longer what is in force
    shop = await world.seller()
    activate, _ = await a_change_of_policy(world)
    changed, refused, _ = await in_line(world, PLATFORM, activate, await a_consent(world, shop))
    assert succeeded(changed)
    assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [
        ("INVALID", ["input", "noticeVersion"])
    ]


@pytest.mark.parametrize("prepared", GATED)
async def test_what_comes_while_an_account_changes_is_decided_by_its_new_values(
    prepared: Prepared, world: World, boss: asyncpg.Connection
) -> None:  # R1: open rooms answer by the new values at once
    shop = await world.seller("CN")
    new = {"externalId": shop.external_id, "kind": "BLOGGER", "name": "Ana", "nationality": "ES"}
    log = read_id(shop.account_id)[1].account_id
    verb = await prepared(world, shop)
    changed, done, _ = await in_line(world, log, by_staff(world, "RegisterAccount", new), verb)
    assert (codes(changed), codes(done)) == ([], [])
    in_order = await events(boss, "ACCOUNT_CHANGED", "LIVE_ROOM_STARTED", "LIVE_ROOM_JOINED")
    assert in_order[-2:] == ["ACCOUNT_CHANGED", "LIVE_ROOM_STARTED" if prepared is a_start else "LIVE_ROOM_JOINED"]
    assert (await recorded(boss, "account_kind"), await recorded(boss, "account_is_chinese")) == ("BLOGGER", "false")


async def test_of_two_changes_of_one_policy_one_is_kept(world: World) -> None:
    version = (await world.policy("cn-2026"))["version"]
    change = {"name": "aliexpress-2021", "expectedVersion": version}
    gate = "LOCK TABLE policy_in_force IN EXCLUSIVE MODE"
    attempts = [by_staff(world, "ActivatePolicy", change | {"launchAt": at}) for at in (None, iso(LAUNCHED))]
    winner, (loser,) = one_winner(await race(world, *attempts, gate=gate), succeeded)
    assert codes(loser) == ["STALE"]
    assert winner["admissionPolicy"]["version"] == version + 1


async def test_of_two_changes_of_one_account_each_begins_where_the_one_before_ended(
    world: World, boss: asyncpg.Connection
) -> None:  # R1
    shop = await world.seller("CN")
    known = {"externalId": shop.external_id, "name": "双十一小店"}
    changes = [{"kind": "SELLER", "nationality": "ES"}, {"kind": "BLOGGER", "nationality": "CN"}]
    gate = "LOCK TABLE accounts IN EXCLUSIVE MODE"
    answers = await race(world, *[by_staff(world, "RegisterAccount", known | change) for change in changes], gate=gate)
    assert [codes(answer) for answer in answers] == [[], []]
    log = await boss.fetch(
        "SELECT detail ->> 'was' AS was, detail ->> 'became' AS became FROM events WHERE account_id = $1 ORDER BY seq",
        read_id(shop.account_id)[1].account_id,
    )
    assert [event["was"] for event in log[1:]] == [event["became"] for event in log[:-1]]
    assert await boss.fetchval("SELECT version FROM accounts WHERE external_id = $1", shop.external_id) == 3


async def test_a_ticket_is_renewed_whoever_holds_policy_and_account(world: World) -> None:
    shop = await world.seller()
    ana = await ready(shop)
    room = await shop.room(picked(ana["id"]), start=world.tonight())
    await shop.go_live(room["id"])
    holder = await asyncpg.connect(world.superuser_url)
    try:
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM policy_in_force FOR UPDATE")
            await holder.execute("SELECT 1 FROM accounts FOR UPDATE")
            await shop.do("RenewTicket", liveRoomId=room["id"])
    finally:
        await holder.close()
