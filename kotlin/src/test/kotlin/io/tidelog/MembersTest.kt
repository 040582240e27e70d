package io.tidelog

import kotlinx.serialization.json.Json
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

internal class MembersTest : WorkspaceTest() {
    /** A second user that joined by hand: no relay is there. */
    private suspend fun joined(invite: Invite): Workspace {
        val place = path("phone.tide")
        val asked = workspace.receiveRequest(Workspace.askToJoin(place, invite.uri, KEY, profile = "phone"))
        if (workspace.requests().isNotEmpty()) workspace.approve(asked)
        return Workspace.finishJoining(place, workspace.welcome(asked), KEY)
    }

    private fun Workspace.notes() = database("main").items<Int>("notes")

    @Test
    fun `a request and a welcome go from hand to hand`() = testWithFilms {
        val invite = workspace.invite(uses = 2, role = Role.READER)
        assertNull(invite.relay)
        assertEquals(Triple(Role.READER, 2, emptyList<String>()), Triple(invite.role, invite.usesLeft, invite.circles))
        assertFalse(invite.autoApprove || invite.sameUser)
        assertEquals(invite, Json.decodeFromString<Invite>(Json.encodeToString(invite)))
        val request = Workspace.askToJoin(path("phone.tide"), invite.uri, KEY, profile = "phone")
        throws<TidelogException.NotAdmitted> { Workspace.open(path("phone.tide"), KEY) }
        throws<TidelogException.InviteInvalid> { workspace.receiveRequest(request.copyOf(request.size - 1)) }
        val asked = workspace.receiveRequest(request)
        assertEquals(listOf(asked), workspace.requests())
        throws<TidelogException.NotAdmitted> { workspace.welcome(asked) }
        workspace.approve(asked)
        val welcome = workspace.welcome(asked)
        throws<TidelogException.InviteInvalid> { Workspace.finishJoining(path("phone.tide"), request, KEY) }
        Workspace.finishJoining(path("phone.tide"), welcome, KEY).use { phone ->
            assertEquals(Role.READER, phone.me.role)
            assertEquals(FILMS, phone.database("main").collection<Film>("films").all())
        }
        assertEquals(1, workspace.invites().single().usesLeft)
    }

    @Test
    fun `a reader writes no more, and nothing of it is left to accept`() = test {
        joined(workspace.invite(autoApprove = true)).use { phone ->
            phone.syncWith(workspace)
            workspace.setRole(phone.me.user, Role.READER)
            phone.syncWith(workspace)
            throws<TidelogException.NotAuthorized> { phone.notes().put("refused", 3) }
            assertEquals(emptyList<ExcludedEntry>(), workspace.excluded())
            throws<TidelogException.NotFound> { workspace.acceptExcluded(phone.me.device) }
            assertEquals(emptyList<Warning>(), workspace.warnings())
        }
    }

    @Test
    fun `whoever is removed is gone with its devices`() = test {
        joined(workspace.invite(autoApprove = true)).use { phone ->
            phone.syncWith(workspace)
            throws<TidelogException.NotAuthorized> { phone.removeUser(workspace.me.user) }
            val report = workspace.removeUser(phone.me.user)
            assertTrue(report.keysRenewed && report.cuts > 0 && report.claimed == 0L && report.advice == null)
            throws<TidelogException.NotFound> { workspace.removeDevice(phone.me.device) }
            assertEquals(1 to 1, workspace.members().size to workspace.devices().size)
        }
    }

    @Test
    fun `a circle is read by who is in it`() = test {
        val board = workspace.createCircle("Board", history = History.FROM_JOIN, recoverable = false)
        assertEquals(listOf(board), workspace.circles())
        assertEquals(board, Json.decodeFromString<Circle>(Json.encodeToString(board)))
        assertTrue("\"from_join\"" in Json.encodeToString(board))
        val minutes = workspace.database("minutes", circle = board.id).items<Int>("pages")
        minutes.put("1", 1)
        assertEquals(listOf("minutes"), workspace.databases(board.id))
        assertEquals(emptyList<String>(), workspace.databases())
        throws<TidelogException.InvalidArgument> { workspace.database("minutes", circle = "Board") }
        joined(workspace.invite()).use { phone ->
            val there = phone.database("minutes", circle = board.id).items<Int>("pages")
            assertEquals(null to false, phone.circles().single().run { name to readable })
            throws<TidelogException.NotAuthorized> { there.get("1") }
            workspace.addToCircle(board.id, phone.me.user, Role.WRITER)
            phone.syncWith(workspace)
            assertEquals("Board" to true, phone.circles().single().run { name to readable })
            assertTrue(CircleMember(phone.me.user, Role.WRITER) in phone.circles().single().members)
            assertEquals(1, there.get("1"))
            workspace.removeFromCircle(board.id, phone.me.user)
            phone.syncWith(workspace)
            throws<TidelogException.NotAuthorized> { there.put("2", 2) }
        }
    }

    @Test
    fun `an invite leads into circles`() = test {
        val board = workspace.createCircle("Board")
        workspace.database("minutes", circle = board.id).items<Int>("pages").put("1", 1)
        val invite = workspace.invite(circles = listOf(board.id))
        assertEquals(listOf(board.id), invite.circles)
        joined(invite).use { phone ->
            assertEquals(1, phone.database("minutes", circle = board.id).items<Int>("pages").get("1"))
        }
    }

    @Test
    fun `new keys are made by a policy`() = test {
        assertEquals(KeyPolicy(90, 1L shl 20), workspace.policy)
        workspace.setPolicy(rotateDays = 65_535, rotateEntries = 4_294_967_295)
        assertEquals(KeyPolicy(65_535, 4_294_967_295), workspace.policy)
        throws<TidelogException.InvalidArgument> { workspace.setPolicy(65_536, 0) }
        throws<TidelogException.InvalidArgument> { workspace.setPolicy(0, -1) }
    }
}
