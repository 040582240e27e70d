/**
 * What the engine logs, and what this package has to say beside it.
 */
import * as native from '../native.js'
import { now } from './errors.js'
import { pull } from './stream.js'

/** How much a log line matters, the gravest first. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'

/**
 * A line of the log. Holds no key that opens anything, no passphrase and no value; an item that the schema of its
 * collection refuses is named by collection and key.
 */
export interface LogLine {
  /** How much it matters. */
  readonly level: LogLevel
  /** The module it comes from. */
  readonly target: string
  /** What happened. */
  readonly text: string
}

interface Ear {
  readonly listener: (line: LogLine) => void
  readonly level: LogLevel
}

/** Who listens, for what the engine knows nothing of. */
const ears = new Set<Ear>()

/**
 * Calls back with every line that is logged from now on, down to a level: what the engine does, and with `warn` each
 * item that is left out because the schema of its collection refuses it. Gives the function that ends it. It does not
 * keep the process alive.
 */
export function onLog(listener: (line: LogLine) => void, level: LogLevel = 'info'): () => void {
  const source = now(() => native.logs(level))
  const ear: Ear = { listener, level }
  ears.add(ear)
  void follow(source, listener)
  return () => {
    ears.delete(ear)
    source.stop()
  }
}

/** Tells whoever listens of something that is not as it should be, and was dealt with. */
export function warn(text: string): void {
  const line: LogLine = { level: 'warn', target: 'tidelog', text }
  for (const { listener, level } of ears) {
    // A listener's bug is not the caller's.
    if (level !== 'error') queueMicrotask(() => listener(line))
  }
}

async function follow(source: native.Logs, listener: (line: LogLine) => void): Promise<void> {
  for (let event = await pull(source, 0); event !== null; event = await pull(source, 0)) {
    const { level, target, text, lagged } = event
    const line: LogLine =
      lagged == null
        ? { level: level as LogLevel, target: target!, text: text! }
        : { level: 'warn', target: 'tidelog', text: `${lagged} lines of the log are missing` }
    // A listener's bug is not the log's end.
    queueMicrotask(() => listener(line))
  }
}
