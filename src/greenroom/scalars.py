"""Scalars: what GraphQL knows of instants, days, countries and addresses."""

import re
from datetime import UTC, date, datetime
from typing import Any, NewType

import strawberry


def in_utc(value: datetime) -> str:
    """Print an instant in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_instant(value: Any) -> datetime:
    """Read an RFC 3339 instant.

    Raises ValueError for one without an offset: it would mean another instant in every place.
    """
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("An instant is RFC 3339 with an offset, such as 2026-11-11T20:00:00+08:00.")
    return datetime.fromisoformat(value.upper()).astimezone(UTC)


RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)


Instant = NewType("Instant", datetime)
Day = NewType("Day", date)
CountryCode = NewType("CountryCode", str)
EmailAddress = NewType("EmailAddress", str)
URL = NewType("URL", str)


def instant(value: datetime | None) -> Instant | None:
    """Return an instant that may be missing as a client's."""
    return None if value is None else Instant(value)


SCALARS: dict[object, Any] = {
    Instant: strawberry.scalar(
        name="DateTime",
        description="An instant, RFC 3339, always with an offset; the server answers in UTC.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=in_utc,
        parse_value=read_instant,
    ),
    Day: strawberry.scalar(
        name="Date",
        description="A calendar date, RFC 3339 full-date.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-date.html",
        serialize=date.isoformat,
        parse_value=date.fromisoformat,
    ),
    CountryCode: strawberry.scalar(
        name="CountryCode",
        description=(
            "An ISO 3166-1 alpha-2 code, or one of the three-letter ICAO 9303 codes for stateless people and refugees."
            " Inputs take String, so that every problem arrives as a user error."
        ),
        specified_by_url="https://www.iso.org/iso-3166-country-codes.html",
    ),
    EmailAddress: strawberry.scalar(
        name="EmailAddress",
        description=(
            "An e-mail address that the server accepted."
            " Inputs take String, so that every problem arrives as a user error."
        ),
        specified_by_url="https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address",
    ),
    URL: strawberry.scalar(name="URL", description="An absolute URL.", specified_by_url="https://url.spec.whatwg.org/"),
}
