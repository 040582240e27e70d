"""The published handshakes of `noise.json`, played over `cryptography`: the channel of `docs/protocol.md`."""

import hashlib
import hmac
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from host_crypto import expand, vectors

PATTERNS = {
    "Noise_NK_25519_AESGCM_SHA256": ("e es", "e ee"),
    "Noise_NNpsk0_25519_AESGCM_SHA256": ("psk e", "e ee"),
}


class Cipher:
    def __init__(self, key: bytes) -> None:
        self.aead, self.count = AESGCM(key), 0

    def nonce(self) -> bytes:
        self.count += 1
        return (self.count - 1).to_bytes(12, "big")

    def seal(self, plain: bytes, bound: bytes = b"") -> bytes:
        return self.aead.encrypt(self.nonce(), plain, bound)

    def open(self, sealed: bytes, bound: bytes = b"") -> bytes:
        return self.aead.decrypt(self.nonce(), sealed, bound)


class Party:
    """One side of a handshake."""

    def __init__(self, vector: dict[str, Any], side: str) -> None:
        def given(name: str) -> bytes:
            return bytes.fromhex(vector.get(f"{side}_{name}", ""))

        self.hash = self.chain = vector["protocol_name"].encode().ljust(32, b"\0")
        self.psk = bytes.fromhex(vector.get(f"{side}_psks", [""])[0])
        self.ephemeral = X25519PrivateKey.from_private_bytes(given("ephemeral"))
        self.static = X25519PrivateKey.from_private_bytes(given("static")) if given("static") else None
        self.remote_static = given("remote_static")
        self.remote_ephemeral = b""
        self.mix_hash(given("prologue"))
        if self.static or self.remote_static:
            self.mix_hash(self.static.public_key().public_bytes_raw() if self.static else self.remote_static)

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        keys = expand(hmac.digest(self.chain, secret, "sha256"), b"", 64)
        self.chain, self.cipher = keys[:32], Cipher(keys[32:])

    def mix_psk(self) -> None:
        keys = expand(hmac.digest(self.chain, self.psk, "sha256"), b"", 96)
        self.chain, self.cipher = keys[:32], Cipher(keys[64:])
        self.mix_hash(keys[32:64])

    def mix_ephemeral(self, key: bytes) -> None:
        self.mix_hash(key)
        if self.psk:
            self.mix_key(key)

    def agree(self, token: str) -> None:
        own = self.static if token == "es" and self.static else self.ephemeral
        other = self.remote_static if token == "es" and self.remote_static else self.remote_ephemeral
        self.mix_key(own.exchange(X25519PublicKey.from_public_bytes(other)))

    def write(self, tokens: str, payload: bytes) -> bytes:
        own = self.ephemeral.public_key().public_bytes_raw()
        for token in tokens.split():
            if token == "psk":
                self.mix_psk()
            elif token == "e":
                self.mix_ephemeral(own)
            else:
                self.agree(token)
        sealed = self.cipher.seal(payload, self.hash)
        self.mix_hash(sealed)
        return own + sealed

    def read(self, tokens: str, message: bytes) -> bytes:
        self.remote_ephemeral, sealed = message[:32], message[32:]
        for token in tokens.split():
            if token == "psk":
                self.mix_psk()
            elif token == "e":
                self.mix_ephemeral(self.remote_ephemeral)
            else:
                self.agree(token)
        payload = self.cipher.open(sealed, self.hash)
        self.mix_hash(sealed)
        return payload

    def channel(self) -> list[Cipher]:
        """What the initiator sends under, and what the responder does."""
        keys = expand(hmac.digest(self.chain, b"", "sha256"), b"", 64)
        return [Cipher(keys[:32]), Cipher(keys[32:])]


@pytest.mark.parametrize("vector", vectors("noise.json")["vectors"], ids=lambda vector: vector["protocol_name"])
def test_both_sides_make_the_published_messages(vector: dict[str, Any]) -> None:
    parties = [Party(vector, "init"), Party(vector, "resp")]
    messages = [(bytes.fromhex(message["payload"]), message["ciphertext"]) for message in vector["messages"]]
    for turn, tokens in enumerate(PATTERNS[vector["protocol_name"]]):
        payload, published = messages[turn]
        message = parties[turn].write(tokens, payload)
        assert message.hex() == published
        assert parties[1 - turn].read(tokens, message) == payload
    assert [party.hash.hex() for party in parties] == [vector["handshake_hash"]] * 2

    channels = [party.channel() for party in parties]
    for turn, (payload, published) in enumerate(messages[2:]):
        sender, receiver = turn % 2, 1 - turn % 2
        message = channels[sender][sender].seal(payload)
        assert message.hex() == published
        assert channels[receiver][sender].open(message) == payload
    with pytest.raises(InvalidTag):
        channels[0][0].open(message)
