"""Entries, directories, beacons and frames of the golden vectors, read and written by the tables of `layouts.py`."""

import hashlib
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from host_crypto import given, tag, vectors
from layouts import BEACON, BODY, CERTIFICATE, ENTRY, FRAME, Layout, RefusedError

DIRECTORY, FRAMES, BEACONS, ENTRIES = map(vectors, ["directory.json", "frames.json", "beacon.json", "entry.json"])

READ: list[tuple[str, Layout, str, Any]] = [
    *((name, BODY, DIRECTORY["bodies"][name], fields) for name, fields in DIRECTORY["fields"].items()),
    *((case["name"], FRAME, case["bytes"], case["fields"]) for case in FRAMES["frames"]),
    *(
        (case["name"], BEACON, case["bytes"], {"version": 1, "heads": case["heads"], "tips": case["tips"]})
        for case in BEACONS["cases"]
    ),
]
REFUSED: list[tuple[str, Layout, str]] = [
    *((case["name"], FRAME, case["bytes"]) for case in FRAMES["refused"]),
    *((case["name"], BEACON, case["bytes"]) for case in BEACONS["refused"]),
]


def proven(entry: bytes) -> bool:
    """Whether this is an entry that its author signed."""
    try:
        header = ENTRY.decode(entry)
        author, signature, payload = given(header, "author", "signature", "payload")
        Ed25519PublicKey.from_public_bytes(author).verify(signature, tag("TIDE1 entry sig") + entry[:208])
    except (RefusedError, InvalidSignature):
        return False
    return bool(hashlib.sha256(tag("TIDE1 payload") + payload).hexdigest() == header["payload_hash"])


@pytest.mark.parametrize(("layout", "data", "fields"), [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_bytes_are_their_fields_and_fields_their_bytes(layout: Layout, data: str, fields: Any) -> None:
    assert layout.decode(bytes.fromhex(data)) == fields
    assert layout.write(fields).hex() == data


@pytest.mark.parametrize(("layout", "data"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_other_bytes_are_refused(layout: Layout, data: str) -> None:
    with pytest.raises(RefusedError):
        layout.decode(bytes.fromhex(data))


def test_every_operation_and_every_body_has_its_fields() -> None:
    assert DIRECTORY["bodies"].keys() == DIRECTORY["fields"].keys()
    assert len(DIRECTORY["bodies"]) == 16
    assert len({case["fields"]["frame"] for case in FRAMES["frames"]}) == 20


def test_a_certificate_is_signed_by_its_device_for_its_user() -> None:
    case = DIRECTORY["certificate"]
    workspace, user, data = given(case, "workspace", "user", "bytes")
    assert CERTIFICATE.decode(data) == case["fields"]
    device, signature = given(case["fields"], "sign_pk", "self_sig")
    assert hashlib.sha256(tag("TIDE1 user") + workspace + device).digest()[:16] == user
    key, signed = Ed25519PublicKey.from_public_bytes(device), tag("TIDE1 device crt") + workspace + user + data[:73]
    key.verify(signature, signed)
    with pytest.raises(InvalidSignature):
        key.verify(signature, signed[:-1] + b"\2")


@pytest.mark.parametrize("which", ["signed", "covered"])
def test_an_entry_has_its_fields_and_its_id(which: str) -> None:
    case = ENTRIES[which]
    (data,) = given(case, "bytes")
    entry = ENTRY.decode(data)
    assert (entry["flags"] & 1 != 0, entry["flags"] & 2 != 0) == (case["prunable"], case["covered"])
    assert {name: value for name, value in entry.items() if name in case} == {
        name: value for name, value in case.items() if name not in ("bytes", "id", "prunable", "covered")
    }
    assert hashlib.sha256(tag("TIDE1 entry id") + data[:272]).hexdigest() == case["id"]
    assert proven(data) == (which == "signed")


@pytest.mark.parametrize("case", ENTRIES["refused"], ids=lambda case: case["name"])
def test_what_its_author_did_not_sign_is_not_proven(case: dict[str, str]) -> None:
    assert not proven(bytes.fromhex(case["bytes"]))
