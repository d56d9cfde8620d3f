"""What all subscriptions share: the log of an account, from a cursor on or from now on, for who may read it."""

from collections.abc import AsyncGenerator
from uuid import UUID

from graphql import GraphQLError

from greenroom.context import Context, Info, unauthenticated
from greenroom.db import NOBODY
from greenroom.errors import Words
from greenroom.events.feeds import Actions, Entry
from greenroom.graph import bad_argument, home, sight
from greenroom.paging import cursor_of, read_cursor

NO_ACCOUNT = Words("There is no such account.", "该账号不存在。")
BAD_CURSOR = Words(
    "This is no cursor of this stream. Take one from its events, or leave it out to start from now on.",
    "游标无效，请使用该订阅事件返回的游标；留空则从当前时刻开始。",
)


async def followed(info: Info, account_id: UUID, actions: Actions, *, after: str | None) -> AsyncGenerator[Entry, None]:
    """Return an account's events with these actions: beyond a cursor, or from now on.

    Another account's id answers like one that nobody has, whatever the cursor says. Raises Hindered, and GraphQLError:
    UNAUTHENTICATED, NOT_FOUND, BAD_USER_INPUT.
    """
    context = info.context
    if not context.actor.subject:
        raise unauthenticated(context.language)
    if sight(context, account_id) == NOBODY or await home("accounts").load(info, account_id) is None:
        raise GraphQLError(said(NO_ACCOUNT, context), extensions={"code": "NOT_FOUND", "argument": "accountId"})
    context.loaders.clear()  # they would lie there for as long as the stream
    feeds = context.services.feeds
    head = await feeds.head(account_id)
    place = head if after is None else seq_of(after, account_id)
    if place is None or not 0 <= place <= head:  # beyond the head, as of a database that was put back: it would skip
        raise bad_argument("after", said(BAD_CURSOR, context))
    return feeds.follow(account_id, actions, beyond=place, head=head)


def cursor_at(entry: Entry) -> str:
    """Return the cursor from which a client goes on beyond an event."""
    return cursor_of((entry.account_id, entry.seq))


def seq_of(cursor: str, account_id: UUID) -> int | None:
    """Return the place in an account's log that a cursor means; None for another log's, and for what is none."""
    values = read_cursor(cursor, (UUID, int))
    return None if values is None or values[0] != account_id else int(values[1])


def said(words: Words, context: Context) -> str:
    """Return a sentence in the caller's language."""
    return words.zh if context.language == "zh" else words.en
