/**
 * The plain objects that calls give and take.
 */
import type { ErrorCode } from './errors.js'

/** An item with its key. */
export interface Item<T> {
  readonly key: string
  readonly value: T
}

/** Results of a query; `cursor` is where the next query goes on, or null. */
export type Page<R> = R[] & { readonly cursor: string | null }

/** What writing many items did. */
export interface Summary {
  readonly items: number
  readonly entries: number
}

/** One entry in the history of an item. */
export interface Version {
  readonly entry: string
  readonly author: string
  readonly user: string | null
  /** When, by the author's clock. */
  readonly time: Date
  /** `put`, `delete`, or `change` of a document. */
  readonly kind: string
  readonly value: unknown
  /** Whether this device wrote it. */
  readonly local: boolean
}

/** A change of one item. Events of documents carry no values: read what is needed. */
export interface Change<T> {
  readonly kind: 'current' | 'put' | 'delete' | 'merge' | 'unreadable'
  /** The database, if this device knows its name. */
  readonly database: string | null
  /** The circle whose database it is; `null` if all members share it. Several circles may use one name. */
  readonly circle: string | null
  readonly collection: string
  /** The user whose own item it is. */
  readonly owner: string | null
  readonly key: string
  readonly old: T | undefined
  readonly new: T | undefined
  /** Why `new` is missing, if the schema refuses it. */
  readonly problem?: string
  readonly author: string
  readonly time: Date
  readonly local: boolean
  readonly entry: string
}

/** The reader was too slow, and so many events were dropped: read the state again. */
export interface Lagged {
  readonly kind: 'lagged'
  readonly lost: number
}

/** This device in its workspace. */
export interface Me {
  readonly user: string
  readonly device: string
  readonly role: Role
  readonly profile: string | null
}

/** What a user may do. */
export type Role = 'reader' | 'writer' | 'admin' | 'owner'

/** An invite; its link is a secret for whom it is meant. */
export interface Invite {
  readonly id: string
  readonly uri: string
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
  readonly id: string
  readonly profile: string
  readonly device: string
  readonly role: Role
  /** Whether it is to be another device of this user. */
  readonly sameUser: boolean
  /** The circles that the invite leads into. */
  readonly circles: readonly string[]
  readonly requested: Date
}

/** A user of the workspace. */
export interface Member {
  readonly user: string
  readonly role: Role
  readonly profile: string | null
  readonly devices: readonly string[]
  readonly me: boolean
}

/** A device of the workspace. */
export interface Device {
  readonly device: string
  readonly user: string
  readonly addedBy: string
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
  readonly entry: string
  /** The device that wrote it. */
  readonly device: string
  /** The user of that device, if it is known. */
  readonly user: string | null
  /** The database, if this device knows its name; empty for the directory. */
  readonly database: string | null
  /** Its place in the chain of its device. */
  readonly seq: number
  readonly reason: ExclusionReason
  /** For a deferred one: when it is shown. */
  readonly due: Date | null
}

/** What newcomers to a circle may read: everything, or what is there when they join and what comes. */
export type History = 'full' | 'from_join'

/** Some of the members, with keys and databases of their own. */
export interface Circle {
  readonly id: string
  /** Its name, if this device can read it. */
  readonly name: string | null
  readonly history: History
  /** Whether the recovery words recover its data too. */
  readonly recoverable: boolean
  readonly members: readonly CircleMember[]
  /** Whether this device reads what is written in it. */
  readonly readable: boolean
}

/** A member of a circle, and what it may do there. */
export interface CircleMember {
  readonly user: string
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
  readonly sent: number
  readonly received: number
  readonly bytesSent: number
  readonly bytesReceived: number
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
  readonly kind: 'upgrade_needed' | 'clock_behind' | 'fork' | 'key_mismatch' | 'withheld'
  readonly device: string | null
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
  readonly received: number
  readonly receivedTotal: number
  readonly sent: number
  readonly sentTotal: number
  readonly bytesReceived: number
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
  readonly entries: number
  readonly logBytes: number
  readonly streams: number
  readonly chains: number
  readonly users: number
  readonly devices: number
  readonly root: string
}

/** What a verification found. */
export interface VerifyReport {
  readonly entries: number
  readonly bytes: number
  readonly signatures: number
  readonly damaged: number
  /** The first problems, in words. */
  readonly problems: readonly string[]
}

/** What opens a backup: its own key, the passphrase that the workspace had then, or nothing in it. */
export type BackupKey = 'own' | 'workspace' | 'recovery_words'

/** What a backup copied; `copied` of the bytes this time. */
export interface BackupReport {
  readonly entries: number
  readonly bytes: number
  readonly copied: number
  readonly key: BackupKey
}

/** What is in a backup. */
export interface BackupInfo {
  readonly workspace: string
  readonly made: Date
  readonly entries: number
  readonly bytes: number
  readonly key: BackupKey
  /** What is damaged, in words. */
  readonly problems: readonly string[]
}

/** Entries asked of a log, and the ids of those it lacks. */
export interface Entries {
  readonly entries: readonly Uint8Array[]
  readonly missing: readonly string[]
}

/** One item at its latest change, or one entry that cannot be shown: then `collection` and `key` are empty. */
export interface LogChange {
  readonly kind: string
  readonly collection: string
  readonly owner: string | null
  readonly key: string
  readonly entry: string
  readonly author: string
  /** The number of the change in this replica's order of arrival. */
  readonly arrival: number
}

/** Changes, and where to go on. */
export interface Changes {
  readonly items: readonly LogChange[]
  readonly cursor: string
}

/** Entries that were new here, and there. */
export interface Transfer {
  readonly received: number
  readonly sent: number
}
