"""What a subscriber is told: every change of a status once, in order, whatever happened to the line meanwhile."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest
from clients import Data, Shop, document
from contracts.calls import task_of
from worlds import STAFF, World

from greenroom.db import Scope, count_statements
from greenroom.events.actions import Subject, record_each
from greenroom.events.feeds import KEPT_MAX, READ_MAX, Feed, Feeds
from greenroom.graph import read_id
from greenroom.law.terms import VerificationPath, VerificationStatus
from greenroom.paging import cursor_of
from greenroom.verifications.actions import moved
from greenroom.verifications.changes import STATUS_CHANGES
from subscriptions.wires import CHANGES, Talk, Wire, wired

STATUSES = ("SUBMITTED", "REJECTED", "SUBMITTED", "APPROVED")


async def happen(world: World, verification_id: str, statuses: list[str]) -> None:
    """Have the log tell of so many changes of one attempt, in one transaction."""
    key = read_id(verification_id)[1]
    about = Subject("Verification", key.account_id, key.id)
    entries = [(f"VERIFICATION_{status}", about, detail_of(status)) for status in statuses]
    async with world.db.transaction(Scope(key.account_id)) as tx:
        await record_each(tx, entries, by=STAFF, now=world.clock())  # type: ignore[arg-type]  # a subject will do


def detail_of(status: str) -> Data:
    return moved(VerificationPath.CONTACT, was=None, status=VerificationStatus(status))


async def attempt_of(world: World, shop: Shop) -> str:
    return await world.attempt((await shop.anchor())["id"], "CONTACT", "SUBMITTED")


async def heard(talk: Talk, count: int) -> list[Data]:
    return [await talk.change() for _ in range(count)]


async def test_a_change_comes_as_it_happened_with_the_attempt_as_it_is(wire: Wire, world: World) -> None:
    shop = await world.seller()
    ana = await shop.anchor()
    async with wire.socket(shop.sign()) as talk:
        await talk.follow(shop)
        assert talk.first == {"type": "pong"}
        attempt, reviewer = await shop.hand_in_contact(ana["id"]), world.staff("REVIEW")
        await reviewer.do("ClaimTask", reviewTaskId=task_of(attempt["id"]))
        await reviewer.do("DecideVerification", verificationId=attempt["id"], expectedVersion=1, decision="APPROVE")
        first, second = await heard(talk, 2)
    assert (first["previousStatus"], first["status"]) == (None, "SUBMITTED")
    assert (second["previousStatus"], second["status"]) == ("SUBMITTED", "APPROVED")
    assert second["verification"]["status"] == "APPROVED"
    assert first["verification"]["id"] == attempt["id"]
    assert first["verification"]["anchor"] == {"id": ana["id"], "displayName": "Ana"}
    assert first["occurredAt"] < second["occurredAt"]


async def test_who_was_away_gets_each_change_once_and_in_order(wire: Wire, world: World) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    async with wire.socket(shop.sign()) as talk:
        await talk.follow(shop)
        await happen(world, attempt, ["SUBMITTED"])
        cursor = (await talk.change())["cursor"]
    statuses = [STATUSES[i % 4] for i in range(2 * READ_MAX + KEPT_MAX + 7)]  # several reads, the last one part full
    await happen(world, attempt, statuses)
    async with wire.socket(shop.sign()) as talk:
        await talk.subscribe(document(CHANGES), {"accountId": shop.account_id, "after": cursor})
        found = await heard(talk, 100)
        await happen(world, attempt, ["REVOKED"])  # in the midst of what is behind
        found += await heard(talk, len(statuses) + 1 - len(found))
    assert [each["status"] for each in found] == [*statuses, "REVOKED"]
    assert len({each["cursor"] for each in found}) == len(found)


@pytest.mark.parametrize("behind", [0, 1, KEPT_MAX - 1, KEPT_MAX + 1])
async def test_followers_of_one_account_each_go_on_from_their_own_place(wire: Wire, world: World, behind: int) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    async with wire.socket(shop.sign()) as ahead:
        await ahead.follow(shop)
        await happen(world, attempt, ["SUBMITTED"] * (KEPT_MAX + 2))
        seen = await heard(ahead, KEPT_MAX + 2)
        async with wire.socket(world.staff("REVIEW").sign()) as late:
            await late.subscribe(
                document(CHANGES), {"accountId": shop.account_id, "after": seen[-1 - behind]["cursor"]}
            )
            assert await heard(late, behind) == seen[len(seen) - behind :]
            await happen(world, attempt, ["APPROVED"])
            assert await late.change() == await ahead.change()
        assert len(list(wire.feeds)) == 1


async def test_what_else_is_logged_and_other_accounts_are_not_told(wire: Wire, world: World) -> None:
    shop, other = await world.seller(), await world.blogger("ES")
    theirs, own = await attempt_of(world, other), await attempt_of(world, shop)
    async with wire.socket(shop.sign()) as talk:
        await talk.follow(shop)
        await happen(world, theirs, ["REJECTED"])
        await shop.anchor("Ben")
        await happen(world, own, ["APPROVED"])
        assert (await talk.change())["status"] == "APPROVED"


async def test_two_subscriptions_of_one_socket_go_their_own_ways(wire: Wire, world: World) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    async with wire.socket(shop.sign()) as talk:
        first, second = await talk.follow(shop), await talk.follow(shop)
        await happen(world, attempt, ["APPROVED"])
        assert {(await talk.hear())["id"] for _ in range(2)} == {first, second}
        await talk.say({"id": first, "type": "complete"})
        await happen(world, attempt, ["REVOKED"])
        assert (await talk.hear())["id"] == second
    await left(wire)


async def left(wire: Wire) -> None:
    """Wait until nobody follows anything any more, and no place is taken."""
    while list(wire.feeds) or wire.streams.subscriptions._all or wire.streams.connections._all:  # noqa: ASYNC110  # as below
        await asyncio.sleep(0.01)


Broken = Callable[[str], str]
CURSORS: dict[str, Broken] = {
    "garbage": lambda _: "../../etc/passwd",
    "nothing": lambda _: "",
    "of a list": lambda _: cursor_of(("a", "b")),
    "of nobody": lambda _: cursor_of((UUID(int=7), 1)),
    "ahead of the log": lambda account: cursor_of((read_id(account)[1].account_id, 10**9)),
    "before it": lambda account: cursor_of((read_id(account)[1].account_id, -1)),
    "the account's id": lambda account: account,
    "of numbers": lambda _: cursor_of((1, 1)),
    "long": lambda _: "A" * 10_000,
    "zero": lambda _: "\x00",
}


@pytest.mark.parametrize("name", CURSORS)
async def test_a_cursor_that_is_none_is_refused_with_a_code(wire: Wire, world: World, name: str) -> None:
    shop = await world.seller()
    async with wire.socket(shop.sign()) as talk:
        await talk.follow(shop, CURSORS[name](shop.account_id))
        (error,) = talk.first["payload"]
    assert talk.first["type"] == "error"
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "after"}
    await left(wire)


async def test_a_cursor_of_another_own_account_is_refused(wire: Wire, world: World) -> None:
    shop, other = await world.seller(), await world.seller()
    async with wire.socket(world.client(accounts=[shop.external_id, other.external_id]).sign()) as talk:
        await talk.follow(shop, cursor_of((read_id(other.account_id)[1].account_id, 1)))
        assert talk.first["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_lost_notification_costs_time_and_no_event(world: World) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    deaf = "postgresql://greenroom@127.0.0.1:9/nowhere"
    async with wired(world, listen_url=deaf) as wire, wire.socket(shop.sign()) as talk:
        await talk.follow(shop)
        await happen(world, attempt, ["APPROVED"])  # by another process, as far as this one can tell
        await wire.feeds.look()
        assert (await talk.change())["status"] == "APPROVED"


async def test_a_feed_reads_once_for_all_who_follow_it(world: World, statements: Callable[[], list[str]]) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    account, feeds = read_id(shop.account_id)[1].account_id, Feeds(world.db)
    head = await feeds.head(account)
    followers = [feeds.follow(account, STATUS_CHANGES, beyond=head, head=head) for _ in range(20)]
    waiting = [asyncio.create_task(anext(follower)) for follower in followers]
    await asyncio.sleep(0)
    (feed,) = feeds
    await settled(feed)
    statements()
    await happen(world, attempt, ["APPROVED"])
    feeds.wake([account])
    assert len({(await each).seq for each in waiting}) == 1
    assert len([each for each in statements() if "LEFT JOIN LATERAL" in each]) == 1
    for follower in followers:
        await follower.aclose()
    assert list(feeds) == []


@pytest.mark.parametrize("count", [1, 5])
async def test_an_event_takes_a_read_for_its_account_and_two_for_each_who_follows(
    wire: Wire, world: World, count: int
) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    heard_statements = list[str]()
    async with wire.socket(shop.sign()) as talk:
        for _ in range(count):
            await talk.follow(shop)
        await happen(world, attempt, ["SUBMITTED"])
        await heard(talk, count)
        count_statements(wire.app.state.held.services.db, heard_statements.append)
        await happen(world, attempt, ["APPROVED"])
        await heard(talk, count)
    counted = [each for each in heard_statements if "policy_in_force" not in each and "event_heads.seq" not in each]
    assert len(counted) == 1 + 2 * count, counted


async def settled(feed: Feed) -> None:
    while feed._reading:  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0.01)


async def test_a_read_that_fails_is_made_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = await world.seller()
    attempt = await attempt_of(world, shop)
    account, feeds = read_id(shop.account_id)[1].account_id, Feeds(world.db)
    head = await feeds.head(account)
    follower = feeds.follow(account, STATUS_CHANGES, beyond=head, head=head)
    waiting = asyncio.create_task(anext(follower))
    await asyncio.sleep(0)
    (feed,) = feeds
    await settled(feed)
    read, failed = feed._read, list[int]()

    async def broken(seq: int) -> object:
        if len(failed) < 2:
            failed.append(seq)
            raise ValueError
        return await read(seq)

    monkeypatch.setattr("greenroom.events.feeds.TRIES_AGAIN_S", 0.01)
    monkeypatch.setattr(feed, "_read", broken)
    await happen(world, attempt, ["APPROVED"])
    feeds.wake(None)
    assert (await waiting).action == "VERIFICATION_APPROVED"
    assert len(failed) == 2
    await follower.aclose()


def test_every_status_is_told() -> None:
    assert {f"VERIFICATION_{status}" for status in VerificationStatus} == STATUS_CHANGES
