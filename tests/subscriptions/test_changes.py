"""What a subscriber is told: every change of a status once, in order, whatever happened to the line meanwhile."""

import pytest
from worlds import World

from subscriptions.wires import Wire


async def test_a_change_comes_as_it_happened_with_the_attempt_as_it_is(wire: Wire, world: World) -> None:
    shop = await world.seller()
    ana = await shop.anchor()
    async with wire.socket(shop.sign()) as talk:
        await talk.follow(shop)
        assert talk.first == {"type": "pong"}
        attempt = await shop.hand_in_contact(ana["id"])
        changed = await talk.change()
    assert (changed["previousStatus"], changed["status"]) == (None, "SUBMITTED")
    assert changed["verification"]["id"] == attempt["id"]
    assert changed["verification"]["anchor"] == {"id": ana["id"], "displayName": "Ana"}
