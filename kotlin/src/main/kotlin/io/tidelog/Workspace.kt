package io.tidelog

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import java.nio.file.Path
import kotlin.time.Duration
import io.tidelog.internal.CircleOptions
import io.tidelog.internal.InviteOptions
import io.tidelog.internal.JoinOptions
import io.tidelog.internal.WatchOptions
import io.tidelog.internal.Workspace as NativeWorkspace
import io.tidelog.internal.askToJoin as nativeAskToJoin
import io.tidelog.internal.verifyBackup as nativeVerifyBackup

/**
 * An open workspace.
 *
 * ```
 * @Serializable
 * data class Todo(val id: String = "", val title: String, val done: Boolean = false)
 *
 * fun main(): Unit = runBlocking {
 *     Workspace.open(Path.of("notes.tide"), "correct horse", create = "Field notes").use { workspace ->
 *         val todos = workspace.database("main").collection<Todo>("todos")
 *         val todo = todos.insert(Todo(title = "Calibrate sensor"))
 *         todos.patch(todo.id, "done" to true)
 *         todos.query { where("done" eq true) }.forEach { println(it.title) }
 *         workspace.connect("wss://relay.example.org")
 *     }
 * }
 * ```
 *
 * Every call may be made from any thread. Functions that suspend do their work on threads of the engine; a coroutine
 * that is cancelled stops waiting, and a write that was begun still takes effect as a whole. After [shutdown] or
 * [close] every call fails with [TidelogException.Closed].
 */
public class Workspace private constructor(private val handle: NativeWorkspace) : AutoCloseable {
    @Volatile
    private var closed = false

    /** Its id. */
    public val id: String get() = call { handle.id() }

    /** Its name. */
    public val name: String get() = call { handle.name() }

    /** This device in it. */
    public val me: Me get() = call { handle.me() }.toMe()

    /** A database that all members share, or one of the [circle] of this id; it begins with the first write. */
    public fun database(name: String, circle: String? = null): Database =
        Database(call { handle.database(name, circle) })

    /** The names of the databases that all members share, or of those of a circle. */
    public suspend fun databases(circle: String? = null): List<String> = call { handle.databases(circle) }

    /**
     * Makes an invite: for one new writer, open for a day, if nothing else is said.
     *
     * They meet at the [relay]; without one, request and welcome go by hand: see [askToJoin]. With [autoApprove]
     * whoever asks is admitted at once, while this device is connected, or when it takes the request in. With
     * [sameUser] it is for another device of this user, instead of for another user. A new user comes into the
     * [circles] of these ids, with the same role.
     */
    public suspend fun invite(
        relay: String? = null,
        role: Role? = null,
        expires: Duration? = null,
        autoApprove: Boolean = false,
        uses: Int? = null,
        sameUser: Boolean = false,
        circles: List<String> = emptyList(),
    ): Invite {
        if (uses != null && uses < 0) throw TidelogException.InvalidArgument("uses is no number of times: $uses")
        val expiresInMs = expires?.toMillis()
        val options = InviteOptions(relay, role?.word, expiresInMs, autoApprove, uses?.toUInt(), sameUser, circles)
        return call { handle.invite(options) }.toInvite()
    }

    /** The invites that hold. */
    public suspend fun invites(): List<Invite> = call { handle.invites() }.map { it.toInvite() }

    /** Takes an invite back. */
    public suspend fun withdraw(invite: Invite): Unit = withdraw(invite.id)

    /** Takes the invite of this id back. */
    public suspend fun withdraw(invite: String): Unit = call { handle.withdraw(invite) }

    /** The devices that ask to join with an invite of this device. */
    public suspend fun requests(): List<JoinRequest> = call { handle.requests() }.map { it.toJoinRequest() }

    /** Admits a device that asks. */
    public suspend fun approve(request: JoinRequest): Unit = approve(request.id)

    /** Admits the device whose request has this id. */
    public suspend fun approve(request: String): Unit = call { handle.approve(request) }

    /**
     * Takes in a request that came by hand, from [askToJoin]. From then on it can be approved and welcomed until this
     * workspace is shut down. If the invite says so, it is approved at once.
     *
     * @throws TidelogException.InviteInvalid for what is no request with an invite of this device
     */
    public suspend fun receiveRequest(request: ByteArray): JoinRequest =
        call { handle.receiveRequest(request) }.toJoinRequest()

    /** [welcome] for a request. */
    public suspend fun welcome(request: JoinRequest): ByteArray = welcome(request.id)

    /**
     * What the device whose approved request has this id needs to begin, to be brought to it for [finishJoining]:
     * members, keys and names, and of the data what fits into 64 MiB. Only that device can use it.
     *
     * @throws TidelogException.NotAdmitted if the request was not approved
     */
    public suspend fun welcome(request: String): ByteArray = call { handle.welcome(request) }

    /** Gives this user a name that other members see. */
    public suspend fun setProfile(name: String): Unit = call { handle.setProfile(name) }

    /** Its users. */
    public suspend fun members(): List<Member> = call { handle.members() }.map { it.toMember() }

    /** Its devices. */
    public suspend fun devices(): List<Device> = call { handle.devices() }.map { it.toDevice() }

    /** Gives a user another role. Of one that may not write any more, what it writes from now on counts nowhere. */
    public suspend fun setRole(user: String, role: Role): Unit = call { handle.setRole(user, role.word) }

    /**
     * Removes a user with all devices, for good. What they write without knowing of it counts nowhere, and they get no
     * later key; what they hold by now they keep.
     */
    public suspend fun removeUser(user: String): RemovalReport = call { handle.removeUser(user) }.toRemovalReport()

    /** Removes a device, for good: it was lost, stolen or given away. */
    public suspend fun removeDevice(device: String): RemovalReport =
        call { handle.removeDevice(device) }.toRemovalReport()

    /** The entries that this device holds and does not show, in order of arrival, with the reason. */
    public suspend fun excluded(): List<ExcludedEntry> = call { handle.excluded() }.map { it.toExcludedEntry() }

    /**
     * Lets everything count that a removed or demoted device wrote before it knew, as far as it is held here by now;
     * gives how many entries that brought back.
     */
    public suspend fun acceptExcluded(device: String): Long = call { handle.acceptExcluded(device) }.toLong()

    /**
     * Makes a circle of this user alone, who may add others. Its name, the names of its databases and all that is in
     * them are sealed for its members. What newcomers may read, and whether the recovery words recover its data too,
     * stays that way.
     *
     * ```
     * val board = workspace.createCircle("Board")
     * workspace.addToCircle(board.id, treasurer, Role.WRITER)
     * val minutes = workspace.database("minutes", circle = board.id)
     * ```
     */
    public suspend fun createCircle(
        name: String,
        history: History = History.FULL,
        recoverable: Boolean = true,
    ): Circle = call { handle.createCircle(name, CircleOptions(history.word, recoverable)) }.toCircle()

    /** The circles, also those that this device is not in. */
    public suspend fun circles(): List<Circle> = call { handle.circles() }.map { it.toCircle() }

    /**
     * Takes a user into a circle as reader, writer or admin, or gives one who is in it another role there. Repeat the
     * call if it was interrupted.
     */
    public suspend fun addToCircle(circle: String, user: String, role: Role): Unit =
        call { handle.addToCircle(circle, user, role.word) }

    /** Takes a user out of a circle: what it has it keeps, and what it writes there from now on counts nowhere. */
    public suspend fun removeFromCircle(circle: String, user: String): Unit =
        call { handle.removeFromCircle(circle, user) }

    /** When members make new keys without another reason. */
    public val policy: KeyPolicy get() = call { handle.policy() }.toKeyPolicy()

    /**
     * Sets when members make new keys without another reason: at the first write so many days (at most 65,535) after a
     * device first saw a key used, or after so many entries (less than 2^32). Zero is never.
     */
    public suspend fun setPolicy(rotateDays: Int, rotateEntries: Long) {
        if (rotateDays !in 0..UShort.MAX_VALUE.toInt()) {
            throw TidelogException.InvalidArgument("rotateDays is no number of days from 0 to 65535: $rotateDays")
        }
        if (rotateEntries !in 0..UInt.MAX_VALUE.toLong()) {
            throw TidelogException.InvalidArgument("rotateEntries is no number of entries below 2^32: $rotateEntries")
        }
        call { handle.setPolicy(rotateDays.toUShort(), rotateEntries.toUInt()) }
    }

    /** Makes this replica and a relay equal, once. */
    public suspend fun sync(url: String): SyncReport = call { handle.sync(url) }.toSyncReport()

    /** Makes this replica and another one in this process equal, once. */
    public suspend fun syncWith(other: Workspace): SyncReport =
        call { handle.syncWith(other.handle) }.toSyncReport()

    /** Keeps this replica and a relay equal from now on. */
    public fun connect(url: String): Link = Link(call { handle.connect(url) })

    /**
     * Changes of items in databases whose names match, such as `chat/&#42;&#42;`, from when the flow is collected;
     * with [initial], first what is there.
     */
    public fun watch(pattern: String? = null, initial: Boolean = false): Flow<Event<Value>> {
        val options = WatchOptions(pattern, initial)
        return stream({ call { handle.watch(options) } }, { it.next() }) { event ->
            event.toEvent { _, value -> value.toValue() }
        }
    }

    /** Its figures. */
    public suspend fun stats(): Stats = call { handle.stats() }.toStats()

    /** What is wrong now and worth telling a person; empty if all is well. Links tell new ones. */
    public suspend fun warnings(): List<Warning> = call { handle.warnings() }.map { it.toWarning() }

    /**
     * Reads everything on disk and checks it.
     *
     * [progress] hears now and then how many entries are checked, and of how many. If it throws, or the coroutine is
     * cancelled, the check ends.
     */
    public suspend fun verify(progress: Progressing? = null): VerifyReport =
        call { metered(progress) { handle.verify(it) } }.toVerifyReport()

    /** Makes another passphrase the one that opens this workspace on this device; [old], if given, has to fit. */
    public suspend fun changePassphrase(new: String, old: String? = null): Unit =
        changePassphrase(Key.passphrase(new), old?.let(Key::passphrase))

    /** Makes another key the one that opens this workspace on this device; [old], if given, has to be the present one. */
    public suspend fun changePassphrase(new: Key, old: Key? = null): Unit =
        call { new.useWith(old) { fresh, present -> handle.changePassphrase(present, fresh) } }

    /** The 24 words that stand for the root of this workspace, until they are confirmed. */
    public suspend fun recoveryWords(): String = call { handle.recoveryWords() }

    /** Takes the recovery words back from who wrote them down; right ones are erased from this device. */
    public suspend fun confirmRecoveryWords(words: String): Unit = call { handle.confirmRecoveryWords(words) }

    /** Makes a device of this user that exists as 24 words only. They are not shown again. */
    public suspend fun addRecoveryDevice(): String = call { handle.addRecoveryDevice() }

    /**
     * Copies the workspace as it is now into a folder; into that of an earlier backup, only what is new. The key is the
     * backup's own.
     *
     * [progress] hears now and then how many bytes are copied. If it throws, or the coroutine is cancelled, the backup
     * ends, and the next one goes on.
     */
    public suspend fun backup(to: Path, key: Key? = null, progress: Progressing? = null): BackupReport = call {
        key.useIfAny { own -> metered(progress) { handle.backup(to.toString(), own, it) } }
    }.toBackupReport()

    /** Whether this is a copy of a device, which can only be read until it has met a peer. */
    public val restored: Boolean get() = call { handle.restored() }

    /** Goes on without having met a peer: no other copy of this device is in use. */
    public suspend fun confirmOnlyCopy(): Unit = call { handle.confirmOnlyCopy() }

    /** Ends links and flows and releases the folder. A second shutdown does nothing. */
    public suspend fun shutdown(): Unit = withContext(NonCancellable) {
        try {
            call { handle.shutdown() }
            closed = true
            handle.destroy()
        } catch (_: TidelogException.Closed) {
            // Another shutdown was first.
        }
    }

    /** Makes a call. After shutdown there is no handle any more. */
    private inline fun <R> call(action: () -> R): R = try {
        native(action)
    } catch (error: IllegalStateException) {
        throw if (closed && error !is CancellationException) TidelogException.Closed("the workspace is closed") else error
    }

    /** Shuts down like [shutdown], blocking the thread for some milliseconds: the end of a `use` block. */
    override fun close(): Unit = runBlocking { shutdown() }

    /** Opens, makes and joins workspaces. */
    public companion object {
        /** Opens a workspace with a passphrase; with [create], makes it under this name if there is none. */
        public suspend fun open(path: Path, passphrase: String, create: String? = null): Workspace =
            open(path, Key.passphrase(passphrase), create)

        /** Opens a workspace; with [create], makes it under this name if there is none. */
        public suspend fun open(path: Path, key: Key, create: String? = null): Workspace =
            opened(key) { NativeWorkspace.open(path.toString(), it, create) }

        /** Makes a workspace; there must be none. */
        public suspend fun create(path: Path, name: String, passphrase: String): Workspace =
            create(path, name, Key.passphrase(passphrase))

        /** Makes a workspace; there must be none. */
        public suspend fun create(path: Path, name: String, key: Key): Workspace =
            opened(key) { NativeWorkspace.create(path.toString(), it, name) }

        /** [join] with a passphrase for the new replica. */
        public suspend fun join(
            path: Path,
            invite: String,
            passphrase: String,
            profile: String = "",
            timeout: Duration? = null,
        ): Workspace = join(path, invite, Key.passphrase(passphrase), profile, timeout)

        /**
         * Joins the workspace of an invite, under the name [profile]. After an interruption it may be called again.
         * Without a timeout it waits until somebody approves.
         */
        public suspend fun join(
            path: Path,
            invite: String,
            key: Key,
            profile: String = "",
            timeout: Duration? = null,
        ): Workspace {
            val options = JoinOptions(profile, timeout?.toMillis())
            return opened(key) { NativeWorkspace.join(path.toString(), it, invite, options) }
        }

        /**
         * Begins to join by hand, without a relay: makes the device's keys in the folder and gives its request, at most
         * 4 KiB, to be brought to whoever made the invite, who alone can read it. May be repeated, also with another
         * invite to the same workspace. Then [finishJoining].
         *
         * @throws TidelogException.InviteInvalid for what is no invite
         */
        public suspend fun askToJoin(path: Path, invite: String, key: Key, profile: String = ""): ByteArray {
            Callbacks.keepThreadsAttached
            return native { key.use { nativeAskToJoin(path.toString(), it, invite, profile) } }
        }

        /**
         * Ends what [askToJoin] began in a folder, with the welcome that came back. After an error the folder still
         * waits for a welcome.
         *
         * @throws TidelogException.InviteInvalid for what is no welcome for this device
         * @throws TidelogException.Corrupt if it is damaged
         */
        public suspend fun finishJoining(path: Path, welcome: ByteArray, key: Key): Workspace =
            opened(key) { NativeWorkspace.finishJoining(path.toString(), it, welcome) }

        /** Reads a backup and checks it; with a key, also that this opens it. */
        public suspend fun verifyBackup(from: Path, key: Key? = null, progress: Progressing? = null): BackupInfo {
            Callbacks.keepThreadsAttached
            return native {
                key.useIfAny { own -> metered(progress) { nativeVerifyBackup(from.toString(), own, it) } }
            }.toBackupInfo()
        }

        /**
         * Makes the workspace of a backup anew in an empty folder. [backupKey] opens the backup, [key] the workspace
         * from then on, the same if there is none. It can only be read until it has met a peer: see [restored].
         */
        public suspend fun restore(
            from: Path,
            path: Path,
            backupKey: Key,
            key: Key? = null,
            progress: Progressing? = null,
        ): Workspace = opened(backupKey) { opening ->
            key.useIfAny { own ->
                metered(progress) { NativeWorkspace.restore(from.toString(), path.toString(), opening, own, it) }
            }
        }

        /** Gets a workspace back with recovery words, as a new device in an empty folder. */
        public suspend fun recover(path: Path, words: String, key: Key, from: RecoverFrom): Workspace =
            opened(key) { NativeWorkspace.recover(path.toString(), it, words, from.toNative()) }

        private suspend fun opened(key: Key, open: suspend (io.tidelog.internal.Key) -> NativeWorkspace): Workspace {
            Callbacks.keepThreadsAttached
            return Workspace(native { key.use(open) })
        }
    }
}
