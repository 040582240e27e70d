/**
 * Records of the native module as the package gives them: missing is null, and times are dates.
 */
import type * as native from '../native.js'
import type {
  Circle, ExcludedEntry, ExclusionReason, History, Invite, JoinRequest, Member, RemovalReport, Role, Warning,
} from './types.js'

/** An invite. */
export function asInvite({ expiresMs, role, relay, ...same }: native.Invite): Invite {
  return { ...same, role: role as Role, relay: relay ?? null, expires: new Date(expiresMs) }
}

/** A device that asks to join. */
export function asRequest({ requestedMs, role, ...same }: native.JoinRequest): JoinRequest {
  return { ...same, role: role as Role, requested: new Date(requestedMs) }
}

/** A user. */
export function asMember({ role, profile, ...same }: native.Member): Member {
  return { ...same, role: role as Role, profile: profile ?? null }
}

/** What a removal did. */
export function asRemoval({ advice, ...same }: native.RemovalReport): RemovalReport {
  return { ...same, advice: advice ?? null }
}

/** An entry that is held and not shown. */
export function asExcluded({ user, database, reason, dueMs, ...same }: native.ExcludedEntry): ExcludedEntry {
  const due = dueMs == null ? null : new Date(dueMs)
  return { ...same, user: user ?? null, database: database ?? null, reason: reason as ExclusionReason, due }
}

/** A circle. */
export function asCircle({ name, history, members, ...same }: native.Circle): Circle {
  const roles = members.map(({ user, role }) => ({ user, role: role as Role }))
  return { ...same, name: name ?? null, history: history as History, members: roles }
}

/** Something that is wrong. */
export function asWarning({ kind, device, user, database, entry, text }: native.Warning): Warning {
  const about = { device: device ?? null, user: user ?? null, database: database ?? null, entry: entry ?? null }
  return { kind: kind as Warning['kind'], ...about, text }
}
