"""Keys, payloads and entries of the golden vectors, checked without a line of Tidelog.

Whoever has the keys can read a log with ordinary tools: this is `docs/format.md` over `hashlib` and `cryptography`.
"""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from host_crypto import device_keys, expand, given, hkdf, open_cobblestone, open_hpke, tag, vectors

HEADER_LEN = 272
CONTEXT_LEN = 176
SIGNED_LEN = 208
VAULT_HEADER_LEN = 38


def test_device_keys_follow_from_the_seed() -> None:
    group = vectors("keys.json")["device"]
    seed, workspace, incarnation, device = given(group, "seed", "workspace", "incarnation", "device")
    sign, kem = device_keys(seed, workspace, incarnation)
    assert sign.public_key().public_bytes_raw() == device
    assert kem.public_key().public_bytes_raw().hex() == group["kem_pk"]
    assert hkdf(seed, workspace, tag("TIDE1 dev local")).hex() == group["local_key"]
    assert hashlib.sha256(tag("TIDE1 user") + workspace + device).digest()[:16].hex() == group["user"]
    assert sign.sign(b"").hex() == group["signature_of_empty"]


def test_root_keys_follow_from_the_root_secret() -> None:
    group = vectors("keys.json")["root"]
    (secret,) = given(group, "secret")
    sign = Ed25519PrivateKey.from_private_bytes(hkdf(secret, b"", tag("TIDE1 root sign")))
    kem = X25519PrivateKey.from_private_bytes(hkdf(secret, b"", tag("TIDE1 root kem")))
    assert sign.public_key().public_bytes_raw().hex() == group["sign_pk"]
    assert kem.public_key().public_bytes_raw().hex() == group["kem_pk"]


def test_an_epoch_key_has_its_derivations_and_opens_what_it_seals() -> None:
    keys = vectors("keys.json")
    group, device = keys["epoch"], keys["device"]
    key, workspace, circle, commit = given(group, "key", "workspace", "circle", "commit")
    key_id = hashlib.sha256(commit).digest()[:16]
    assert expand(key, tag("TIDE1 key commit")) == commit
    assert expand(key, tag("TIDE1 hedge")).hex() == group["hedge"]
    assert key_id.hex() == group["key_id"]

    place = workspace + circle + group["epoch"].to_bytes(4, "little") + key_id
    recipient, enc, sealed = given(group["wrap"], "recipient", "enc", "ct")
    _, kem = device_keys(*given(device, "seed", "workspace", "incarnation"))
    assert open_hpke(kem, tag("TIDE1 keywrap") + place + commit + recipient, enc, sealed) == key

    previous, previous_id, wrapped = given(group["previous"], "key", "key_id", "wrap")
    assert open_cobblestone(key, tag("TIDE1 prev wrap") + place + previous_id, wrapped) == previous

    name, wrapped = given(group["name"], "key", "wrap")
    assert open_cobblestone(key, tag("TIDE1 name wrap") + place, wrapped) == name
    assert expand(name, tag("TIDE1 name key")).hex() == group["name"]["commit"]
    assert expand(name, tag("TIDE1 peer psk")).hex() == group["name"]["psk"]
    for case in group["name"]["streams"]:
        stream = hmac.digest(name, tag("TIDE1 stream") + case["database"].encode(), "sha256")[:16]
        assert stream.hex() == case["stream"]


@pytest.mark.parametrize("kind", ["raw", "passphrase"])
def test_a_vault_opens(kind: str) -> None:
    group = vectors("keys.json")["vault"]
    (vault,) = given(group[kind], "bytes")
    header, sealed = vault[:VAULT_HEADER_LEN], vault[VAULT_HEADER_LEN:]
    if kind == "raw":
        (key,) = given(group[kind], "key")
    else:
        memory, passes, lanes = (int.from_bytes(header[at : at + 4], "little") for at in (10, 14, 18))
        stretch = Argon2id(salt=header[22:], length=32, iterations=passes, lanes=lanes, memory_cost=memory)
        key = stretch.derive(group[kind]["passphrase"].encode())
    life = given(group, "seed", "incarnation", "home")
    secrets = given(group, "root", "next_incarnation", "next_home")
    assert open_cobblestone(key, header, sealed) == b"".join(life) + b"\x03" + b"".join(secrets)


def test_payloads_open_to_their_plaintext() -> None:
    group = vectors("payload.json")
    (key,) = given(group, "key")
    for case in group["opened"]:
        context, payload = given(case, "context", "payload")
        assert open_cobblestone(key, tag("TIDE1 entry ctx") + context, payload).hex() == case["plaintext"], case["name"]


def test_an_entry_is_what_its_author_signed_and_opens() -> None:
    group = vectors("entry.json")
    entry, author, key_id = given(group["signed"], "bytes", "author", "key_id")
    header, payload = entry[:HEADER_LEN], entry[HEADER_LEN:]
    assert hashlib.sha256(tag("TIDE1 entry id") + header).digest().hex() == group["signed"]["id"]
    assert hashlib.sha256(tag("TIDE1 payload") + payload).digest() == header[CONTEXT_LEN:SIGNED_LEN]
    assert header[48:80] == author
    Ed25519PublicKey.from_public_bytes(author).verify(header[SIGNED_LEN:], tag("TIDE1 entry sig") + header[:SIGNED_LEN])

    key, operations = given(group, "epoch_key", "operations")
    assert hashlib.sha256(expand(key, tag("TIDE1 key commit"))).digest()[:16] == key_id
    plaintext = open_cobblestone(key, tag("TIDE1 entry ctx") + header[:CONTEXT_LEN], payload)
    real_len = int.from_bytes(plaintext[:4], "little")
    content, padding = plaintext[4 : 4 + real_len], plaintext[4 + real_len :]
    assert content == b"\x01" + int(group["hlc"]).to_bytes(8, "little") + operations
    assert padding == bytes(len(padding))
