package io.tidelog

import io.tidelog.internal.ErrorKind
import io.tidelog.internal.Failure
import io.tidelog.internal.Key as NativeKey
import io.tidelog.internal.KeyStore as NativeKeyStore

/** What opens a workspace on this device. */
public class Key private constructor(private val make: () -> NativeKey) {
    internal suspend fun <R> use(action: suspend (NativeKey) -> R): R {
        val key = native { make() }
        try {
            return action(key)
        } finally {
            key.destroy()
        }
    }

    /** Nothing of the key. */
    override fun toString(): String = "Key(..)"

    internal suspend fun <R> useWith(other: Key?, action: suspend (NativeKey, NativeKey?) -> R): R =
        use { first -> other.useIfAny { second -> action(first, second) } }

    /** Makes keys. */
    public companion object {
        /** A passphrase, stretched before it is used. */
        public fun passphrase(passphrase: String): Key = Key { NativeKey.passphrase(passphrase) }

        /** 32 random bytes that the application keeps safe. */
        public fun raw(bytes: ByteArray): Key {
            val kept = bytes.copyOf()
            return Key { NativeKey.raw(kept) }
        }

        /**
         * The key that a store of the platform keeps. Making or joining a workspace makes a key first, if the store
         * has none; opening one whose key the store has lost fails with [TidelogException.WrongKey].
         */
        public fun fromStore(store: KeyStore): Key = Key { NativeKey.fromStore(NativeStore(store)) }
    }
}

/** Does the same with a key or without one. */
internal suspend fun <R> Key?.useIfAny(action: suspend (NativeKey?) -> R): R =
    if (this == null) action(null) else use { action(it) }

/**
 * A place of the platform that keeps one key of 32 bytes: the Android Keystore, a keychain, a file that only the
 * service can read.
 *
 * Both are called on a thread that may block. What they throw becomes a [TidelogException.Io].
 */
public interface KeyStore {
    /** The key, or null if there is none yet. */
    public fun load(): ByteArray?

    /** Keeps a key, safely before this returns: what it opens is written afterwards. */
    public fun store(key: ByteArray)
}

private class NativeStore(private val store: KeyStore) : NativeKeyStore {
    override fun load(): ByteArray? = guard { store.load() }

    override fun store(key: ByteArray): Unit = guard { store.store(key) }

    /** Messages of the platform may quote what they should not: only the class is told. */
    private inline fun <R> guard(call: () -> R): R = try {
        call()
    } catch (error: Exception) {
        throw Failure.Failed(ErrorKind.IO, "the key store failed with ${error.javaClass.name}")
    }
}
