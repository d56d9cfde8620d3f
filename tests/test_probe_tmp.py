import pytest
from race import race, one_winner
from clients import picked, newcomer
async def test_walk(world):
    shop = await world.seller()
    ana = await shop.anchor()
    await shop.hand_in_contact(ana["id"])
    room = await shop.room(picked(ana["id"]), newcomer("Bob"), start=world.tonight())
    await world.launch()
    errors = await shop.refused("GoLive", liveRoomId=room["id"])
    assert errors[0]["code"] == "ADMISSION_REFUSED"
    bob = room["cast"][1]["anchor"]["id"]
    for status in ("DRAFT","CANCELED","SUBMITTED","APPROVED","REJECTED","EXPIRED","REVOKED"):
      for path in ("TAOBAO_APP","PASSPORT_VISA","CONTACT"):
        await world.attempt(bob, path, status, findings=[("OTHER","EMAIL")])
    print(await shop.call("AnchorHistory", {"id": bob}))
    results = await race(world, *[lambda: shop.call("GoLive", {"input":{"liveRoomId": room["id"]}}) for _ in range(20)])
    w, rest = one_winner(results, lambda r: r["liveRoomGoLive"]["ticket"] is not None)
    print(rest[0])
async def test_empty(world, boss):
    assert await boss.fetchval("select count(*) from accounts")==0
    assert await boss.fetchval("select count(*) from events")==0
