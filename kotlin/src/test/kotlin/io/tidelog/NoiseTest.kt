package io.tidelog

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.MethodSource
import java.nio.ByteBuffer

/** The published handshakes of `noise.json`, played over `javax.crypto`: the channel of `docs/protocol.md`. */
internal class NoiseTest {
    private class Cipher(private val key: ByteArray) {
        private var count = 0L

        private fun nonce(): ByteArray = ByteBuffer.allocate(12).putLong(4, count++).array()

        fun seal(plain: ByteArray, bound: ByteArray = NONE): ByteArray = sealGcm(key, nonce(), plain, bound)

        fun open(sealed: ByteArray, bound: ByteArray = NONE): ByteArray = openGcm(key, nonce(), sealed, bound)
    }

    /** One side of a handshake. */
    private class Party(vector: JsonObject, side: String) {
        private val given = { name: String -> vector["${side}_$name"]?.let { hex(it.jsonPrimitive.content) } ?: NONE }
        private val psk = vector["${side}_psks"]?.let { hex(it.jsonArray[0].jsonPrimitive.content) }
        private val ephemeral = given("ephemeral")
        private val static = given("static")
        private val remoteStatic = given("remote_static")
        private var remoteEphemeral = NONE
        private var chain = vector.text("protocol_name").encodeToByteArray().copyOf(32)
        private var cipher = Cipher(NONE)
        var hash: ByteArray = chain
            private set

        init {
            mixHash(given("prologue"))
            val known = if (static.isEmpty()) remoteStatic else x25519Public(static)
            if (known.isNotEmpty()) mixHash(known)
        }

        private fun mixHash(data: ByteArray) {
            hash = sha256(hash + data)
        }

        private fun mixKey(secret: ByteArray) {
            val keys = expand(hmac(chain, secret), NONE, 64)
            chain = keys.copyOf(32)
            cipher = Cipher(keys.copyOfRange(32, 64))
        }

        private fun mixPsk(psk: ByteArray) {
            val keys = expand(hmac(chain, psk), NONE, 96)
            chain = keys.copyOf(32)
            mixHash(keys.copyOfRange(32, 64))
            cipher = Cipher(keys.copyOfRange(64, 96))
        }

        private fun mix(token: String, sent: ByteArray) {
            when (token) {
                "psk" -> mixPsk(psk!!)
                "e" -> {
                    mixHash(sent)
                    if (psk != null) mixKey(sent)
                }
                "es" -> mixKey(if (static.isEmpty()) exchange(ephemeral, remoteStatic) else exchange(static, remoteEphemeral))
                "ee" -> mixKey(exchange(ephemeral, remoteEphemeral))
            }
        }

        fun write(tokens: List<String>, payload: ByteArray): ByteArray {
            val own = x25519Public(ephemeral)
            tokens.forEach { mix(it, own) }
            val sealed = cipher.seal(payload, hash)
            mixHash(sealed)
            return own + sealed
        }

        fun read(tokens: List<String>, message: ByteArray): ByteArray {
            remoteEphemeral = message.copyOf(32)
            tokens.forEach { mix(it, remoteEphemeral) }
            val sealed = message.copyOfRange(32, message.size)
            return cipher.open(sealed, hash).also { mixHash(sealed) }
        }

        /** What the initiator sends under, and what the responder does. */
        fun channel(): List<Cipher> {
            val keys = expand(hmac(chain, NONE), NONE, 64)
            return listOf(Cipher(keys.copyOf(32)), Cipher(keys.copyOfRange(32, 64)))
        }
    }

    @ParameterizedTest
    @MethodSource("handshakes")
    fun `both sides make the published messages`(vector: JsonObject) {
        val parties = listOf(Party(vector, "init"), Party(vector, "resp"))
        val pattern = PATTERNS.getValue(vector.text("protocol_name"))
        val messages = vector.getValue("messages").jsonArray.map { it.jsonObject }
        pattern.forEachIndexed { turn, tokens ->
            val message = parties[turn].write(tokens, messages[turn].bytes("payload"))
            assertEquals(messages[turn].text("ciphertext"), hex(message))
            assertArrayEquals(messages[turn].bytes("payload"), parties[1 - turn].read(tokens, message))
        }
        for (party in parties) assertEquals(vector.text("handshake_hash"), hex(party.hash))

        val channels = parties.map(Party::channel)
        messages.drop(2).forEachIndexed { index, case ->
            val sender = index % 2
            val message = channels[sender][sender].seal(case.bytes("payload"))
            assertEquals(case.text("ciphertext"), hex(message))
            assertArrayEquals(case.bytes("payload"), channels[1 - sender][sender].open(message))
        }
    }

    companion object {
        private val NONE = ByteArray(0)
        private val PATTERNS = mapOf(
            "Noise_NK_25519_AESGCM_SHA256" to listOf(listOf("e", "es"), listOf("e", "ee")),
            "Noise_NNpsk0_25519_AESGCM_SHA256" to listOf(listOf("psk", "e"), listOf("e", "ee")),
        )

        @JvmStatic
        fun handshakes() = vectors("noise.json").getValue("vectors").jsonArray.map { it.jsonObject }
    }
}
