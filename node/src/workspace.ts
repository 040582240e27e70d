/**
 * Workspaces: what a program opens, shares and closes.
 */
import { fileURLToPath } from 'node:url'

import * as native from '../native.js'
import { Database } from './database.js'
import { count, COUNT_MAX, invalidArgument, later, now, whole } from './errors.js'
import { asChange } from './events.js'
import { asked, isKeyStore, type KeyStore } from './keys.js'
import { Link } from './link.js'
import { metered, type LongCall } from './progress.js'
import { asCircle, asExcluded, asInvite, asMember, asRemoval, asRequest, asWarning } from './records.js'
import { Stream } from './stream.js'
import type {
  BackupInfo, BackupKey, BackupReport, Change, Circle, CircleMember, Device, ExcludedEntry, History, Invite, JoinRequest,
  KeyPolicy, Lagged, Me, Member, RemovalReport, Role, Stats, SyncReport, VerifyReport, Warning,
} from './types.js'

/** The most days that a policy of keys can say. */
const DAYS_MAX = 2 ** 16 - 1

/** What opens a workspace: a passphrase, or 32 random bytes that the program keeps safe, or what keeps them. */
export type Secret =
  | { readonly passphrase: string; readonly key?: undefined }
  | { readonly key: Uint8Array | KeyStore; readonly passphrase?: undefined }

/** How a device joins. */
export interface JoinOptions {
  /** The name to show to whoever approves, and then to other members; at most 255 bytes. */
  readonly profile?: string | undefined
  /** How many milliseconds to wait to be admitted; without saying so, 5 minutes. */
  readonly timeout?: number | undefined
}

/** Where a lost workspace still is: a folder, or a relay and the id of the workspace. */
export type RecoverFrom =
  /** A backup, or the folder of another member's workspace. */
  | { readonly folder: string | URL; readonly relay?: undefined }
  | { readonly relay: string | URL; readonly workspace: string; readonly folder?: undefined }

/** What an invite allows. */
export interface InviteOptions {
  /** `writer` without saying so. */
  readonly role?: Role | undefined
  /** How many milliseconds it is open, at most 30 days; without saying so, a day. */
  readonly expiresIn?: number | undefined
  /** Whether whoever asks is admitted at once: while this device is connected, or when it takes the request in. */
  readonly autoApprove?: boolean | undefined
  /** How often it can be used; without saying so, once. */
  readonly uses?: number | undefined
  /** Whether it is for another device of this user, instead of for another user. */
  readonly sameUser?: boolean | undefined
  /** The circles that the new user comes into, with the same role. */
  readonly circles?: Iterable<string | Circle> | undefined
}

/** How a circle is made. It stays that way. */
export interface CircleOptions {
  /** `full` without saying so. */
  readonly history?: History | undefined
  /** Whether the recovery words recover its data too; they do without saying so. */
  readonly recoverable?: boolean | undefined
}

/** What a watch of a workspace observes. */
export interface WatchOptions {
  /** A pattern of database names, such as `chat/**`; without one, all. */
  readonly pattern?: string | undefined
  /** Whether what is there comes first. */
  readonly initial?: boolean | undefined
}

/** An open workspace. Close it, or declare it with `await using`. */
export class Workspace implements AsyncDisposable {
  readonly #native: native.Workspace
  readonly #links = new Set<Link>()

  /** Its folder. */
  readonly path: string

  private constructor(workspace: native.Workspace, path: string) {
    this.#native = workspace
    this.path = path
  }

  /** Opens a workspace; with `create`, makes it under this name if there is none. */
  static open(path: string | URL, options: Secret & { readonly create?: string | undefined }): Promise<Workspace> {
    return later(async () => {
      const folder = pathOf(path)
      return new Workspace(await native.open(folder, secretOf(options), options?.create ?? null), folder)
    })
  }

  /** Makes a workspace. */
  static create(path: string | URL, name: string, secret: Secret): Promise<Workspace> {
    return later(async () => {
      const folder = pathOf(path)
      return new Workspace(await native.create(folder, secretOf(secret), name), folder)
    })
  }

  /** Joins the workspace of an invite. After an interruption it may be called again. */
  static join(path: string | URL, invite: string, options: Secret & JoinOptions): Promise<Workspace> {
    return later(async () => {
      const folder = pathOf(path)
      const asked: native.JoinOptions = { profile: options?.profile ?? '' }
      if (options?.timeout !== undefined) asked.timeoutMs = whole('timeout', options.timeout)
      return new Workspace(await native.join(folder, secretOf(options), invite, asked), folder)
    })
  }

  /**
   * Begins to join by hand: makes the device's keys in the folder and gives its request, at most 4 KiB, to be brought to
   * whoever made the invite. Only they can read it; they answer with a welcome, for `finishJoining`. May be repeated,
   * also with another invite to the same workspace.
   */
  static askToJoin(
    path: string | URL,
    invite: string,
    options: Secret & { readonly profile?: string | undefined },
  ): Promise<Uint8Array> {
    return later(() => native.askToJoin(pathOf(path), secretOf(options), invite, options?.profile ?? ''))
  }

  /** Ends what `askToJoin` began in a folder, with the welcome that came back. */
  static finishJoining(path: string | URL, welcome: Uint8Array, secret: Secret): Promise<Workspace> {
    return later(async () => {
      const folder = pathOf(path)
      return new Workspace(await native.finishJoining(folder, secretOf(secret), welcome), folder)
    })
  }

  /** Reads a backup and checks it; with a passphrase or key, also that this opens it. Progress counts bytes. */
  static verifyBackup(path: string | URL, options: Partial<Secret> & LongCall = {}): Promise<BackupInfo> {
    return later(async () => {
      const secret = secretIfAny(options)
      const info = await metered(options, (meter) => native.verifyBackup(pathOf(path), secret, meter))
      const { madeMs, key, ...same } = info
      return { ...same, key: key as BackupKey, made: new Date(madeMs) }
    })
  }

  /**
   * Makes the workspace of a backup anew in an empty folder. `backup` opens the backup, and `workspace` the workspace
   * from then on, the same if nothing is said. It can only be read until it has met a peer: see `restored`.
   */
  static restore(
    from: string | URL,
    path: string | URL,
    options: { readonly backup: Secret; readonly workspace?: Secret | undefined } & LongCall,
  ): Promise<Workspace> {
    return later(async () => {
      const [source, folder] = [pathOf(from), pathOf(path)]
      const [backup, secret] = [secretOf(options.backup), secretIfAny(options.workspace ?? {})]
      const restored = metered(options, (meter) => native.restore(source, folder, backup, secret, meter))
      return new Workspace(await restored, folder)
    })
  }

  /** Gets a workspace back with recovery words, as a new device in an empty folder. */
  static recover(path: string | URL, words: string, options: Secret & RecoverFrom): Promise<Workspace> {
    return later(async () => {
      const folder = pathOf(path)
      const from: native.RecoverFrom =
        options.folder === undefined
          ? { relay: String(options.relay), workspace: options.workspace }
          : { folder: pathOf(options.folder) }
      return new Workspace(await native.recover(folder, secretOf(options), words, from), folder)
    })
  }

  /** Its id. */
  get id(): string {
    return now(() => this.#native.id())
  }

  /** Its name. */
  get name(): string {
    return now(() => this.#native.name())
  }

  /** This device in it. */
  get me(): Me {
    const { user, device, role, profile } = now(() => this.#native.me())
    return { user, device, role: role as Role, profile: profile ?? null }
  }

  /** A database that all members share, or one of a circle; it comes into being with the first write. */
  database(name: string, circle?: string | Circle): Database {
    return new Database(now(() => this.#native.database(name, circleOf(circle))))
  }

  /** The names of the databases that all members share, or of those of a circle. */
  databases(circle?: string | Circle): Promise<string[]> {
    return later(() => this.#native.databases(circleOf(circle)))
  }

  /**
   * Makes a circle of this user alone, who may add others. Its name, the names of its databases and all that is in them
   * are sealed for its members; the others carry it, and see that there is a circle and who is in it.
   */
  createCircle(name: string, options: CircleOptions = {}): Promise<Circle> {
    return later(async () => {
      const asked: native.CircleOptions = {}
      if (options.history !== undefined) asked.history = options.history
      if (options.recoverable !== undefined) asked.recoverable = options.recoverable
      return asCircle(await this.#native.createCircle(name, asked))
    })
  }

  /** The circles, also those that this device is not in. */
  circles(): Promise<Circle[]> {
    return later(async () => (await this.#native.circles()).map(asCircle))
  }

  /**
   * Takes a user into a circle as `reader`, `writer` or `admin`, or gives one who is in it another role there. Where
   * newcomers may read only what is there and what comes, what is there is written again for them; repeat the call if
   * that was interrupted.
   */
  addToCircle(circle: string | Circle, user: string | Member, role: Role): Promise<void> {
    return later(() => this.#native.addToCircle(idOf(circle), userOf(user), role))
  }

  /** Takes a user out of a circle: what it has it keeps, later keys it does not get. */
  removeFromCircle(circle: string | Circle, user: string | Member | CircleMember): Promise<void> {
    return later(() => this.#native.removeFromCircle(idOf(circle), userOf(user)))
  }

  /** When members make new keys without another reason. */
  get policy(): KeyPolicy {
    return now(() => this.#native.policy())
  }

  /** Sets when members make new keys without another reason: at the first write so long after, or after so many. */
  setPolicy(policy: KeyPolicy): Promise<void> {
    return later(() => {
      const days = whole('rotateDays', policy.rotateDays, DAYS_MAX)
      return this.#native.setPolicy(days, whole('rotateEntries', policy.rotateEntries, COUNT_MAX))
    })
  }

  /** Makes an invite, to be used by way of a relay; without one request and welcome go from hand to hand. */
  invite(relay: string | URL, options?: InviteOptions): Promise<Invite>
  invite(options?: InviteOptions): Promise<Invite>
  invite(relay?: string | URL | InviteOptions, options?: InviteOptions): Promise<Invite> {
    return later(async () => {
      const named = typeof relay === 'string' || relay instanceof URL
      if (!named && (options !== undefined || (relay !== undefined && Object(relay) !== relay))) {
        throw invalidArgument('an invite takes the address of a relay, options, or first one and then the other')
      }
      const { role, expiresIn, autoApprove = false, uses, sameUser = false, circles = [] } =
        (named ? options : relay) ?? {}
      const asked: native.InviteOptions = { autoApprove, sameUser, circles: [...circles].map(idOf) }
      if (named) asked.relay = String(relay)
      if (role !== undefined) asked.role = role
      if (expiresIn !== undefined) asked.expiresInMs = whole('expiresIn', expiresIn)
      if (uses !== undefined) asked.uses = count('uses', uses)!
      return asInvite(await this.#native.invite(asked))
    })
  }

  /** The invites that hold. */
  invites(): Promise<Invite[]> {
    return later(async () => (await this.#native.invites()).map(asInvite))
  }

  /** Takes an invite back. */
  withdraw(invite: string | Invite): Promise<void> {
    return later(() => this.#native.withdraw(idOf(invite)))
  }

  /** The devices that ask to join with an invite of this device. */
  requests(): Promise<JoinRequest[]> {
    return later(async () => (await this.#native.requests()).map(asRequest))
  }

  /** Admits a device that asks. */
  approve(request: string | JoinRequest): Promise<void> {
    return later(() => this.#native.approve(idOf(request)))
  }

  /**
   * Takes in a request that came by hand, from `askToJoin`. From then on it can be approved and welcomed until this
   * workspace is closed. If the invite says so, it is approved at once.
   */
  receiveRequest(request: Uint8Array): Promise<JoinRequest> {
    return later(async () => asRequest(await this.#native.receiveRequest(request)))
  }

  /**
   * What a device whose request was approved needs to begin, at most 64 MiB, for its `finishJoining`: members, keys and
   * names, and of the data what fits. Only that device can use it.
   */
  welcome(request: string | JoinRequest): Promise<Uint8Array> {
    return later(() => this.#native.welcome(idOf(request)))
  }

  /** Gives this user a name that other members see. */
  setProfile(name: string): Promise<void> {
    return later(() => this.#native.setProfile(name))
  }

  /** Its users. */
  members(): Promise<Member[]> {
    return later(async () => (await this.#native.members()).map(asMember))
  }

  /** Its devices. */
  devices(): Promise<Device[]> {
    return later(() => this.#native.devices())
  }

  /** Gives a user another role. Of one that may not write any more, what it writes from now on counts nowhere. */
  setRole(user: string | Member, role: Role): Promise<void> {
    return later(() => this.#native.setRole(userOf(user), role))
  }

  /**
   * Removes a user with all devices, for good. What they write without knowing of it counts nowhere, and they get no
   * later key; what they hold they keep.
   */
  removeUser(user: string | Member): Promise<RemovalReport> {
    return later(async () => asRemoval(await this.#native.removeUser(userOf(user))))
  }

  /** Removes a device, for good: it was lost, stolen or given away. */
  removeDevice(device: string | Device): Promise<RemovalReport> {
    return later(async () => asRemoval(await this.#native.removeDevice(deviceOf(device))))
  }

  /** The entries that this device holds and does not show, in order of arrival, with the reason. */
  excluded(): Promise<ExcludedEntry[]> {
    return later(async () => (await this.#native.excluded()).map(asExcluded))
  }

  /**
   * Lets what a removed or demoted device wrote before it knew count, as far as it is held here by now. Gives how many
   * entries that brought back.
   */
  acceptExcluded(device: string | Device): Promise<number> {
    return later(() => this.#native.acceptExcluded(deviceOf(device)))
  }

  /** Makes this replica and a relay equal, once. */
  sync(relay: string | URL): Promise<SyncReport> {
    return later(() => this.#native.sync(String(relay)))
  }

  /** Makes this replica and another one of the same workspace in this process equal, once. */
  syncWith(other: Workspace): Promise<SyncReport> {
    return later(() => {
      if (!(other instanceof Workspace)) throw invalidArgument('what to sync with is an open workspace')
      return this.#native.syncWith(other.#native)
    })
  }

  /** Keeps this replica and a relay equal from now on. Whether the relay answers is told by the link. */
  connect(relay: string | URL): Link {
    const link = new Link(now(() => this.#native.connect(String(relay))))
    this.#links.add(link)
    return link
  }

  /** Changes of items from now on; with `initial`, first what is there. Values are as they are stored. */
  watch(options: WatchOptions = {}): Stream<Change<unknown> | Lagged> {
    const { pattern, initial = false } = options
    const asked = pattern === undefined ? { initial } : { initial, pattern }
    return new Stream(now(() => this.#native.watch(asked)), (notice: native.Notice) => asChange(notice))
  }

  /** Its figures. */
  stats(): Promise<Stats> {
    return later(() => this.#native.stats())
  }

  /** What is wrong now and worth telling a person. */
  warnings(): Promise<Warning[]> {
    return later(async () => (await this.#native.warnings()).map(asWarning))
  }

  /** Reads everything on disk and checks it. Progress counts entries. */
  verify(how: LongCall = {}): Promise<VerifyReport> {
    return later(() => metered(how, (meter) => this.#native.verify(meter)))
  }

  /**
   * Makes another passphrase or key the one that opens this workspace on this device; `old`, if given, has to be the
   * present one.
   */
  changePassphrase(secret: Secret, old?: Secret): Promise<void> {
    return later(() => this.#native.changePassphrase(secretIfAny(old ?? {}), secretOf(secret)))
  }

  /** The 24 words that stand for the root of this workspace, until they are confirmed. */
  recoveryWords(): Promise<string> {
    return later(() => this.#native.recoveryWords())
  }

  /** Takes the recovery words back from who wrote them down; right ones are erased from this device. */
  confirmRecoveryWords(words: string): Promise<void> {
    return later(() => this.#native.confirmRecoveryWords(words))
  }

  /** Makes a device of this user that exists as 24 words only. They are not shown again. */
  addRecoveryDevice(): Promise<string> {
    return later(() => this.#native.addRecoveryDevice())
  }

  /**
   * Copies the workspace as it is now into a folder; into that of an earlier backup, only what is new. The passphrase
   * or key is the backup's own. Progress counts bytes; a backup that was ended is not complete, and the next one goes
   * on.
   */
  backup(to: string | URL, options: Partial<Secret> & LongCall = {}): Promise<BackupReport> {
    return later(async () => {
      const [folder, secret] = [pathOf(to), secretIfAny(options)]
      const report = await metered(options, (meter) => this.#native.backup(folder, secret, meter))
      return { ...report, key: report.key as BackupKey }
    })
  }

  /** Whether this is a copy of a device, which can only be read until it has met a peer. */
  get restored(): boolean {
    return now(() => this.#native.restored())
  }

  /** Goes on without having met a peer: no other copy of this device is in use. */
  confirmOnlyCopy(): Promise<void> {
    return later(() => this.#native.confirmOnlyCopy())
  }

  /** Ends links and streams, finishes what was begun and releases the folder. Closing again does nothing. */
  close(): Promise<void> {
    for (const link of this.#links) link.unref()
    this.#links.clear()
    return later(() => this.#native.shutdown())
  }

  /** Closes it, at the end of `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function pathOf(path: string | URL): string {
  if (typeof path === 'string') return path
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path)
  throw invalidArgument('a path is text, or a URL of a file')
}

function secretOf(secret: Secret | undefined): string | Uint8Array | native.KeyStore {
  const { passphrase, key } = secret ?? {}
  if (typeof passphrase === 'string' && key === undefined) return passphrase
  if (key instanceof Uint8Array && passphrase === undefined) return key
  if (isKeyStore(key) && passphrase === undefined) return asked(key)
  throw invalidArgument('say `passphrase`, or `key` with 32 bytes or a key store')
}

function secretIfAny(secret: Partial<Secret>): string | Uint8Array | native.KeyStore | null {
  return secret.passphrase === undefined && secret.key === undefined ? null : secretOf(secret as Secret)
}

function idOf(named: string | { readonly id: string }): string {
  return typeof named === 'string' ? named : named.id
}

function userOf(user: string | { readonly user: string }): string {
  return typeof user === 'string' ? user : user.user
}

function deviceOf(device: string | Device): string {
  return typeof device === 'string' ? device : device.device
}

function circleOf(circle: string | Circle | undefined): string | null {
  return circle === undefined ? null : idOf(circle)
}
