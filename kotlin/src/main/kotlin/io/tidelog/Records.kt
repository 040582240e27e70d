package io.tidelog

import kotlin.time.Instant
import io.tidelog.internal.BackupInfo as NativeBackupInfo
import io.tidelog.internal.BackupReport as NativeBackupReport
import io.tidelog.internal.Change as NativeChange
import io.tidelog.internal.Changes as NativeChanges
import io.tidelog.internal.Circle as NativeCircle
import io.tidelog.internal.CircleMember as NativeCircleMember
import io.tidelog.internal.Device as NativeDevice
import io.tidelog.internal.Entries as NativeEntries
import io.tidelog.internal.Event as NativeEvent
import io.tidelog.internal.ExcludedEntry as NativeExcludedEntry
import io.tidelog.internal.Invite as NativeInvite
import io.tidelog.internal.JoinRequest as NativeJoinRequest
import io.tidelog.internal.KeyPolicy as NativeKeyPolicy
import io.tidelog.internal.LinkEvent as NativeLinkEvent
import io.tidelog.internal.LinkState as NativeLinkState
import io.tidelog.internal.LogChange as NativeLogChange
import io.tidelog.internal.Me as NativeMe
import io.tidelog.internal.Member as NativeMember
import io.tidelog.internal.Progress as NativeProgress
import io.tidelog.internal.RecoverFrom as NativeRecoverFrom
import io.tidelog.internal.RemovalReport as NativeRemovalReport
import io.tidelog.internal.Stats as NativeStats
import io.tidelog.internal.SyncReport as NativeSyncReport
import io.tidelog.internal.Transfer as NativeTransfer
import io.tidelog.internal.Value as NativeValue
import io.tidelog.internal.VerifyReport as NativeVerifyReport
import io.tidelog.internal.Version as NativeVersion
import io.tidelog.internal.Warning as NativeWarning

// From the records of the private module to those of the package.

private fun time(ms: Long): Instant = Instant.fromEpochMilliseconds(ms)

private fun role(name: String): Role = Role.valueOf(name.uppercase())

internal val Role.word: String get() = name.lowercase()

internal val History.word: String get() = name.lowercase()

internal fun NativeMe.toMe() = Me(user, device, role(role), profile)

internal fun NativeInvite.toInvite() = Invite(
    id = id,
    uri = uri,
    expires = time(expiresMs),
    role = role(role),
    relay = relay,
    usesLeft = usesLeft.toInt(),
    autoApprove = autoApprove,
    sameUser = sameUser,
    circles = circles,
)

internal fun NativeJoinRequest.toJoinRequest() =
    JoinRequest(id, profile, device, role(role), sameUser, circles, time(requestedMs))

internal fun NativeMember.toMember() = Member(user, role(role), profile, devices, me)

internal fun NativeDevice.toDevice() = Device(device, user, addedBy, me)

internal fun NativeRemovalReport.toRemovalReport() =
    RemovalReport(cuts.toLong(), claimed.toLong(), entries.toLong(), keysRenewed, advice)

internal fun NativeExcludedEntry.toExcludedEntry() =
    ExcludedEntry(
        entry, device, user, database, seq.toLong(), ExclusionReason.valueOf(reason.uppercase()), dueMs?.let(::time)
    )

internal fun NativeCircle.toCircle() =
    Circle(id, name, History.valueOf(history.uppercase()), recoverable, members.map { it.toCircleMember() }, readable)

private fun NativeCircleMember.toCircleMember() = CircleMember(user, role(role))

internal fun NativeKeyPolicy.toKeyPolicy() = KeyPolicy(rotateDays.toInt(), rotateEntries.toLong())

internal fun NativeWarning.toWarning() = Warning(kind, device, user, database, entry, text)

internal fun NativeSyncReport.toSyncReport() = SyncReport(
    sent.toLong(),
    received.toLong(),
    bytesSent.toLong(),
    bytesReceived.toLong(),
    roundTrips.toLong(),
    held.toLong(),
    heldThere,
)

internal fun NativeStats.toStats() = Stats(
    entries.toLong(),
    logBytes.toLong(),
    streams.toLong(),
    chains.toLong(),
    users.toLong(),
    devices.toLong(),
    root,
)

internal fun NativeVerifyReport.toVerifyReport() = VerifyReport(
    entries.toLong(),
    bytes.toLong(),
    signatures.toLong(),
    damaged.toLong(),
    problems,
)

internal fun NativeBackupReport.toBackupReport() = BackupReport(entries.toLong(), bytes.toLong(), copied.toLong(), key)

internal fun NativeBackupInfo.toBackupInfo() =
    BackupInfo(workspace, time(madeMs), entries.toLong(), bytes.toLong(), key, problems)

internal fun RecoverFrom.toNative() = when (this) {
    is RecoverFrom.Folder -> NativeRecoverFrom(folder = path.toString(), relay = null, workspace = null)
    is RecoverFrom.Relay -> NativeRecoverFrom(folder = null, relay = url, workspace = workspace)
}

internal fun NativeVersion.toVersion() = Version(entry, author, user, time(hlcMs), kind, value?.toValue(), local)

internal fun NativeTransfer.toTransfer() = Transfer(received.toLong(), sent.toLong())

internal fun NativeEntries.toEntries() = Entries(entries, missing)

internal fun NativeChanges.toChanges() = Changes(items.map { it.toLogChange() }, cursor)

private fun NativeLogChange.toLogChange() =
    LogChange(kind, collection, owner, key, entry, author, arrival.toLong())

internal fun <T> NativeEvent.toEvent(value: (key: String, NativeValue) -> T?): Event<T> = when (this) {
    is NativeEvent.Change -> v1.toChange(value)
    is NativeEvent.Lagged -> Lagged(v1.toLong())
}

private fun <T> NativeChange.toChange(value: (key: String, NativeValue) -> T?) = Change(
    kind = kind,
    database = database,
    circle = circle,
    collection = collection,
    owner = owner,
    key = key,
    old = old?.let { value(key, it) },
    new = new?.let { value(key, it) },
    author = author,
    time = time(hlcMs),
    local = local,
    entry = entry,
)

internal fun NativeProgress.toProgress() = Progress(
    received.toLong(),
    receivedTotal.toLong(),
    sent.toLong(),
    sentTotal.toLong(),
    bytesReceived.toLong(),
    bytesSent.toLong(),
)

internal fun NativeLinkState.toLinkState() = when (this) {
    NativeLinkState.OFFLINE -> LinkState.OFFLINE
    NativeLinkState.CONNECTING -> LinkState.CONNECTING
    NativeLinkState.CATCHING_UP -> LinkState.CATCHING_UP
    NativeLinkState.LIVE -> LinkState.LIVE
}

internal fun NativeLinkEvent.toLinkEvent(): LinkEvent = when (this) {
    is NativeLinkEvent.State -> v1.toLinkState()
    is NativeLinkEvent.Progress -> v1.toProgress()
    is NativeLinkEvent.Failed -> LinkFailure(code, reason)
    is NativeLinkEvent.Warned -> v1.toWarning()
    is NativeLinkEvent.Lagged -> Lagged(v1.toLong())
}
