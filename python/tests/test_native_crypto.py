"""Keys, payloads and entries of the golden vectors, checked without a line of Tidelog.

Whoever has the keys can read a log with ordinary tools: this is `docs/format.md` over `hashlib` and `cryptography`.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
HEADER_LEN = 272
CONTEXT_LEN = 176
SIGNED_LEN = 208
VAULT_HEADER_LEN = 38
CHUNK_LEN = 16 * 1024 + 16


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def tag(text: str) -> bytes:
    return text.encode("ascii").ljust(16, b"\0")


def expand(key: bytes, info: bytes, length: int = 32, digest: str = "sha256") -> bytes:
    output = block = b""
    for counter in range(1, 256):
        if len(output) >= length:
            break
        block = hmac.digest(key, block + info + bytes([counter]), digest)
        output += block
    return output[:length]


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return expand(hmac.digest(salt, secret, "sha256"), info)


def open_cobblestone(key: bytes, context: bytes, sealed: bytes) -> bytes:
    salt, commitment, chunks = sealed[:24], sealed[24:56], sealed[56:]
    label = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
    derived = expand(key, label + salt + context, 76, "sha512")
    assert derived[44:] == commitment
    plaintext = b""
    for number in range(len(chunks) // CHUNK_LEN + 1):
        chunk = chunks[number * CHUNK_LEN : (number + 1) * CHUNK_LEN]
        nonce = int.from_bytes(derived[32:44], "big") ^ number
        plaintext += AESGCM(derived[:32]).decrypt(nonce.to_bytes(12, "big"), chunk, b"")
    return plaintext


def open_hpke(secret: X25519PrivateKey, info: bytes, enc: bytes, sealed: bytes) -> bytes:
    """RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"

    def extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + suite + label + secret, "sha256")

    def labelled(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)

    shared = secret.exchange(X25519PublicKey.from_public_bytes(enc))
    recipient = secret.public_key().public_bytes_raw()
    shared = labelled(kem, extract(kem, b"", b"eae_prk", shared), b"shared_secret", enc + recipient, 32)
    context = b"\0" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    schedule = extract(suite, shared, b"secret", b"")
    key = labelled(suite, schedule, b"key", context, 32)
    return AESGCM(key).decrypt(labelled(suite, schedule, b"base_nonce", context, 12), sealed, b"")


def device_keys(seed: bytes, workspace: bytes, incarnation: bytes) -> tuple[Ed25519PrivateKey, X25519PrivateKey]:
    salt = workspace + incarnation
    sign = Ed25519PrivateKey.from_private_bytes(hkdf(seed, salt, tag("TIDE1 dev sign")))
    return sign, X25519PrivateKey.from_private_bytes(hkdf(seed, salt, tag("TIDE1 dev kem")))


def given(group: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(group[name]) for name in names]


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
