"""The primitives of `docs/format.md` over `hashlib` and `cryptography`, and the files of vectors."""

import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
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
    assert len(key) == 32 and derived[44:] == commitment
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
