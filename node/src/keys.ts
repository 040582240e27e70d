/**
 * Stores of the platform that keep keys.
 */
import * as native from '../native.js'

/**
 * A place that keeps one key of 32 bytes, such as the keychain of the system. Making or joining a workspace makes the
 * key, if there is none; opening one without its key is `wrong_key`.
 */
export interface KeyStore {
  /** The key, or nothing if there is none. */
  load(): Uint8Array | null | undefined | Promise<Uint8Array | null | undefined>
  /** Keeps a key, safely before the promise resolves: what it opens is written afterwards. */
  store(key: Uint8Array): void | Promise<void>
}

/** Whether a value can load and store a key. */
export function isKeyStore(value: unknown): value is KeyStore {
  const { load, store } = (value ?? {}) as Partial<KeyStore>
  return typeof load === 'function' && typeof store === 'function'
}

/** The store as the native module asks it: with nothing for the key, or with a key to keep. */
export function asked(keys: KeyStore): native.KeyStore {
  const asked = new native.KeyStore((key) => {
    const answer = async () => {
      if (key !== null) return void (await keys.store(key))
      return await keys.load()
    }
    answer().then(
      (found) => {
        if (found == null || found instanceof Uint8Array) asked.answer(found ?? null)
        else asked.fail('it gave something else than bytes')
      },
      (error: unknown) => asked.fail(error instanceof Error ? error.message : String(error)),
    )
  })
  return asked
}
