"""Every state change leaves an event: all mutations of the schema are walked, so a new one cannot be forgotten."""

import asyncpg
import pytest
from house import contents
from worlds import World

from contracts.calls import MUTATIONS, SCHEMA, caller, document, staged

CHANGES_NOTHING = {"liveRoomTicketRenew": "asks the gate again and signs; the record that it names is there already"}


def mutations() -> list[str]:
    assert SCHEMA.mutation_type is not None
    return list(SCHEMA.mutation_type.fields)


def test_every_mutation_of_the_schema_is_called_here() -> None:
    assert set(mutations()) == set(MUTATIONS)


@pytest.mark.parametrize("field", sorted(MUTATIONS))
async def test_a_mutation_that_succeeds_leaves_its_event(field: str, world: World, boss: asyncpg.Connection) -> None:
    stage = await staged(world)
    events, before = await boss.fetchval("SELECT count(*) FROM events"), await contents(boss)
    data = await caller(stage, field).ask(document("mutation", field), {"input": MUTATIONS[field](stage)})
    assert data[field]["userErrors"] == []
    after = await boss.fetchval("SELECT count(*) FROM events")
    if field in CHANGES_NOTHING:
        assert await contents(boss) == before
    else:
        assert after > events
