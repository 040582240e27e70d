/** The words of members, invites and circles. */
package io.tidelog.scenarios

import io.tidelog.History
import io.tidelog.Role
import io.tidelog.Workspace

private fun Command.role() = text("role")?.let { Role.valueOf(it.uppercase()) }

suspend fun Command.member(): Any? = when (need("op")) {
    "me" -> workspace.me
    "set_profile" -> workspace.setProfile(need("name"))
    "members" -> workspace.members()
    "devices" -> workspace.devices()
    "set_role" -> workspace.setRole(need("user"), role()!!)
    "remove_user" -> workspace.removeUser(need("user"))
    "remove_device" -> workspace.removeDevice(need("device"))
    "excluded" -> workspace.excluded()
    "accept_excluded" -> workspace.acceptExcluded(need("device"))
    "invite" -> {
        val (expires, circles) = time("expires_in_ms") to texts("circles").orEmpty()
        workspace.invite(text("relay"), role(), expires, flag("auto_approve"), int("uses"), flag("same_user"), circles)
    }
    "invites" -> workspace.invites()
    "withdraw" -> workspace.withdraw(need("id"))
    "requests" -> workspace.requests()
    "approve" -> workspace.approve(need("id"))
    "ask_to_join" -> Workspace.askToJoin(path("path"), need("invite"), key()!!, text("profile") ?: "")
    "receive_request" -> workspace.receiveRequest(value("request") as ByteArray)
    "welcome" -> workspace.welcome(need("id"))
    "databases" -> workspace.databases(text("circle"))
    "create_circle" -> {
        val history = text("history")?.let { History.valueOf(it.uppercase()) } ?: History.FULL
        workspace.createCircle(need("name"), history, text("recoverable") != "false")
    }
    "circles" -> workspace.circles()
    "add_to_circle" -> workspace.addToCircle(need("circle"), need("user"), role()!!)
    "remove_from_circle" -> workspace.removeFromCircle(need("circle"), need("user"))
    "policy" -> workspace.policy
    "set_policy" -> workspace.setPolicy(int("rotate_days")!!, long("rotate_entries")!!)
    else -> item()
}
