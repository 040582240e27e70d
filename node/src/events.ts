/**
 * Events and versions, from the objects of the native module.
 */
import type * as native from '../native.js'
import type { Shape } from './schema.js'
import type { Change, Lagged, Version } from './types.js'

/** The event of a watch. With a shape its values are read by it. */
export async function asChange<T>(notice: native.Notice, shape?: Shape): Promise<Change<T> | Lagged> {
  const { change, lagged } = notice
  if (change == null) return { kind: 'lagged', lost: lagged ?? 0 }
  const { hlcMs, database, circle, owner, old, new: next, kind, ...same } = change
  const before = await read<T>(change.key, old, shape)
  const after = await read<T>(change.key, next, shape)
  return {
    ...same,
    kind: kind as Change<T>['kind'],
    database: database ?? null,
    circle: circle ?? null,
    owner: owner ?? null,
    old: before.value,
    new: after.value,
    ...(after.problem === undefined ? {} : { problem: after.problem }),
    time: new Date(hlcMs),
  }
}

/** An entry in a history. */
export function asVersion({ hlcMs, user, value, ...same }: native.Version): Version {
  return { ...same, user: user ?? null, value, time: new Date(hlcMs) }
}

async function read<T>(key: string, value: unknown, shape?: Shape): Promise<{ value: T | undefined; problem?: string }> {
  if (value === undefined || shape === undefined) return { value: value as T | undefined }
  const judged = await shape.read(key, value)
  return judged.problem === undefined ? { value: judged.value as T } : { value: undefined, problem: judged.problem }
}
