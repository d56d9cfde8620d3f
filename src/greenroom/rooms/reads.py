"""What is read of rooms, their casts and their records."""

from typing import Any

from sqlalchemy import any_, bindparam
from sqlalchemy import select as select_columns
from sqlmodel import col, select

from greenroom.accounts.tables import Account
from greenroom.anchors.actions import IDS
from greenroom.columns import table
from greenroom.db import Read
from greenroom.paging import Listing
from greenroom.rooms.tables import AdmissionRecord, CastMember, LiveRoom


def rooms() -> Any:
    """An account's rooms, each with what the law asks of the account."""
    return (
        select_columns(*table(LiveRoom).c, col(Account.kind), col(Account.nationality))
        .join(Account, col(Account.account_id) == LiveRoom.account_id)
        .where(col(LiveRoom.account_id) == bindparam("account_id"))
    )


ROOMS = Listing(rooms(), col(LiveRoom.id), descending=True)


ROOMS_IN = Listing(rooms().where(col(LiveRoom.status) == bindparam("status")), col(LiveRoom.id), descending=True)


OF_ACCOUNT = select(Account).where(col(Account.account_id) == bindparam("account_id"))


ACCOUNT, ACCOUNT_LOCKED = Read(OF_ACCOUNT), Read(OF_ACCOUNT.with_for_update(read=True))


NEWEST_RECORD = Read(
    select(col(AdmissionRecord.id))
    .where(
        col(AdmissionRecord.account_id) == bindparam("account_id"),
        col(AdmissionRecord.room_id) == bindparam("room_id"),
    )
    .order_by(col(AdmissionRecord.id).desc())
    .limit(1)
)


BY_IDS = Read(rooms().where(col(LiveRoom.id) == any_(bindparam("ids", type_=IDS))))


MEMBERS = Read(
    select(CastMember).where(
        col(CastMember.account_id) == bindparam("account_id"), col(CastMember.id) == any_(bindparam("ids", type_=IDS))
    )
)


RECORDS_BY_IDS = Read(
    select(AdmissionRecord).where(
        col(AdmissionRecord.account_id) == bindparam("account_id"),
        col(AdmissionRecord.id) == any_(bindparam("ids", type_=IDS)),
    )
)


RECORDS = Read(
    select(AdmissionRecord)
    .where(
        col(AdmissionRecord.account_id) == bindparam("account_id"),
        col(AdmissionRecord.room_id) == any_(bindparam("room_ids", type_=IDS)),
    )
    .order_by(col(AdmissionRecord.id))
)
