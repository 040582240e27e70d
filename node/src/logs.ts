/**
 * What the engine logs.
 */
import * as native from '../native.js'
import { now } from './errors.js'
import { pull } from './stream.js'

/** How much a log line matters, the gravest first. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'

/** A line of the engine's log. Holds no key, passphrase or data. */
export interface LogLine {
  readonly level: LogLevel
  /** The module it comes from. */
  readonly target: string
  readonly text: string
}

/**
 * Calls back with every line that the engine logs from now on, down to a level. Gives the function that ends it. It does
 * not keep the process alive.
 */
export function onLog(listener: (line: LogLine) => void, level: LogLevel = 'info'): () => void {
  const source = now(() => native.logs(level))
  void follow(source, listener)
  return () => source.stop()
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
