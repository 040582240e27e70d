package io.tidelog

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import kotlin.time.Duration.Companion.days
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

internal class SyncTest : WorkspaceTest() {
    /** The workspace on a second device, of another user; both have a link to the relay. */
    private fun testJoined(block: suspend CoroutineScope.(relay: String, phone: Workspace) -> Unit) = test {
        Relay(path("relay")).use { relay ->
            workspace.connect(relay.address).waitLive(20.seconds)
            val invite = workspace.invite(relay.address, autoApprove = true)
            Workspace.join(path("phone.tide"), invite.uri, KEY, profile = "phone", timeout = 20.seconds).use { phone ->
                phone.connect(relay.address).waitLive(20.seconds)
                block(relay.address, phone)
            }
        }
    }

    @Test
    fun `what one writes the other sees live`() = testJoined { _, phone ->
        val there = phone.database("main").collection<Film>("films")
        val seen = async(start = CoroutineStart.UNDISPATCHED) { there.live().first { it.size == FILMS.size } }
        films.putMany(FILMS)
        assertEquals(FILMS, seen.await())
        there.patch("alien", "year" to 1980)
        assertEquals(1980, films.live().first { it.first().year == 1980 }.first().year)
        assertEquals(listOf(Role.OWNER, Role.WRITER), workspace.members().map { it.role }.sortedDescending())
        assertEquals("phone", workspace.members().single { !it.me }.profile)
        assertEquals(2, workspace.devices().size)
        val me = phone.me
        assertEquals(me.device, there.history("alien").last().author)
    }

    @Test
    fun `a link tells how it stands`() = testJoined { relay, phone ->
        val link = phone.connect(relay)
        val live = async(start = CoroutineStart.UNDISPATCHED) { link.events().first { it == LinkState.LIVE } }
        link.waitLive(20.seconds)
        assertEquals(LinkState.LIVE, link.state)
        live.cancel()
        assertEquals(0, link.pending)
        assertTrue(link.progress.bytesReceived > 0)
        assertNull(link.lastError)
        link.stop()
        link.stop()
        assertEquals(LinkState.OFFLINE, link.state)
        throws<TidelogException.Closed> { link.waitLive() }
        throws<TidelogException.Timeout> { phone.connect("ws://127.0.0.1:9").use { it.waitLive(50.milliseconds) } }
    }

    @Test
    fun `a relay that is not there is a failure of the link, and of a sync`() = test {
        workspace.connect("ws://127.0.0.1:9").use { link ->
            val failure = link.events().first { it is LinkFailure } as LinkFailure
            assertEquals("network", failure.code)
            assertEquals("network", link.lastError?.code)
        }
        throws<TidelogException.Network> { workspace.sync("ws://127.0.0.1:9") }
        throws<TidelogException.InvalidArgument> { workspace.connect("http://example.org") }
    }

    @Test
    fun `a device asks, is shown and is approved`() = test {
        Relay(path("relay")).use { relay ->
            workspace.sync(relay.address)
            val invite = workspace.invite(relay.address, role = Role.READER, expires = 1.days)
            assertEquals(listOf(invite), workspace.invites())
            assertFalse(invite.uri in invite.toString())
            val joining = async {
                Workspace.join(path("phone.tide"), invite.uri, KEY, profile = "phone", timeout = 30.seconds)
            }
            var requests = workspace.requests()
            while (requests.isEmpty()) {
                delay(20)
                requests = workspace.requests()
            }
            val request = requests.single()
            assertEquals("phone" to Role.READER, request.profile to request.role)
            workspace.approve(request)
            joining.await().use { phone ->
                assertEquals(Role.READER, phone.me.role)
                throws<TidelogException.NotAuthorized> {
                    phone.database("main").collection<Film>("films").put(FILMS[0])
                }
            }
            throws<TidelogException.NotFound> { workspace.approve("nobody") }
        }
    }

    @Test
    fun `an invite can be taken back, and a wrong one is refused`() = test {
        Relay(path("relay")).use { relay ->
            workspace.sync(relay.address)
            val invite = workspace.invite(relay.address)
            workspace.withdraw(invite)
            assertEquals(emptyList<Invite>(), workspace.invites())
            throws<TidelogException.NotFound> { workspace.withdraw("nobody") }
            throws<TidelogException.InviteInvalid> { Workspace.join(path("a.tide"), "tidelog:join?no", KEY) }
        }
    }

    @Test
    fun `joining can be given up and taken up again`() = test {
        Relay(path("relay")).use { relay ->
            workspace.sync(relay.address)
            val invite = workspace.invite(relay.address)
            val given = launch { Workspace.join(path("phone.tide"), invite.uri, KEY, profile = "phone") }
            while (workspace.requests().isEmpty()) delay(20)
            given.cancel()
            workspace.approve(workspace.requests().single())
            given.join()
            // The call that was given up still holds the folder until it has ended.
            var phone: Workspace? = null
            while (phone == null) {
                phone = try {
                    Workspace.join(path("phone.tide"), invite.uri, KEY, timeout = 20.seconds)
                } catch (_: TidelogException.AlreadyOpen) {
                    delay(20)
                    null
                }
            }
            phone.use { assertEquals(Role.WRITER, it.me.role) }
        }
    }

    @Test
    fun `replicas in one process become equal without a relay`() = testJoined { _, phone ->
        films.putMany(FILMS)
        val report = workspace.syncWith(phone)
        assertTrue(report.sent >= 0 && report.roundTrips > 0)
        assertEquals(workspace.stats().root, phone.stats().root)
        val there = phone.database("main").log()
        films.delete("cube")
        val moved = there.pullFrom(database.log())
        assertTrue(moved.received <= 1)
        assertEquals(0, database.log().pushTo(there).sent)
        assertEquals(Transfer(0, 0), there.syncWith(database.log()))
        assertNull(phone.database("main").collection<Film>("films").get("cube"))
    }

    @Test
    fun `the log at a relay is read and written there`() = test {
        Relay(path("relay")).use { relay ->
            films.put(FILMS[0])
            workspace.sync(relay.address)
            val (here, there) = database.log().let { it to it.at(relay.address) }
            assertEquals(here.entryIds(), there.entryIds())
            films.delete("alien")
            val fresh = there.missing(here.entryIds()).single()
            val entry = here.entries(listOf(fresh)).entries.single()
            assertTrue(there.append(entry))
            assertFalse(there.append(entry))
            assertArrayEquals(entry, there.entries(listOf(fresh)).entries.single())
            val start = there.changesSince()
            assertEquals("delete" to "alien", start.items.single().run { kind to key })
            assertEquals(emptyList<LogChange>(), there.changesSince(start.cursor).items)
            throws<TidelogException.InvalidArgument> { there.append(ByteArray(3)) }
            throws<TidelogException.InvalidArgument> { there.changesSince(limit = -1) }
            throws<TidelogException.InvalidArgument> { here.at("http://example.org") }
            throws<TidelogException.Network> { here.at("ws://127.0.0.1:9").entryIds() }
        }
    }
}
