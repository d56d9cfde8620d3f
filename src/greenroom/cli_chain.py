"""The command verify-chain: that nobody rewrote a log or a record."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from greenroom.terminal import (
    DataDir,
    Demo,
    Exit,
    Json,
    database,
    err,
    fail,
    opened,
    out,
    print_json,
    progress_bar,
    read_settings,
)

if TYPE_CHECKING:
    from greenroom.events.actions import Broken, Unbroken


def verify_chain(
    account: Annotated[str | None, typer.Option(help="Only this one, by the platform's id.")] = None,
    demo: Demo = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Recompute the log of every account, with its admission records, and name the first link that does not hold.

    Example: greenroom verify-chain --json
    """
    settings = read_settings(demo=demo, data_dir=data_dir, needed=("database_url",))
    with database(settings, is_there=True) as urls:
        told = asyncio.run(verified(urls.app, account, hidden=as_json))
    if told is None:
        fail(f"No log of an account {account}: nothing was ever registered under this id.", Exit.USAGE)
    if as_json:
        print_json(told)
    else:
        for each in told["broken"]:
            err.print(f"[red]broken[/]  {each['account']}, event {each['seq']}: {each['why']}", highlight=False)
        out.print(f"{told['logs']} logs, {told['events']} events, {len(told['broken'])} broken", highlight=False)
    raise SystemExit(Exit.FOUND if told["broken"] else 0)


async def verified(url: str, external_id: str | None, *, hidden: bool) -> dict[str, Any] | None:
    """Walk the chains; None where the account named has none. An account without any log is broken as well."""
    from greenroom.access import PLATFORM, account_id_of
    from greenroom.accounts.actions import EXTERNAL_IDS
    from greenroom.db import Scope
    from greenroom.events.actions import Broken, verify_chain_of, verify_chains

    async with opened(url) as db:
        if external_id is not None:
            only = await verify_chain_of(db, account_id_of(external_id))
            return summary([only], {only.account_id: external_id}) if only else None
        rows = await db.rows(EXTERNAL_IDS, Scope(reading="accounts"))
        names: dict[Any, str] = {row["account_id"]: row["external_id"] for row in rows}
        chains: list[Broken | Unbroken] = []
        with progress_bar(hidden=hidden) as progress:
            task = progress.add_task("logs", total=len(names) + 1)
            async for chain in verify_chains(db):
                chains.append(chain)
                progress.advance(task)
    lost = names.keys() - {chain.account_id for chain in chains}
    chains += [Broken(account_id, 1, "the whole log is missing") for account_id in lost]
    return summary(chains, names | {PLATFORM: "the platform"})


def summary(chains: "Sequence[Broken | Unbroken]", names: Mapping[Any, str]) -> dict[str, Any]:
    """Return what was proved, and each first link that does not hold, by the platform's id of the account."""
    from greenroom.events.actions import Broken

    broken = [each for each in chains if isinstance(each, Broken)]
    return {
        "logs": len(chains),
        "events": sum(each.events for each in chains if not isinstance(each, Broken)),
        "broken": [{"account": names[each.account_id], "seq": each.seq, "why": each.why} for each in broken],
    }
