"""Project Wycheproof against the primitives that the other vectors are checked with."""

import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from host_crypto import VECTORS, expand, given, open_cobblestone

Case = dict[str, Any]


def cases(name: str) -> Iterator[tuple[Case, Case]]:
    """Each test of a file, with its group."""
    file = json.loads((VECTORS / "wycheproof" / name).read_text(encoding="utf-8"))
    found = [(group, case) for group in file["testGroups"] for case in group["tests"]]
    assert len(found) == file["numberOfTests"]
    yield from found


def attempt(call: Callable[..., bytes], *given: Any) -> bytes | None:
    try:
        return call(*given)
    except (AssertionError, InvalidTag, ValueError):
        return None


def test_aes_256_gcm_opens_what_is_valid() -> None:
    run = 0
    for group, case in cases("aes_gcm_test.json"):
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
            continue
        run += 1
        key, nonce, aad, message, text, mac = given(case, "key", "iv", "aad", "msg", "ct", "tag")
        opened = attempt(AESGCM(key).decrypt, nonce, text + mac, aad)
        assert opened == (message if case["result"] == "valid" else None), case
    assert run == 66


def test_ed25519_verifies_what_is_valid() -> None:
    for group, case in cases("ed25519_test.json"):
        (key,) = given(group["publicKey"], "pk")
        message, signature = given(case, "msg", "sig")
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            assert case["result"] == "valid", case
        except InvalidSignature:
            assert case["result"] == "invalid", case


def test_x25519_agrees_or_refuses_what_does_not_contribute() -> None:
    for _, case in cases("x25519_test.json"):
        secret, public, shared = given(case, "private", "public", "shared")
        own, other = X25519PrivateKey.from_private_bytes(secret), X25519PublicKey.from_public_bytes(public)
        assert attempt(own.exchange, other) == (None if "ZeroSharedSecret" in case["flags"] else shared), case


@pytest.mark.parametrize(("digest", "file"), [("sha256", "hmac_sha256_test.json"), ("sha512", "hmac_sha512_test.json")])
def test_hmac_agrees(digest: str, file: str) -> None:
    for _, case in cases(file):
        key, message, mac = given(case, "key", "msg", "tag")
        assert (hmac.digest(key, message, digest)[: len(mac)] == mac) == (case["result"] == "valid"), case


def test_hkdf_agrees_and_ends() -> None:
    for _, case in cases("hkdf_sha256_test.json"):
        secret, salt, info, output = given(case, "ikm", "salt", "info", "okm")
        made = expand(hmac.digest(salt, secret, "sha256"), info, case["size"])
        assert made == output if case["result"] == "valid" else len(made) < case["size"], case


def test_cobblestone_opens_what_is_valid() -> None:
    for _, case in cases("c2sp_chunked_encryption_aes_256_gcm_test.json"):
        key, context, packed = given(case, "key", "ctx", "ct")
        opened = attempt(open_cobblestone, key, context, zlib.decompress(packed))
        assert (opened is not None) == (case["result"] == "valid"), case
        if opened is not None:
            assert hashlib.sha512(opened).hexdigest() == case["msgSha512"], case
