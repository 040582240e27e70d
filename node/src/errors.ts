/**
 * The one error of this package, and the way every call takes into and out of the native module.
 */

/**
 * What went wrong, as far as a program should care; the same in every language.
 *
 * - `not_found`: What was named does not exist, such as an item, a user, a circle or an invite.
 * - `already_exists`: What was to be made is there already.
 * - `already_open`: Another process, or another handle, holds the workspace open.
 * - `wrong_key`: The passphrase, key or recovery words are wrong or missing.
 * - `not_a_workspace`: The folder holds no workspace, or no complete backup.
 * - `newer_format`: The workspace, backup or welcome was written by a newer version.
 * - `upgrade_needed`: A peer's entry needs a newer version of this library.
 * - `read_only`: The workspace can be read but not written.
 * - `restored`: This is a copy of a device, and can only be read until it has met a peer.
 * - `disk_full`: The disk is full.
 * - `io`: The operating system refused a file operation.
 * - `corrupt`: Bytes that were stored or handed over are not what was written.
 * - `too_large`: A value, transaction or message exceeds its limit, or there are too many of something.
 * - `invalid_argument`: An argument makes no sense, whatever the state.
 * - `invalid_value`: A value cannot be stored, or does not fit its type or model.
 * - `policy_conflict`: The collection exists with another merge policy.
 * - `not_authorized`: This user or device may not do it: its role does not allow it, or it is not in the circle.
 * - `not_admitted`: The device is no member of the workspace: not admitted yet, or removed.
 * - `invite_invalid`: The invite link, request or welcome is malformed, or not meant for this device.
 * - `invite_expired`: The invite was withdrawn, is used up or has expired.
 * - `timeout`: It took longer than allowed.
 * - `relay_refused`: The relay refuses to serve, or nothing vouches for its key.
 * - `network`: The peer cannot be reached, or the connection broke.
 * - `protocol`: The peer does not keep to the protocol.
 * - `quota_exceeded`: A quota of the relay is used up.
 * - `closed`: The workspace was shut down, or the link, transaction or call was ended.
 * - `internal`: A bug in this library.
 * - `forked`: The process was forked after the engine had started; only the parent can go on.
 */
export type ErrorCode =
  | 'not_found' | 'already_exists' | 'already_open' | 'wrong_key' | 'not_a_workspace' | 'newer_format'
  | 'upgrade_needed' | 'read_only' | 'restored' | 'disk_full' | 'io' | 'corrupt' | 'too_large' | 'invalid_argument'
  | 'invalid_value' | 'policy_conflict' | 'not_authorized' | 'not_admitted' | 'invite_invalid' | 'invite_expired'
  | 'timeout' | 'relay_refused' | 'network' | 'protocol' | 'quota_exceeded' | 'closed' | 'internal' | 'forked'

/** Why a call failed: a `code` for programs, a `message` for people. */
export class TidelogError extends Error {
  static {
    this.prototype.name = 'TidelogError'
  }

  /** What went wrong. */
  readonly code: ErrorCode

  /** An error as calls reject with; `options.cause` is what led to it. */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** An argument that makes no sense. */
export function invalidArgument(message: string): TidelogError {
  return new TidelogError('invalid_argument', message)
}

/** Makes a call that answers at once. */
export function now<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw known(error)
  }
}

/** Makes a call that is promised. What the native module throws at once is a rejection, too. */
export async function later<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw known(error)
  }
}

/** What Node-API says of an argument of the wrong type, and of a panic. */
const WRONG_TYPE = /^(InvalidArg|[A-Z]\w+Expected)$/
const PANIC = 'GenericFailure'

/** The error of a call: the native module writes `code`, NUL, reason into the message. */
export function known(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof TidelogError) return error
  const end = error.message.indexOf('\0')
  if (end > 0) return new TidelogError(error.message.slice(0, end) as ErrorCode, error.message.slice(end + 1))
  const { code } = error as { code?: unknown }
  if (code === PANIC) {
    return new TidelogError('internal', 'a bug in the engine stopped this call; please report it', { cause: error })
  }
  const wrongType = typeof code === 'string' && WRONG_TYPE.test(code)
  return wrongType ? invalidArgument(wrongTypeIn(error.message)) : error
}

/** What the native module says of an argument of the wrong type, without the argument: that may be application data. */
function wrongTypeIn(message: string): string {
  const [, given, wanted] = /JavaScript value `(\w+).*` into rust type `(\w+)`/s.exec(message) ?? []
  if (given === undefined) return 'an argument has the wrong type'
  return `an argument has the wrong type: ${given.toLowerCase()} instead of ${wanted === 'String' ? 'text' : wanted}`
}

/** A whole number that is not negative, and at most `most`. */
export function whole(name: string, value: number, most = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || value < 0 || value > most) {
    throw invalidArgument(`\`${name}\` is a whole number from 0 to ${most}, not ${value}`)
  }
  return value
}

/** The most that crosses the boundary as a 32-bit count: items, positions. */
export const COUNT_MAX = 2 ** 32 - 1

/** A count that may be missing. */
export function count(name: string, value: number | undefined): number | undefined {
  return value === undefined ? undefined : whole(name, value, COUNT_MAX)
}
