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
import java.security.KeyFactory
import java.security.MessageDigest
import java.security.PrivateKey
import java.security.PublicKey
import java.security.Signature
import java.security.spec.PKCS8EncodedKeySpec
import java.security.spec.X509EncodedKeySpec
import java.util.HexFormat
import javax.crypto.Cipher
import javax.crypto.KeyAgreement
import javax.crypto.Mac
import javax.crypto.spec.GCMParameterSpec
import javax.crypto.spec.SecretKeySpec

/**
 * Keys, payloads and entries of the golden vectors, checked without a line of Tidelog: this is `docs/format.md` over
 * `java.security` and `javax.crypto`. The JDK has no Argon2id, so the vault with a passphrase is not opened here.
 */
internal class CryptoTest {
    private fun hex(text: String): ByteArray = HexFormat.of().parseHex(text)

    private fun hex(bytes: ByteArray): String = HexFormat.of().formatHex(bytes)

    private fun JsonObject.bytes(field: String): ByteArray = hex(text(field))

    private fun JsonObject.group(field: String): JsonObject = getValue(field).jsonObject

    private fun tag(text: String): ByteArray = text.toByteArray(Charsets.US_ASCII).copyOf(16)

    private fun sha256(bytes: ByteArray): ByteArray = MessageDigest.getInstance("SHA-256").digest(bytes)

    private fun hmac(key: ByteArray, data: ByteArray, digest: String = "SHA256"): ByteArray =
        Mac.getInstance("Hmac$digest").run {
            // The JDK refuses an empty key; a zero byte is padded to the same block.
            init(SecretKeySpec(if (key.isEmpty()) ByteArray(1) else key, algorithm))
            doFinal(data)
        }

    private fun expand(key: ByteArray, info: ByteArray, length: Int = 32, digest: String = "SHA256"): ByteArray {
        var output = ByteArray(0)
        var block = ByteArray(0)
        var counter = 1
        while (output.size < length) {
            block = hmac(key, block + info + counter++.toByte(), digest)
            output += block
        }
        return output.copyOf(length)
    }

    private fun hkdf(secret: ByteArray, salt: ByteArray, info: ByteArray): ByteArray = expand(hmac(salt, secret), info)

    private fun openGcm(key: ByteArray, nonce: ByteArray, sealed: ByteArray): ByteArray =
        Cipher.getInstance("AES/GCM/NoPadding").run {
            init(Cipher.DECRYPT_MODE, SecretKeySpec(key, "AES"), GCMParameterSpec(128, nonce))
            doFinal(sealed)
        }

    private fun openCobblestone(key: ByteArray, context: ByteArray, sealed: ByteArray): ByteArray {
        val salt = sealed.copyOf(24)
        val label = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\u0000".toByteArray(Charsets.US_ASCII)
        val derived = expand(key, label + salt + context, 76, "SHA512")
        assertArrayEquals(sealed.copyOfRange(24, 56), derived.copyOfRange(44, 76), "the commitment to the key")
        val chunks = sealed.copyOfRange(56, sealed.size)
        var plaintext = ByteArray(0)
        for (number in 0..chunks.size / CHUNK_LEN) {
            val nonce = derived.copyOfRange(32, 44)
            val low = ByteBuffer.wrap(nonce, 8, 4)
            low.putInt(8, low.getInt(8) xor number)
            val end = minOf((number + 1) * CHUNK_LEN, chunks.size)
            plaintext += openGcm(derived.copyOf(32), nonce, chunks.copyOfRange(number * CHUNK_LEN, end))
        }
        return plaintext
    }

    private fun privateKey(algorithm: String, seed: ByteArray): PrivateKey {
        val prefix = hex(if (algorithm == "Ed25519") ED25519_PRIVATE else X25519_PRIVATE)
        return KeyFactory.getInstance(algorithm).generatePrivate(PKCS8EncodedKeySpec(prefix + seed))
    }

    private fun publicKey(algorithm: String, bytes: ByteArray): PublicKey {
        val prefix = hex(if (algorithm == "Ed25519") ED25519_PUBLIC else X25519_PUBLIC)
        return KeyFactory.getInstance(algorithm).generatePublic(X509EncodedKeySpec(prefix + bytes))
    }

    private fun sign(seed: ByteArray, message: ByteArray): ByteArray = Signature.getInstance("Ed25519").run {
        initSign(privateKey("Ed25519", seed))
        update(message)
        sign()
    }

    private fun verifies(author: ByteArray, message: ByteArray, signature: ByteArray): Boolean =
        Signature.getInstance("Ed25519").run {
            initVerify(publicKey("Ed25519", author))
            update(message)
            verify(signature)
        }

    private fun exchange(secret: ByteArray, other: ByteArray): ByteArray = KeyAgreement.getInstance("X25519").run {
        init(privateKey("X25519", secret))
        doPhase(publicKey("X25519", other), true)
        generateSecret()
    }

    /** The public key is the product with the base point. */
    private fun x25519Public(secret: ByteArray): ByteArray = exchange(secret, ByteArray(32).also { it[0] = 9 })

    /** RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. */
    private fun openHpke(secret: ByteArray, info: ByteArray, enc: ByteArray, sealed: ByteArray): ByteArray {
        val kem = "KEM".toByteArray() + byteArrayOf(0, 0x20)
        val suite = "HPKE".toByteArray() + byteArrayOf(0, 0x20, 0, 1, 0, 2)
        val version = "HPKE-v1".toByteArray()
        fun extract(suite: ByteArray, salt: ByteArray, label: String, secret: ByteArray) =
            hmac(salt, version + suite + label.toByteArray() + secret)

        fun labelled(suite: ByteArray, key: ByteArray, label: String, info: ByteArray, length: Int) =
            expand(key, byteArrayOf(0, length.toByte()) + version + suite + label.toByteArray() + info, length)

        val none = ByteArray(0)
        val recipient = x25519Public(secret)
        val shared = labelled(kem, extract(kem, none, "eae_prk", exchange(secret, enc)), "shared_secret", enc + recipient, 32)
        val context = byteArrayOf(0) + extract(suite, none, "psk_id_hash", none) + extract(suite, none, "info_hash", info)
        val schedule = extract(suite, shared, "secret", none)
        val nonce = labelled(suite, schedule, "base_nonce", context, 12)
        return openGcm(labelled(suite, schedule, "key", context, 32), nonce, sealed)
    }

    private fun le32(number: Int): ByteArray =
        ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(number).array()

    private fun le64(number: ULong): ByteArray =
        ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(number.toLong()).array()

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
        const val CHUNK_LEN = 16 * 1024 + 16

        // What comes before the 32 bytes of a key in its ASN.1 form.
        const val ED25519_PRIVATE = "302e020100300506032b657004220420"
        const val ED25519_PUBLIC = "302a300506032b6570032100"
        const val X25519_PRIVATE = "302e020100300506032b656e04220420"
        const val X25519_PUBLIC = "302a300506032b656e032100"
    }
}
