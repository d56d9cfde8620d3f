"""Clients: callers of the API as clients are, with nothing but HTTP between them and it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from graphql import parse, print_ast

OPERATIONS = Path(__file__).parents[1] / "operations"
Data = dict[str, Any]


@cache
def definitions() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The operations and the fragments of our clients, each by its name."""
    operations, fragments = dict[str, str](), dict[str, str]()
    for file in sorted(OPERATIONS.glob("*.graphql")):
        for definition in parse(file.read_text()).definitions:
            kept = fragments if definition.kind == "fragment_definition" else operations
            kept[definition.name.value] = print_ast(definition)  # type: ignore[attr-defined]  # only these two kinds
    return operations, fragments


@cache
def document(name: str) -> str:
    """An operation of `operations/` together with the fragments that it names, directly or through others."""
    operations, fragments = definitions()
    needed, unread = dict[str, None](), [operations[name]]
    while unread:
        for found in re.findall(r"\.\.\.\s*(?!on\b)(\w+)", unread.pop()):
            if found not in needed:
                needed[found] = None
                unread.append(fragments[found])
    return "\n\n".join([operations[name], *(fragments[each] for each in needed)])


@dataclass
class Client:
    """Somebody with a token. `sign` makes one that holds at the present of the tests' clock; None: anonymous."""

    http: httpx.AsyncClient
    sign: Callable[[], str] | None = None
    language: str = "en"

    def headers(self) -> dict[str, str]:
        """What every request says: who asks, and in which language."""
        token = {"authorization": f"Bearer {self.sign()}"} if self.sign else {}
        return {"accept": "application/graphql-response+json", "accept-language": self.language} | token

    async def post(self, query: str, variables: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Send a document; returns the whole response, whatever it says."""
        body = {"query": query, "variables": dict(variables or {})} | more
        return await self.http.post("/graphql", json=body, headers=self.headers())

    async def send(self, name: str, variables: Mapping[str, Any] | None = None) -> httpx.Response:
        """Send an operation of `operations/`; returns the whole response."""
        return await self.post(document(name), variables, operationName=name)

    async def call(self, name: str, variables: Mapping[str, Any] | None = None) -> Data:
        """Send an operation of `operations/`; returns its data, and fails the test on a top-level error."""
        return data_of(await self.send(name, variables))

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> Data:
        """Send a document of the test's own; returns its data, and fails the test on a top-level error."""
        return data_of(await self.post(query, variables))

    async def do(self, name: str, /, **input: Any) -> Data:
        """Send a mutation of `operations/` with this input; returns its payload, and fails the test on a user error."""
        payload = await self._payload(name, input)
        assert payload["userErrors"] == [], (name, payload["userErrors"])
        return payload

    async def refused(self, name: str, /, **input: Any) -> list[Data]:
        """Send a mutation that must be refused; returns its user errors, at least one."""
        payload = await self._payload(name, input)
        assert payload["userErrors"], f"{name} was not refused: {payload}"
        errors: list[Data] = payload["userErrors"]
        return errors

    async def _payload(self, name: str, input: Data) -> Data:
        (payload,) = (await self.call(name, {"input": input})).values()
        assert isinstance(payload, dict), payload
        return payload


def data_of(response: httpx.Response) -> Data:
    """The data of an answer without top-level errors."""
    body = response.json()
    assert response.status_code == 200, (response.status_code, body)
    assert "errors" not in body, body["errors"]
    data: Data = body["data"]
    return data


def codes_at(errors: list[Data]) -> set[tuple[str, str]]:
    """User errors as (code, path) pairs, such as ("REQUIRED", "input.evidence.contact.email")."""
    return {(error["code"], ".".join(error["field"] or ())) for error in errors}


@dataclass
class Shop(Client):
    """Somebody who acts for one account, and the few things that every story does."""

    external_id: str = ""
    account_id: str = ""
    """The account's global id."""
    made: int = field(default=0)

    async def anchor(self, display_name: str = "Ana", nationality: str = "ES") -> Data:
        """An anchor on the roster: `{id, displayName, nationality, version}`."""
        new = {"displayName": display_name, "nationality": nationality}
        found: Data = (await self.do("AddAnchor", accountId=self.account_id, anchor=new))["anchor"]
        return found

    async def room(self, *cast: Data, start: str, title: str = "Live tonight", **more: Any) -> Data:
        """A room as fragment Room shows it; `cast` holds entries that `picked` and `newcomer` make."""
        input = {"accountId": self.account_id, "title": title, "scheduledStartAt": start, "cast": list(cast)}
        input["idempotencyKey"] = self.key()
        found: Data = (await self.do("CreateRoom", **(input | more)))["liveRoom"]
        return found

    def key(self) -> str:
        """An idempotency key of its own."""
        self.made += 1
        return f"key-{self.made}"

    async def hand_in_contact(self, anchor_id: str, **more: Any) -> Data:
        """A complete CONTACT verification with consent in the same step; returns fragment Attempt.

        `legalName`, `email` and `nationality` (ES) may be given, and any other argument of the mutation.
        """
        contact = {"legalName": "Ana García", "email": "ana@example.com", "nationality": "ES"}
        contact |= {name: more.pop(name) for name in tuple(contact) if name in more}
        input = {"location": "OUTSIDE_CHINA", "entryPoint": "ROOM_EDITOR", "consentVersion": "2021-08"} | more
        done = await self.do("SubmitVerification", anchorId=anchor_id, evidence={"contact": contact}, **input)
        found: Data = done["verification"]
        return found

    async def go_live(self, room_id: str, **more: Any) -> Data:
        """Start a broadcast that is admitted: `{ticket, admission, liveRoom, userErrors}`."""
        return await self.do("GoLive", liveRoomId=room_id, **({"idempotencyKey": self.key()} | more))

    async def admission(self, room_id: str) -> Data:
        """What the gate answers now, as fragment AdmissionAnswer shows it."""
        found: Data = (await self.call("Admission", {"id": room_id}))["node"]["admission"]
        return found


def picked(anchor_id: str, location: str = "OUTSIDE_CHINA") -> Data:
    """A remembered anchor's place in a cast."""
    return {"anchor": {"id": anchor_id}, "location": location}


def newcomer(display_name: str = "Ana", nationality: str = "ES", location: str = "OUTSIDE_CHINA") -> Data:
    """A new anchor's place in a cast."""
    return {"anchor": {"new": {"displayName": display_name, "nationality": nationality}}, "location": location}
