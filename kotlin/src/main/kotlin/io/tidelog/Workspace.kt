package io.tidelog

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import java.nio.file.Path
import kotlin.time.Duration
import io.tidelog.internal.InviteOptions
import io.tidelog.internal.JoinOptions
import io.tidelog.internal.WatchOptions
import io.tidelog.internal.Workspace as NativeWorkspace
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

    /** A database; it comes into being with the first write. */
    public fun database(name: String): Database = Database(call { handle.database(name) })

    /** The names of its databases. */
    public suspend fun databases(): List<String> = call { handle.databases() }

    /**
     * Makes an invite to meet at a relay: for one new writer, open for a day, if nothing else is said.
     *
     * With [autoApprove] whoever asks is admitted at once, while this device is connected. With [sameUser] it is for
     * another device of this user, instead of for another user.
     */
    public suspend fun invite(
        relay: String,
        role: Role? = null,
        expires: Duration? = null,
        autoApprove: Boolean = false,
        uses: Int? = null,
        sameUser: Boolean = false,
    ): Invite {
        if (uses != null && uses < 0) throw TidelogException.InvalidArgument("uses is no number of times: $uses")
        val options = InviteOptions(relay, role?.word, expires?.toMillis(), autoApprove, uses?.toUInt(), sameUser, emptyList())
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

    /** Gives this user a name that other members see. */
    public suspend fun setProfile(name: String): Unit = call { handle.setProfile(name) }

    /** Its users. */
    public suspend fun members(): List<Member> = call { handle.members() }.map { it.toMember() }

    /** Its devices. */
    public suspend fun devices(): List<Device> = call { handle.devices() }.map { it.toDevice() }

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
