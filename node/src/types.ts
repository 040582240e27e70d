/**
 * The plain objects that calls give and take.
 */
import type { ErrorCode } from './errors.js'

/** An item with its key. */
export interface Item<T> {
  /** Its key. */
  readonly key: string
  /** Its value. */
  readonly value: T
}

/** Results of a query; `cursor` is where the next query goes on, or null. */
export type Page<R> = R[] & { readonly cursor: string | null }

/** What writing many items did. */
export interface Summary {
  /** Items written. */
  readonly items: number
  /** Entries they were written in. */
  readonly entries: number
}

/** One entry in the history of an item. */
export interface Version {
  /** The id of the entry. */
  readonly entry: string
  /** The device that wrote it. */
  readonly author: string
  /** The user of that device, if it is known. */
  readonly user: string | null
  /** When, by the author's clock. */
  readonly time: Date
  /** `put`, `delete`, or `change` of a document. */
  readonly kind: string
  /** The value it put, as it is stored; `undefined` if it put none. */
  readonly value: unknown
  /** Whether this device wrote it. */
  readonly local: boolean
}

/** A change of one item. Events of documents carry no values: read what is needed. */
export interface Change<T> {
  /** What happened; `current` is an item that was there already, `merge` a document that took up changes. */
  readonly kind: 'current' | 'put' | 'delete' | 'merge' | 'unreadable'
  /** The database, if this device knows its name. */
  readonly database: string | null
  /** The circle whose database it is; `null` if all members share it. Several circles may use one name. */
  readonly circle: string | null
  /** The collection; empty for an unreadable entry. */
  readonly collection: string
  /** The user whose own item it is. */
  readonly owner: string | null
  /** The item; empty for an unreadable entry. */
  readonly key: string
  /** The value before; `undefined` if there was none, or the schema refuses it. */
  readonly old: T | undefined
  /** The value now; `undefined` if there is none, or the schema refuses it. */
  readonly new: T | undefined
  /** Why `new` is missing, if the schema refuses it. */
  readonly problem?: string
  /** The device that wrote the entry. */
  readonly author: string
  /** When, by the author's clock. */
  readonly time: Date
  /** Whether this device wrote it. */
  readonly local: boolean
  /** The id of the entry. */
  readonly entry: string
}

/** The reader was too slow, and so many events were dropped: read the state again. */
export interface Lagged {
  /** Tells it from other events. */
  readonly kind: 'lagged'
  /** How many events were dropped. */
  readonly lost: number
}

/** This device in its workspace. */
export interface Me {
  /** The id of its user. */
  readonly user: string
  /** Its id. */
  readonly device: string
  /** What the user may do. */
  readonly role: Role
  /** The user's name, or null if it gave none. */
  readonly profile: string | null
}

/** What a user may do. */
export type Role = 'reader' | 'writer' | 'admin' | 'owner'

/** An invite; its link is a secret for whom it is meant. */
export interface Invite {
  /** What to withdraw it by. */
  readonly id: string
  /** The link: a secret for whom it is meant. */
  readonly uri: string
  /** When it ends. */
  readonly expires: Date
  /** The role that it grants. */
  readonly role: Role
  /** The relay to meet at; without one request and welcome go from hand to hand. */
  readonly relay: string | null
  /** How often it can still be used. */
  readonly usesLeft: number
  /** Whether whoever asks is admitted at once. */
  readonly autoApprove: boolean
  /** Whether it is for another device of this user. */
  readonly sameUser: boolean
  /** The circles that the new user comes into. */
  readonly circles: readonly string[]
}

/** A device that asks to join. Nothing vouches for the name it gave itself. */
export interface JoinRequest {
  /** What to approve. */
  readonly id: string
  /** The name it gave itself. */
  readonly profile: string
  /** The id of the device. */
  readonly device: string
  /** The role it will have. */
  readonly role: Role
  /** Whether it is to be another device of this user. */
  readonly sameUser: boolean
  /** The circles that the invite leads into. */
  readonly circles: readonly string[]
  /** When it asked, by its clock. */
  readonly requested: Date
}

/** A user of the workspace. */
export interface Member {
  /** The id of the user. */
  readonly user: string
  /** What the user may do. */
  readonly role: Role
  /** The user's name, or null if it gave none. */
  readonly profile: string | null
  /** The ids of the user's devices. */
  readonly devices: readonly string[]
  /** Whether this device is one of them. */
  readonly me: boolean
}

/** A device of the workspace. */
export interface Device {
  /** The id of the device. */
  readonly device: string
  /** The id of its user. */
  readonly user: string
  /** The device, or root key, that admitted it. */
  readonly addedBy: string
  /** Whether it is this one. */
  readonly me: boolean
}

/** What a removal did. */
export interface RemovalReport {
  /** Chains of the removed devices, each with the last entry that counts. */
  readonly cuts: number
  /** Of these, how many end at an entry that this device does not hold: the removed device claimed it. */
  readonly claimed: number
  /** Entries of the directory that were written for it. */
  readonly entries: number
  /** Whether new keys are there already. If not, the next writer makes them first. */
  readonly keysRenewed: boolean
  /** What remains to be done, in words, or null. */
  readonly advice: string | null
}

/** Why an entry is held and not shown. */
export type ExclusionReason =
  | 'removed' | 'demoted' | 'left_circle' | 'fork' | 'not_member' | 'not_writer' | 'not_in_circle' | 'void' | 'deferred'
  | 'missing_key' | 'invalid' | 'upgrade_needed'

/** An entry that is held and not shown. */
export interface ExcludedEntry {
  /** The id of the entry. */
  readonly entry: string
  /** The device that wrote it. */
  readonly device: string
  /** The user of that device, if it is known. */
  readonly user: string | null
  /** The database, if this device knows its name; empty for the directory. */
  readonly database: string | null
  /** Its place in the chain of its device. */
  readonly seq: number
  /** Why it is not shown. */
  readonly reason: ExclusionReason
  /** For a deferred one: when it is shown. */
  readonly due: Date | null
}

/** What newcomers to a circle may read: everything, or what is there when they join and what comes. */
export type History = 'full' | 'from_join'

/** Some of the members, with keys and databases of their own. */
export interface Circle {
  /** Its id. */
  readonly id: string
  /** Its name, if this device can read it. */
  readonly name: string | null
  /** What newcomers may read. */
  readonly history: History
  /** Whether the recovery words recover its data too. */
  readonly recoverable: boolean
  /** Its members, by user. */
  readonly members: readonly CircleMember[]
  /** Whether this device reads what is written in it. */
  readonly readable: boolean
}

/** A member of a circle, and what it may do there. */
export interface CircleMember {
  /** The id of the user. */
  readonly user: string
  /** What the user may do in the circle. */
  readonly role: Role
}

/** When members make new keys without another reason. Zero is never. */
export interface KeyPolicy {
  /** Days after which a key is replaced, from when a device first saw it used; at most 65535. */
  readonly rotateDays: number
  /** Entries after which a key is replaced. */
  readonly rotateEntries: number
}

/** What a sync did. */
export interface SyncReport {
  /** Entries sent. */
  readonly sent: number
  /** Entries received. */
  readonly received: number
  /** Bytes sent. */
  readonly bytesSent: number
  /** Bytes received. */
  readonly bytesReceived: number
  /** Times the protocol waited for the peer. */
  readonly roundTrips: number
  /** Chains of entries that this device cannot advance until it is upgraded. */
  readonly held: number
  /** Whether the peer leaves entries of this device out until it is upgraded, or because a chain forked too often. */
  readonly heldThere: boolean
}

/**
 * Something that is wrong now; it goes when its cause is gone. `upgrade_needed`: a member uses a newer version, and what
 * it wrote since is held back. `clock_behind`: entries of two other users are in the future here. `fork`: a device wrote
 * twice in one place. `key_mismatch`: a member published other keys than it committed to. `withheld`: a device claims
 * entries that no peer gives out.
 */
export interface Warning {
  /** What is wrong. */
  readonly kind: 'upgrade_needed' | 'clock_behind' | 'fork' | 'key_mismatch' | 'withheld'
  /** The device concerned, if it is one. */
  readonly device: string | null
  /** The user whose device it is, if it is known. */
  readonly user: string | null
  /** The database concerned, if its name is known; empty for the directory. */
  readonly database: string | null
  /** The entry that shows it, if one does. */
  readonly entry: string | null
  /** What it means and what to do about it. */
  readonly text: string
}

/** How a link stands. */
export type LinkState = 'offline' | 'connecting' | 'catching-up' | 'live'

/** How far the present connection of a link has come; totals as far as they are known. */
export interface Progress {
  /** Entries received. */
  readonly received: number
  /** Entries received and still expected. */
  readonly receivedTotal: number
  /** Entries sent. */
  readonly sent: number
  /** Entries sent and still to send. */
  readonly sentTotal: number
  /** Bytes received in messages. */
  readonly bytesReceived: number
  /** Bytes sent in messages. */
  readonly bytesSent: number
}

/** An event of a link. After a failure it goes on by itself. */
export type LinkEvent =
  | { readonly kind: 'state'; readonly state: LinkState }
  | ({ readonly kind: 'progress' } & Progress)
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly reason: string }
  | { readonly kind: 'warned'; readonly warning: Warning }
  | Lagged

/** Figures of a workspace. Two replicas hold the same exactly if their roots are equal. */
export interface Stats {
  /** Entries held. */
  readonly entries: number
  /** Bytes of the log on disk, preallocated space included. */
  readonly logBytes: number
  /** Streams that have entries. */
  readonly streams: number
  /** Chains, one for each device and stream it wrote to. */
  readonly chains: number
  /** Users. */
  readonly users: number
  /** Devices. */
  readonly devices: number
  /** Stands for everything held. */
  readonly root: string
}

/** What a verification found. */
export interface VerifyReport {
  /** Entries checked. */
  readonly entries: number
  /** Bytes checked. */
  readonly bytes: number
  /** Signatures checked; one vouches for all entries before it in its chain. */
  readonly signatures: number
  /** How many problems there are. */
  readonly damaged: number
  /** The first problems, at most 100, in words. */
  readonly problems: readonly string[]
}

/** What opens a backup: its own key, the passphrase that the workspace had then, or nothing in it. */
export type BackupKey = 'own' | 'workspace' | 'recovery_words'

/** What a backup copied; `copied` of the bytes this time. */
export interface BackupReport {
  /** Entries in the backup. */
  readonly entries: number
  /** Bytes of its log. */
  readonly bytes: number
  /** Bytes that were copied this time. */
  readonly copied: number
  /** What opens it. */
  readonly key: BackupKey
}

/** What is in a backup. */
export interface BackupInfo {
  /** The id of the workspace that it is of. */
  readonly workspace: string
  /** When it was made, by the clock of the device. */
  readonly made: Date
  /** Entries found in it. */
  readonly entries: number
  /** Bytes of its log. */
  readonly bytes: number
  /** What opens it. */
  readonly key: BackupKey
  /** What is damaged, in words. */
  readonly problems: readonly string[]
}

/** Entries asked of a log, and the ids of those it lacks. */
export interface Entries {
  /** Those the log has, in the order asked for. */
  readonly entries: readonly Uint8Array[]
  /** The ids of those it lacks. */
  readonly missing: readonly string[]
}

/** One item at its latest change, or one entry that cannot be shown: then `collection` and `key` are empty. */
export interface LogChange {
  /** `put`, `delete`, or for an entry that cannot be shown `missing_key` or `invalid`. */
  readonly kind: string
  /** The collection. */
  readonly collection: string
  /** The user whose own item it is, or null. */
  readonly owner: string | null
  /** The item. */
  readonly key: string
  /** The id of the entry with the item's highest version, or of the one that cannot be shown. */
  readonly entry: string
  /** The device that wrote the entry that made the change. */
  readonly author: string
  /** The number of the change in this replica's order of arrival. */
  readonly arrival: number
}

/** Changes, and where to go on. */
export interface Changes {
  /** The changes, the earliest first. */
  readonly items: readonly LogChange[]
  /** Where to go on. */
  readonly cursor: string
}

/** Entries that were new here, and there. */
export interface Transfer {
  /** Entries that were new here. */
  readonly received: number
  /** Entries that were new there. */
  readonly sent: number
}
