"""A desk: reviewers as they work, by the API alone: claim, look, decide."""

from clients import Client, Data
from contracts.calls import task_of
from worlds import World

from greenroom.db import Scope
from greenroom.graph import read_id
from greenroom.rooms.effects import Effects


async def queue(reviewer: Client, **asked: object) -> list[Data]:
    """A page of the queue: its tasks."""
    found = (await reviewer.call("ReviewQueue", asked))["reviewTasks"]
    return [edge["node"] for edge in found["edges"]]


async def claim(reviewer: Client, verification_id: str) -> Data:
    """Claim the task of an attempt; returns fragment Task."""
    found: Data = (await reviewer.do("ClaimTask", reviewTaskId=task_of(verification_id)))["reviewTask"]
    return found


async def decide(reviewer: Client, verification_id: str, *findings: Data, **more: object) -> Data:
    """Claim and decide: an approval, or with findings a rejection. Returns the payload."""
    version = (await claim(reviewer, verification_id))["verification"]["version"]
    said = {"decision": "REJECT", "findings": list(findings)} if findings else {"decision": "APPROVE"}
    input = {"verificationId": verification_id, "expectedVersion": version} | said | more
    return await reviewer.do("DecideVerification", **input)


async def settle(world: World, verification_id: str) -> None:
    """What the worker does about broadcasts once an attempt was rejected."""
    key = read_id(verification_id)[1]
    await Effects(world.db, world.clock).settle({"account_id": str(key.account_id), "verification_id": str(key.id)})


def finding(code: str, requirement: str, message: str = "", **more: object) -> Data:
    """One refused item."""
    return {"code": code, "requirement": requirement, "message": message} | more


async def reveal(reviewer: Client, verification_id: str, purpose: str = "审核护照") -> Data:
    """Look into an attempt; returns its evidence."""
    found: Data = (await reviewer.do("RevealVerification", verificationId=verification_id, purpose=purpose))["evidence"]
    return found


async def queued(world: World) -> int:
    """How many jobs wait to settle broadcasts."""
    async with world.db.transaction(Scope()) as tx:
        connection = await tx.connection()
        found = await connection.exec_driver_sql(
            "SELECT count(*) FROM jobs.pgqueuer WHERE entrypoint = 'settle_broadcasts'"
        )
        return int(found.scalar_one())
