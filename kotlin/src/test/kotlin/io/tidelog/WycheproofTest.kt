package io.tidelog

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource
import java.io.ByteArrayInputStream
import java.security.GeneralSecurityException
import java.security.MessageDigest
import java.util.zip.InflaterInputStream

/** Project Wycheproof against the primitives that the other vectors are checked with. */
internal class WycheproofTest {
    /** Runs each test of a file, with its group. */
    private fun each(name: String, run: (JsonObject, JsonObject) -> Unit) {
        val file = vectors("wycheproof/$name")
        var count = 0
        for (group in file.getValue("testGroups").jsonArray.map { it.jsonObject }) {
            for (test in group.getValue("tests").jsonArray.map { it.jsonObject }) {
                run(test, group)
                count++
            }
        }
        assertEquals(file.number("numberOfTests"), count)
    }

    private fun JsonObject.number(field: String): Int = getValue(field).jsonPrimitive.int

    private val JsonObject.isValid: Boolean get() = text("result") == "valid"

    private fun attempt(call: () -> ByteArray): String? = try {
        hex(call())
    } catch (_: GeneralSecurityException) {
        null
    } catch (_: AssertionError) {
        null
    }

    @Test
    fun `AES-256-GCM opens what is valid`() {
        var run = 0
        each("aes_gcm_test.json") { test, group ->
            if (listOf("keySize", "ivSize", "tagSize").map { group.number(it) } != listOf(256, 96, 128)) return@each
            run++
            val sealed = test.bytes("ct") + test.bytes("tag")
            val opened = attempt { openGcm(test.bytes("key"), test.bytes("iv"), sealed, test.bytes("aad")) }
            assertEquals(if (test.isValid) test.text("msg") else null, opened, "$test")
        }
        assertEquals(66, run)
    }

    @Test
    fun `Ed25519 verifies what is valid`() = each("ed25519_test.json") { test, group ->
        val key = group.group("publicKey").bytes("pk")
        assertEquals(test.isValid, verifies(key, test.bytes("msg"), test.bytes("sig")), "$test")
    }

    @Test
    fun `X25519 agrees or refuses what does not contribute`() = each("x25519_test.json") { test, _ ->
        val isZero = JsonPrimitive("ZeroSharedSecret") in test.getValue("flags").jsonArray
        val shared = attempt { exchange(test.bytes("private"), test.bytes("public")) }
        assertEquals(if (isZero) null else test.text("shared"), shared, "$test")
    }

    @ParameterizedTest
    @ValueSource(strings = ["hmac_sha256_test.json", "hmac_sha512_test.json"])
    fun `HMAC agrees`(file: String) = each(file) { test, _ ->
        val made = hex(hmac(test.bytes("key"), test.bytes("msg"), if ("256" in file) "SHA256" else "SHA512"))
        assertEquals(test.isValid, made.startsWith(test.text("tag")), "$test")
    }

    @Test
    fun `HKDF agrees and ends`() = each("hkdf_sha256_test.json") { test, _ ->
        val made = expand(hmac(test.bytes("salt"), test.bytes("ikm")), test.bytes("info"), test.number("size"))
        if (test.isValid) assertEquals(test.text("okm"), hex(made)) else assertTrue(made.size < test.number("size"))
    }

    @Test
    fun `Cobblestone opens what is valid`() = each("c2sp_chunked_encryption_aes_256_gcm_test.json") { test, _ ->
        val sealed = InflaterInputStream(ByteArrayInputStream(test.bytes("ct"))).readAllBytes()
        val digest = attempt {
            MessageDigest.getInstance("SHA-512").digest(openCobblestone(test.bytes("key"), test.bytes("ctx"), sealed))
        }
        assertEquals(if (test.isValid) test.text("msgSha512") else null, digest, "$test")
    }
}
