package io.tidelog

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * Keys, payloads and entries of the golden vectors, checked without a line of Tidelog: this is `docs/format.md` over
 * `java.security` and `javax.crypto`. The JDK has no Argon2id, so the vault with a passphrase is not opened here.
 */
internal class CryptoTest {
    private val keys = vectors("keys.json")

    private fun kemSecret(group: JsonObject): ByteArray =
        hkdf(group.bytes("seed"), group.bytes("workspace") + group.bytes("incarnation"), tag("TIDE1 dev kem"))

    @Test
    fun `device keys follow from the seed`() {
        val group = keys.group("device")
        val salt = group.bytes("workspace") + group.bytes("incarnation")
        val signing = hkdf(group.bytes("seed"), salt, tag("TIDE1 dev sign"))
        val signature = sign(signing, ByteArray(0))
        assertEquals(group.text("signature_of_empty"), hex(signature))
        assertTrue(verifies(group.bytes("device"), ByteArray(0), signature))
        assertEquals(group.text("kem_pk"), hex(x25519Public(kemSecret(group))))
        assertEquals(group.text("local_key"), hex(hkdf(group.bytes("seed"), group.bytes("workspace"), tag("TIDE1 dev local"))))
        val user = sha256(tag("TIDE1 user") + group.bytes("workspace") + group.bytes("device"))
        assertEquals(group.text("user"), hex(user.copyOf(16)))
    }

    @Test
    fun `root keys follow from the root secret`() {
        val group = keys.group("root")
        val signing = hkdf(group.bytes("secret"), ByteArray(0), tag("TIDE1 root sign"))
        assertTrue(verifies(group.bytes("sign_pk"), byteArrayOf(1), sign(signing, byteArrayOf(1))))
        val kem = hkdf(group.bytes("secret"), ByteArray(0), tag("TIDE1 root kem"))
        assertEquals(group.text("kem_pk"), hex(x25519Public(kem)))
    }

    @Test
    fun `an epoch key has its derivations and opens what it seals`() {
        val group = keys.group("epoch")
        val key = group.bytes("key")
        val commit = group.bytes("commit")
        val keyId = sha256(commit).copyOf(16)
        assertArrayEquals(commit, expand(key, tag("TIDE1 key commit")))
        assertEquals(group.text("hedge"), hex(expand(key, tag("TIDE1 hedge"))))
        assertEquals(group.text("key_id"), hex(keyId))

        val place = group.bytes("workspace") + group.bytes("circle") +
            le32(group.getValue("epoch").jsonPrimitive.int) + keyId
        val wrap = group.group("wrap")
        val info = tag("TIDE1 keywrap") + place + commit + wrap.bytes("recipient")
        assertArrayEquals(key, openHpke(kemSecret(keys.group("device")), info, wrap.bytes("enc"), wrap.bytes("ct")))

        val previous = group.group("previous")
        val context = tag("TIDE1 prev wrap") + place + previous.bytes("key_id")
        assertArrayEquals(previous.bytes("key"), openCobblestone(key, context, previous.bytes("wrap")))

        val name = group.group("name")
        val nameKey = name.bytes("key")
        assertArrayEquals(nameKey, openCobblestone(key, tag("TIDE1 name wrap") + place, name.bytes("wrap")))
        assertEquals(name.text("commit"), hex(expand(nameKey, tag("TIDE1 name key"))))
        assertEquals(name.text("psk"), hex(expand(nameKey, tag("TIDE1 peer psk"))))
        for (case in name.getValue("streams").jsonArray.map { it.jsonObject }) {
            val stream = hmac(nameKey, tag("TIDE1 stream") + case.text("database").toByteArray())
            assertEquals(case.text("stream"), hex(stream.copyOf(16)))
        }
    }

    @Test
    fun `a vault under a raw key opens`() {
        val group = keys.group("vault")
        val vault = group.group("raw").bytes("bytes")
        val header = vault.copyOf(VAULT_HEADER_LEN)
        val content = openCobblestone(group.group("raw").bytes("key"), header, vault.copyOfRange(header.size, vault.size))
        val life = group.bytes("seed") + group.bytes("incarnation") + group.bytes("home")
        val secrets = group.bytes("root") + group.bytes("next_incarnation") + group.bytes("next_home")
        assertArrayEquals(life + 3 + secrets, content)
    }

    @Test
    fun `payloads open to their plaintext`() {
        val group = vectors("payload.json")
        for (case in group.getValue("opened").jsonArray.map { it.jsonObject }) {
            val context = tag("TIDE1 entry ctx") + case.bytes("context")
            val plaintext = openCobblestone(group.bytes("key"), context, case.bytes("payload"))
            assertEquals(case.text("plaintext"), hex(plaintext), case.text("name"))
        }
    }

    @Test
    fun `an entry is what its author signed and opens`() {
        val group = vectors("entry.json")
        val signed = group.group("signed")
        val entry = signed.bytes("bytes")
        val header = entry.copyOf(HEADER_LEN)
        val payload = entry.copyOfRange(HEADER_LEN, entry.size)
        assertEquals(signed.text("id"), hex(sha256(tag("TIDE1 entry id") + header)))
        assertArrayEquals(header.copyOfRange(CONTEXT_LEN, SIGNED_LEN), sha256(tag("TIDE1 payload") + payload))
        assertArrayEquals(signed.bytes("author"), header.copyOfRange(48, 80))
        val message = tag("TIDE1 entry sig") + header.copyOf(SIGNED_LEN)
        assertTrue(verifies(signed.bytes("author"), message, header.copyOfRange(SIGNED_LEN, HEADER_LEN)))

        val key = group.bytes("epoch_key")
        assertEquals(signed.text("key_id"), hex(sha256(expand(key, tag("TIDE1 key commit"))).copyOf(16)))
        val plaintext = openCobblestone(key, tag("TIDE1 entry ctx") + header.copyOf(CONTEXT_LEN), payload)
        val length = ByteBuffer.wrap(plaintext).order(ByteOrder.LITTLE_ENDIAN).getInt()
        val content = byteArrayOf(1) + le64(group.text("hlc").toULong()) + group.bytes("operations")
        assertArrayEquals(content, plaintext.copyOfRange(4, 4 + length))
        assertTrue(plaintext.drop(4 + length).all { it == 0.toByte() })
    }

    private companion object {
        const val HEADER_LEN = 272
        const val CONTEXT_LEN = 176
        const val SIGNED_LEN = 208
        const val VAULT_HEADER_LEN = 38
    }
}
