/**
 * The one error of this package, and the way every call takes into and out of the native module.
 */

/** What went wrong, as far as a program should care; the same in every language. */
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
