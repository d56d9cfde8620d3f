"""Claims: a task is one reviewer's for a while."""

from clients import Client, Data, Shop
from contracts.calls import staged, task_of
from race import one_winner, race
from reviewing import claim, finding, queue
from rooms.test_races import succeeded
from worlds import World, ready

GATE = "LOCK TABLE review_tasks IN EXCLUSIVE MODE"


async def handed_in(world: World) -> str:
    shop = await world.seller()
    ana = await ready(shop)
    found: str = (await shop.call("AnchorHistory", {"id": ana["id"]}))["node"]["verifications"]["edges"][0]["node"][
        "id"
    ]
    return found


def reason(errors: list[Data]) -> tuple[str, str, str]:
    (error,) = errors
    return error["code"], ".".join(error["field"]), error["message"]


async def test_of_ten_who_claim_at_once_one_has_it(world: World) -> None:
    task_id = task_of(await handed_in(world))
    reviewers = [world.staff("REVIEW", subject=f"reviewer-{n}") for n in range(10)]

    def claiming(reviewer: Client) -> object:
        async def send() -> Data:
            payload: Data = (await reviewer.call("ClaimTask", {"input": {"reviewTaskId": task_id}}))["reviewTaskClaim"]
            return payload

        return send

    winner, losers = one_winner(await race(world, *map(claiming, reviewers), gate=GATE), succeeded)  # type: ignore[arg-type]
    assert winner["reviewTask"]["state"] == "CLAIMED"
    assert {error["code"] for loser in losers for error in loser["userErrors"]} == {"INVALID_STATE"}
    assert all(loser["reviewTask"] is None for loser in losers)


async def test_a_claim_lasts_twenty_minutes_and_longer_when_it_is_claimed_again(world: World) -> None:
    reviewer, other = world.staff("REVIEW"), world.staff("REVIEW", subject="olga")
    attempt = await handed_in(world)
    await claim(reviewer, attempt)
    world.clock.advance(minutes=15)
    await claim(reviewer, attempt)
    world.clock.advance(minutes=15)
    code, at, words = reason(await other.refused("ClaimTask", reviewTaskId=task_of(attempt)))
    assert (code, at) == ("INVALID_STATE", "input.reviewTaskId")
    assert "claimExpiresAt" in words
    world.clock.advance(minutes=6)
    assert (await claim(other, attempt))["assignee"] == "olga"


async def test_a_claim_is_given_back_by_its_owner_or_a_lead_and_nobody_else(world: World) -> None:
    reviewer, other = world.staff("REVIEW"), world.staff("REVIEW", subject="olga")
    attempt = await handed_in(world)
    task = {"reviewTaskId": task_of(attempt)}
    await reviewer.do("ReleaseTask", **task)
    await claim(reviewer, attempt)
    assert reason(await other.refused("ReleaseTask", **task))[0] == "INVALID_STATE"
    assert (await reviewer.do("ReleaseTask", **task))["reviewTask"]["assignee"] is None
    await reviewer.do("ReleaseTask", **task)
    await claim(other, attempt)
    await world.staff("REVIEW_LEAD", subject="lead").do("ReleaseTask", **task)
    assert len(await queue(reviewer)) == 1


async def test_only_reviewers_claim_and_none_of_them_their_own_account(world: World) -> None:
    stage = await staged(world)
    for client in (stage.shop, stage.staff, world.staff("AUDIT")):
        assert reason(await client.refused("ClaimTask", reviewTaskId=stage.open))[0] == "PERMISSION_DENIED"
    both = world.client(accounts=[stage.shop.external_id], permissions=["REVIEW", "REVIEW_LEAD"])
    code, _, words = reason(await both.refused("ClaimTask", reviewTaskId=stage.open))
    assert (code, "for this account" in words) == ("INVALID_STATE", True)
    reveal = {"verificationId": stage.verification, "purpose": "Curiosity"}
    assert reason(await both.refused("RevealVerification", **reveal))[0] == "INVALID_STATE"


async def test_who_acts_for_an_account_sees_no_note_about_it_as_a_reviewer_either(world: World) -> None:
    stage = await staged(world)
    await claim(world.staff("REVIEW"), stage.verification)
    both = world.client(accounts=[stage.shop.external_id], permissions=["REVIEW", "REVIEW_LEAD"])
    for state in ("OPEN", "CLAIMED", "DECIDED"):
        for task in await queue(both, state=state):
            assert (task["notes"], task["samePerson"]) == ([], [])
            shown = "query($id: ID!) { node(id: $id) { __typename } }"
            assert await both.ask(shown, {"id": task["id"]}) == {"node": None}
    assert any(task["notes"] for task in await queue(world.staff("REVIEW"), state="DECIDED")), "there is one"


async def test_what_was_withdrawn_is_not_claimed(world: World) -> None:
    stage = await staged(world)
    await stage.shop.do("CancelVerification", verificationId=stage.verification, expectedVersion=1)
    assert reason(await stage.reviewer.refused("ClaimTask", reviewTaskId=stage.open))[0] == "INVALID_STATE"


async def test_what_the_provider_decides_is_no_task(world: World) -> None:
    shop = await world.seller()
    mei = await shop.anchor("Mei", "CN")
    attempt = await world.attempt(mei["id"], "TAOBAO_APP", "SUBMITTED")
    assert reason(await world.staff("REVIEW").refused("ClaimTask", reviewTaskId=task_of(attempt)))[0] == "NOT_FOUND"


async def replaced(shop: Shop, anchor_id: str, **other: str) -> Data:
    """Hand in contact data anew; returns the payload."""
    contact = {"legalName": "Ana García", "email": "new@example.com", "nationality": "ES"} | other
    begun = {"location": "OUTSIDE_CHINA", "entryPoint": "CONSOLE_HOME"}
    asked = {"anchorId": anchor_id, "evidence": {"contact": contact}, **begun}
    done: Data = (await shop.call("SubmitVerification", {"input": asked}))["verificationSubmit"]
    return done


async def test_what_a_reviewer_is_deciding_about_is_neither_replaced_nor_withdrawn_under_their_eyes(
    world: World,
) -> None:
    shop, reviewer = await world.seller(), world.staff("REVIEW")
    ana = (await shop.anchor())["id"]
    attempt = await shop.hand_in_contact(ana)
    withdrawal = {"verificationId": attempt["id"], "expectedVersion": 1}
    await claim(reviewer, attempt["id"])
    for language, word in (("en", "reviewer"), ("zh", "审核员")):
        shop.language = language
        code, at, words = reason((await replaced(shop, ana))["userErrors"])
        assert (code, at, word in words) == ("INVALID_STATE", "input.anchorId", True)
        code, at, words = reason(await shop.refused("CancelVerification", **withdrawal))
        assert (code, at, word in words) == ("INVALID_STATE", "input.verificationId", True)
    await shop.do("GiveConsent", anchorId=ana, noticeVersion="2021-08")
    await reviewer.do("ReleaseTask", reviewTaskId=task_of(attempt["id"]))
    second = (await replaced(shop, ana))["verification"]
    await claim(reviewer, second["id"])
    world.clock.advance(minutes=20)
    third = (await replaced(shop, ana))["verification"]
    await claim(reviewer, third["id"])
    await reviewer.do(
        "DecideVerification",
        verificationId=third["id"],
        expectedVersion=1,
        decision="REJECT",
        findings=[finding("EMAIL_UNVERIFIED", "EMAIL")],
    )
    assert (await replaced(shop, ana, email="other@example.com"))["userErrors"] == []


async def test_a_claim_holds_off_nothing_on_another_row(world: World) -> None:
    shop, reviewer = await world.seller(), world.staff("REVIEW")
    ana, bea = (await shop.anchor())["id"], (await shop.anchor("Bea"))["id"]
    first = await shop.hand_in_contact(ana)
    await shop.hand_in_contact(bea, legalName="Bea Gil", email="bea@example.com")
    await claim(reviewer, first["id"])
    assert (await replaced(shop, bea, legalName="Bea Gil"))["userErrors"] == []
