"""Days: what the law means by a day, by months and by an age. Dates on documents are days in Asia/Shanghai."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final

# A fixed offset, not the time zone database: China has had one time since 1991, and looking it up would be I/O.
SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")


def day_of(instant: datetime) -> date:
    """Return the day that it is in Shanghai at `instant`."""
    return instant.astimezone(SHANGHAI).date()


def end_of(day: date) -> datetime:
    """Return the first instant (UTC) after `day`: where a document with this last day stops to be good."""
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=SHANGHAI).astimezone(UTC)


def months_after(instant: datetime, *, months: int) -> datetime:
    """Return the same time of day in Shanghai so many months later, on the month's last day where it is shorter."""
    local = instant.astimezone(SHANGHAI)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


def is_under_age(born_on: date, *, minimum_age: int, airs_at: datetime) -> bool:
    """Say whether someone is too young on the day of the broadcast (X9). Born on 29 February: a year older in March."""
    day = day_of(airs_at)
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day)) < minimum_age
