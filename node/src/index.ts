/**
 * Local-first, end-to-end-encrypted data that works offline and syncs through relays that hold no keys.
 */
export { Collection, TransactionCollection, type Update } from './collection.js'
export { Database, Transaction, type CollectionOptions, type Keyed, type Policy } from './database.js'
export { Document, Edits } from './document.js'
export { TidelogError, type ErrorCode } from './errors.js'
export type { KeyStore } from './keys.js'
export { Link } from './link.js'
export { LiveList } from './live.js'
export { Log, RemoteLog } from './log.js'
export { onLog, type LogLevel, type LogLine } from './logs.js'
export type { LongCall } from './progress.js'
export type { Operators, Query, Sort, Where } from './query.js'
export type { StandardSchema } from './schema.js'
export { Stream } from './stream.js'
export type * from './types.js'
export {
  Workspace, type CircleOptions, type InviteOptions, type JoinOptions, type RecoverFrom, type Secret, type WatchOptions,
} from './workspace.js'
