"""What can be done with an account: the platform registers it; its owner cannot change kind or nationality (R1)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, column, or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from greenroom.access import Actor, Permission, account_id_of, need
from greenroom.accounts.tables import Account
from greenroom.db import Read, Transaction
from greenroom.errors import Problem, Refused
from greenroom.events.actions import Subject, record
from greenroom.law.terms import AccountKind, is_chinese
from greenroom.paging import Listing
from greenroom.text import country, folded, one_line

NAME_LENGTH_MAX = 120
BY_IDS = Read(select(Account).where(col(Account.account_id) == any_(bindparam("account_ids", type_=ARRAY(Uuid())))))


async def register_account(
    tx: Transaction, *, external_id: str, kind: AccountKind, name: str, nationality: str, by: Actor, now: datetime
) -> UUID | Refused:
    """Register an account under the platform's own id, or bring what is known of it up to date. Returns our id.

    A change of kind or nationality is in the log, and open rooms answer by the new values at once (R1).
    """
    if refused := need(by, Permission.ADMINISTER):
        return refused
    external_id, problems = one_line(external_id, at=("input", "externalId"), most=NAME_LENGTH_MAX)
    name, of_name = one_line(name, at=("input", "name"), most=NAME_LENGTH_MAX)
    nationality, of_nationality = country(nationality, at=("input", "nationality"))
    if found := [*problems, *of_name, *of_nationality]:
        return Refused(tuple[Problem, ...](found))
    account_id = account_id_of(external_id)
    known = {"kind": kind, "nationality": nationality, "name": name, "search_name": folded(name)}
    first = insert(Account).values(account_id=account_id, external_id=external_id, version=1, created_at=now, **known)
    added: Any = first.on_conflict_do_nothing().returning(column("account_id"))  # of two at once the second waits here
    became = standing_of(kind, nationality)
    if (await tx.exec(added)).one_or_none():
        about = Subject("Account", account_id, account_id)
        await record(tx, "ACCOUNT_REGISTERED", about, by=by, now=now, became=became)
        return account_id
    row = (await tx.exec(select(Account).where(Account.account_id == account_id).with_for_update())).one()
    if (row.kind, row.nationality, row.name) == (kind, nationality, name):
        return account_id
    was, has_moved = standing_of(row.kind, row.nationality), row.nationality != nationality
    row.kind, row.nationality, row.name, row.search_name = kind, nationality, name, folded(name)
    row.version += 1
    await record(tx, "ACCOUNT_CHANGED", row, by=by, now=now, was=was, became=became, is_nationality_changed=has_moved)
    return account_id


def standing_of(kind: AccountKind, nationality: str) -> dict[str, Any]:
    """Return what the law asks of an account: the log is no place for a person's nationality (R1)."""
    return {"kind": kind.value, "is_chinese": is_chinese(nationality)}


BY_NAME = (col(Account.search_name), col(Account.account_id))


DIRECTORY = Listing(select(Account).select_from(Account), *BY_NAME)  # named: counting it names no column
# A search matches the name anywhere, or the platform's id as a whole.
FOUND = Listing(
    select(Account).where(
        or_(col(Account.search_name).like(bindparam("pattern")), col(Account.external_id) == bindparam("external_id"))
    ),
    *BY_NAME,
)
EXTERNAL_IDS = Read(select(Account.account_id, Account.external_id))
