package io.tidelog

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.KeyFactory
import java.security.MessageDigest
import java.security.PrivateKey
import java.security.PublicKey
import java.security.Signature
import java.security.SignatureException
import java.security.spec.PKCS8EncodedKeySpec
import java.security.spec.X509EncodedKeySpec
import java.util.HexFormat
import javax.crypto.AEADBadTagException
import javax.crypto.Cipher
import javax.crypto.KeyAgreement
import javax.crypto.Mac
import javax.crypto.spec.GCMParameterSpec
import javax.crypto.spec.SecretKeySpec

// The primitives of `docs/format.md` over `java.security` and `javax.crypto`.

private const val CHUNK_LEN = 16 * 1024 + 16

// What comes before the 32 bytes of a key in its ASN.1 form.
private const val ED25519_PRIVATE = "302e020100300506032b657004220420"
private const val ED25519_PUBLIC = "302a300506032b6570032100"
private const val X25519_PRIVATE = "302e020100300506032b656e04220420"
private const val X25519_PUBLIC = "302a300506032b656e032100"

internal fun hex(text: String): ByteArray = HexFormat.of().parseHex(text)

internal fun hex(bytes: ByteArray): String = HexFormat.of().formatHex(bytes)

internal fun JsonObject.bytes(field: String): ByteArray = hex(text(field))

internal fun JsonObject.group(field: String): JsonObject = getValue(field).jsonObject

internal fun tag(text: String): ByteArray = text.toByteArray(Charsets.US_ASCII).copyOf(16)

internal fun sha256(bytes: ByteArray): ByteArray = MessageDigest.getInstance("SHA-256").digest(bytes)

internal fun hmac(key: ByteArray, data: ByteArray, digest: String = "SHA256"): ByteArray =
    Mac.getInstance("Hmac$digest").run {
        // The JDK refuses an empty key; a zero byte is padded to the same block.
        init(SecretKeySpec(if (key.isEmpty()) ByteArray(1) else key, algorithm))
        doFinal(data)
    }

internal fun expand(key: ByteArray, info: ByteArray, length: Int = 32, digest: String = "SHA256"): ByteArray {
    var output = ByteArray(0)
    var block = ByteArray(0)
    var counter = 1
    while (output.size < length && counter < 256) {
        block = hmac(key, block + info + counter++.toByte(), digest)
        output += block
    }
    return output.copyOf(minOf(length, output.size))
}

internal fun hkdf(secret: ByteArray, salt: ByteArray, info: ByteArray): ByteArray = expand(hmac(salt, secret), info)

private fun gcm(mode: Int, key: ByteArray, nonce: ByteArray, input: ByteArray, bound: ByteArray): ByteArray =
    Cipher.getInstance("AES/GCM/NoPadding").run {
        init(mode, SecretKeySpec(key, "AES"), GCMParameterSpec(128, nonce))
        updateAAD(bound)
        doFinal(input)
    }

internal fun sealGcm(key: ByteArray, nonce: ByteArray, plain: ByteArray, bound: ByteArray): ByteArray =
    gcm(Cipher.ENCRYPT_MODE, key, nonce, plain, bound)

internal fun openGcm(key: ByteArray, nonce: ByteArray, sealed: ByteArray, bound: ByteArray = ByteArray(0)): ByteArray {
    // The JDK has a failure of its own for what is shorter than a tag.
    if (sealed.size < 16) throw AEADBadTagException("no tag")
    return gcm(Cipher.DECRYPT_MODE, key, nonce, sealed, bound)
}

internal fun openCobblestone(key: ByteArray, context: ByteArray, sealed: ByteArray): ByteArray {
    assertEquals(32, key.size)
    assertTrue(sealed.size >= 56, "salt and commitment")
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

internal fun sign(seed: ByteArray, message: ByteArray): ByteArray = Signature.getInstance("Ed25519").run {
    initSign(privateKey("Ed25519", seed))
    update(message)
    sign()
}

internal fun verifies(author: ByteArray, message: ByteArray, signature: ByteArray): Boolean =
    Signature.getInstance("Ed25519").run {
        initVerify(publicKey("Ed25519", author))
        update(message)
        try {
            // The JDK looks at the first 64 bytes of a longer one.
            signature.size == 64 && verify(signature)
        } catch (_: SignatureException) {
            false
        }
    }

internal fun exchange(secret: ByteArray, other: ByteArray): ByteArray = KeyAgreement.getInstance("X25519").run {
    init(privateKey("X25519", secret))
    doPhase(publicKey("X25519", other), true)
    generateSecret()
}

/** The public key is the product with the base point. */
internal fun x25519Public(secret: ByteArray): ByteArray = exchange(secret, ByteArray(32).also { it[0] = 9 })

/** RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. */
internal fun openHpke(secret: ByteArray, info: ByteArray, enc: ByteArray, sealed: ByteArray): ByteArray {
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

internal fun le32(number: Int): ByteArray =
    ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(number).array()

internal fun le64(number: ULong): ByteArray =
    ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(number.toLong()).array()
