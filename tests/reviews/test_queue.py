"""The queue: what awaits a decision, over all accounts, and for nobody but reviewers."""

import json
from collections.abc import Callable

import asyncpg
import pytest
from clients import Client, Data
from contracts.calls import staged, task_of
from photos import hand_in_papers
from reviewing import claim, decide, finding, queue
from worlds import World, ready

from greenroom.law.terms import ReviewTaskState
from greenroom.paging import Page
from greenroom.reviews.reads import QUEUES

Statements = Callable[[], list[str]]


def names(tasks: list[Data]) -> list[str]:
    return [task["verification"]["anchor"]["displayName"] for task in tasks]


async def contact(world: World, name: str) -> str:
    """Somebody of an account of their own who handed in contact data; returns the attempt's id."""
    shop = await world.blogger("ES", name=f"{name}'s")
    anchor = await shop.anchor(name)
    handed_in = await shop.hand_in_contact(anchor["id"], legalName=f"{name} Gil", email=f"{name}@example.com")
    found: str = handed_in["id"]
    return found


async def passport(world: World, name: str) -> str:
    shop = await world.seller(name=f"{name}'s")
    anchor = await shop.anchor(name, "RU")
    found: str = (await hand_in_papers(world, shop, anchor["id"], legalName=f"{name} Petrov"))["id"]
    return found


async def test_who_waits_longest_comes_first_and_contact_data_last(world: World) -> None:  # A27
    reviewer = world.staff("REVIEW")
    await contact(world, "Ana")
    await passport(world, "Boris")
    await contact(world, "Cleo")
    await passport(world, "Dmitri")
    found = await queue(reviewer)
    assert names(found) == ["Boris", "Dmitri", "Ana", "Cleo"]
    assert [task["state"] for task in found] == ["OPEN"] * 4
    assert found[0]["verification"]["anchor"]["account"]["name"] == "Boris's"
    assert found[0]["dueAt"] < found[2]["dueAt"]
    assert names(await queue(reviewer, path="CONTACT")) == ["Ana", "Cleo"]
    assert await queue(reviewer, path="TAOBAO_APP") == []


async def test_pages_follow_one_another_over_all_accounts(world: World) -> None:
    reviewer = world.staff("REVIEW")
    for name in "ABCDE":
        await contact(world, name)
    seen, after = list[str](), None
    while True:
        page = (await reviewer.call("ReviewQueue", {"first": 2, "after": after}))["reviewTasks"]
        assert page["totalCount"] == 5
        seen += names([edge["node"] for edge in page["edges"]])
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == list("ABCDE")


async def test_a_task_moves_from_open_to_claimed_to_decided(world: World) -> None:
    reviewer = world.staff("REVIEW")
    first, second = await contact(world, "Ana"), await contact(world, "Ben")
    await claim(reviewer, first)
    assert names(await queue(reviewer)) == ["Ben"]
    (claimed,) = await queue(reviewer, state="CLAIMED")
    assert (claimed["assignee"], names([claimed])) == ("ines", ["Ana"])
    await decide(reviewer, first)
    await decide(reviewer, second, finding("EMAIL_UNVERIFIED", "EMAIL"))
    assert await queue(reviewer) == []
    decided = await queue(reviewer, state="DECIDED")
    assert names(decided) == ["Ben", "Ana"], "newest first"
    assert [(task["assignee"], task["state"]) for task in decided] == [(None, "DECIDED")] * 2
    assert await queue(reviewer, state="HALF_DECIDED") == []
    assert await queue(reviewer, isEscalated=True, state="DECIDED") == []
    assert len(await queue(reviewer, isEscalated=False, state="DECIDED")) == 2


async def test_a_claim_that_lapsed_is_open_again(world: World) -> None:
    reviewer = world.staff("REVIEW")
    await claim(reviewer, await contact(world, "Ana"))
    world.clock.advance(minutes=21)
    (task,) = await queue(reviewer)
    assert (task["state"], task["assignee"], task["claimExpiresAt"]) == ("OPEN", None, None)
    assert await queue(reviewer, state="CLAIMED") == []


async def test_what_was_withdrawn_or_replaced_or_is_the_provider_s_to_decide_awaits_nobody(world: World) -> None:
    reviewer = world.staff("REVIEW")
    shop = await world.seller()
    ana, mei = await shop.anchor(), await shop.anchor("Mei", "CN")
    first = await shop.hand_in_contact(ana["id"])
    second = await shop.hand_in_contact(ana["id"])
    await world.attempt(mei["id"], "TAOBAO_APP", "SUBMITTED")
    assert [task["verification"]["id"] for task in await queue(reviewer)] == [second["id"]]
    await shop.do("CancelVerification", verificationId=second["id"], expectedVersion=1)
    assert await queue(reviewer) == []
    assert await queue(reviewer, state="DECIDED") == []
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename } }"
    asked = {"ids": [task_of(first["id"]), task_of(second["id"])]}
    assert (await reviewer.ask(query, asked))["nodes"] == [None, None]


async def test_nobody_but_reviewers_sees_it(world: World) -> None:
    stage = await staged(world)

    async def code(client: Client) -> str:
        answer = await client.send("ReviewQueue")
        assert answer.json()["data"] == {"reviewTasks": None}
        found: str = answer.json()["errors"][0]["extensions"]["code"]
        return found

    assert await code(stage.shop) == "PERMISSION_DENIED"
    assert await code(world.staff("ADMINISTER", "AUDIT", "MEDIA")) == "PERMISSION_DENIED"
    assert await code(world.anonymous()) == "UNAUTHENTICATED"
    assert len(await queue(world.staff("REVIEW_LEAD"))) == 1


async def test_the_queue_shows_nothing_of_what_was_handed_in(world: World) -> None:
    await passport(world, "Boris")
    answer = (await world.staff("REVIEW", "REVIEW_LEAD", "AUDIT").send("ReviewQueue")).text
    for planted in ("Petrov", "RU1234567", "1990"):
        assert planted not in answer
    query = """{ reviewTasks { nodes { verification { ... on PassportVisaVerification { expiresAt
        legalName passportExpiresOn workVisaExpiresOn documents { id findings { code } } anchor { documents { id } }
    } } } } }"""
    (node,) = (await world.staff("REVIEW").ask(query))["reviewTasks"]["nodes"]
    shown = node["verification"]
    assert shown["expiresAt"] is None, "it is the last day of a document"
    assert (shown["legalName"], shown["passportExpiresOn"], shown["workVisaExpiresOn"]) == (None, None, None)
    assert (shown["documents"], shown["anchor"]["documents"]) == ([], [])


async def test_the_same_passport_in_another_account_is_the_same_person_for_staff(world: World) -> None:  # X11
    first = await passport(world, "Boris")
    await passport(world, "Борис")
    task, other = await queue(world.staff("REVIEW"))
    assert task["verification"]["id"] == first
    (same,) = task["samePerson"]
    assert (same["account"]["name"], same["id"]) == ("Борис's", other["verification"]["anchor"]["id"])


async def test_the_same_name_tells_only_in_one_account(world: World) -> None:
    reviewer, shop = world.staff("REVIEW"), await world.seller()
    ana = await ready(shop)
    again = await shop.anchor("Annie")
    await shop.hand_in_contact(again["id"], legalName="ana garcía", email="other@example.com")
    elsewhere = await world.seller()
    await ready(elsewhere)
    found = {names([task])[0]: [each["id"] for each in task["samePerson"]] for task in await queue(reviewer)}
    assert found["Annie"] == [ana["id"]]
    assert len(found["Ana"]) <= 1


@pytest.mark.parametrize("count", [1, 12])
async def test_a_page_takes_as_many_statements_whatever_it_holds(
    count: int, world: World, statements: Statements
) -> None:
    for n in range(count):
        await contact(world, f"N{n}")
    reviewer = world.staff("REVIEW")
    await reviewer.call("CurrentPolicy")
    statements()
    assert len(await queue(reviewer)) == count
    assert len(statements()) == 5, "tasks, anchors, accounts, notes, same persons"


async def test_the_queue_is_read_by_its_index(world: World, boss: asyncpg.Connection) -> None:

    read = QUEUES[ReviewTaskState.OPEN].read(Page(20, False, None, None), counts=False)
    values = read.values({"paths": ["CONTACT"], "escalations": [True, False], "now": world.clock.now, "size": 21})
    async with boss.transaction():
        for other in ("seqscan", "bitmapscan", "sort"):  # few rows are read any way: with many, in the index's order
            await boss.execute(f"SET LOCAL enable_{other} = off")
        (plan,) = await boss.fetchrow(f"EXPLAIN (FORMAT JSON) {read.sql}", *values)
    assert "verifications_to_review" in plan
    assert '"Node Type": "Sort"' not in plan, json.loads(plan)


async def test_who_mends_what_waits_keeps_their_place(world: World) -> None:
    reviewer, shop = world.staff("REVIEW"), await world.seller()
    ana = (await shop.anchor())["id"]
    await shop.hand_in_contact(ana)
    (before,) = await queue(reviewer)
    world.clock.advance(hours=30)
    await contact(world, "Ben")
    mended = await shop.hand_in_contact(ana, email="new@example.com")
    after = (await queue(reviewer))[0]
    assert (after["verification"]["id"], after["dueAt"]) == (mended["id"], before["dueAt"])
    first = (await reviewer.call("ReviewQueue", {"first": 1}))["reviewTasks"]["pageInfo"]["endCursor"]
    rest = (await reviewer.call("ReviewQueue", {"first": 1, "after": first}))["reviewTasks"]["edges"]
    assert names([edge["node"] for edge in rest]) == ["Ben"]
    await shop.do("CancelVerification", verificationId=mended["id"], expectedVersion=1)
    await shop.hand_in_contact(ana)
    assert names(await queue(reviewer)) == ["Ben", "Ana"], "who withdrew begins anew"
    await decide(reviewer, (await queue(reviewer))[1]["verification"]["id"], finding("EMAIL_UNVERIFIED", "EMAIL"))
    await shop.hand_in_contact(ana, email="third@example.com")
    assert names(await queue(reviewer)) == ["Ben", "Ana"], "and who was refused"
