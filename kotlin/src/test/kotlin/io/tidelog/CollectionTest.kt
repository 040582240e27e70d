package io.tidelog

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

internal class CollectionTest : WorkspaceTest() {
    @Test
    fun `items outlive the workspace`() = test {
        Workspace.open(path("a.tide"), KEY, create = "Films").use {
            it.database("main").collection<Film>("films").put(FILMS[0])
        }
        Workspace.open(path("a.tide"), KEY, create = "never used").use {
            assertEquals("Films", it.name)
            assertEquals(listOf("main"), it.databases())
            assertEquals(listOf("films"), it.database("main").collections())
            assertEquals(FILMS[0], it.database("main").collection<Film>("films").get("alien"))
        }
    }

    @Test
    fun `reading what is not there`() = testWithFilms {
        assertNull(films.get("dune"))
        assertNull(films.getRaw("dune"))
        assertFalse(films.delete("dune"))
        assertNull(films.first { where("year" eq 1) })
        assertEquals("not_found", throws<TidelogException.NotFound> { films.patch("dune", "year" to 2021) }.code)
    }

    @Test
    fun `put replaces and delete removes`() = testWithFilms {
        films.put(Film("alien", "Aliens", 1986))
        assertEquals(Film("alien", "Aliens", 1986), films.get("alien"))
        assertTrue(films.delete("alien"))
        assertNull(films.get("alien"))
    }

    @Test
    fun `put under a key fills it in and refuses another`() = test {
        films.put("a", Film("", "A", 1))
        assertEquals(Film("a", "A", 1), films.get("a"))
        throws<TidelogException.InvalidArgument> { films.put("a", Film("b", "B", 1)) }
        throws<TidelogException.InvalidArgument> { films.put(Film("", "no key", 1)) }
    }

    @Test
    fun `the key can be another field, and a type without it is refused`() = test {
        val byTitle = database.collection<Film>("by title", key = "title")
        byTitle.put(FILMS[0])
        assertEquals(FILMS[0], byTitle.get("Alien"))
        val refused = throws<TidelogException.InvalidArgument> { database.collection<Film>("x", key = "name") }
        assertTrue("name" in refused.message!!)
    }

    @Test
    fun `insert makes keys and refuses a taken one`() = testWithFilms {
        val film = films.insert(Film(title = "Dune", year = 2021))
        assertTrue(film.id.isNotEmpty())
        assertEquals(film, films.get(film.id))
        throws<TidelogException.AlreadyExists> { films.insert(FILMS[0]) }
        val notes = database.items<String>("notes")
        val note = notes.insert("a note without fields")
        assertEquals("a note without fields", notes.get(note.key))
    }

    @Test
    fun `putMany says what it did`() = test {
        val summary = films.putMany((0 until 500).map { Film("$it", "t", it) })
        assertEquals(500, summary.items)
        assertTrue(summary.entries < 500)
        assertEquals(500, films.count())
        assertEquals(2, database.items<Int>("notes").putMany(mapOf("a" to 1, "b" to 2)).items)
        assertEquals(1, database.items<Int>("notes").putMany(listOf(Item("c", 3))).items)
    }

    @Test
    fun `queries filter, sort and page`() = testWithFilms {
        assertEquals(listOf(FILMS[2], FILMS[1]), films.query { where("year" ge 1982); sort("-year") })
        assertEquals(
            listOf(FILMS[0], FILMS[2]),
            films.query { where(or("title" prefix "A", "title" eq "Cube")); sort("title") },
        )
        assertEquals(listOf(FILMS[2]), films.query { ids = listOf("cube", "dune") })
        assertEquals(2, films.count { where("year" lt 1990) })
        assertEquals(FILMS[2], films.first { sort("-year") })
        val page = films.query { sort("year"); limit = 2 }
        assertEquals(FILMS.take(2), page)
        assertEquals(FILMS.drop(2), films.query { sort("year"); limit = 2; cursor = page.cursor })
        assertEquals(FILMS.drop(1), films.query { sort("year"); offset = 1 })
        assertEquals(FILMS, films.all())
    }

    @Test
    fun `every operator of a query does what it says`() = testWithFilms {
        suspend fun keys(query: Query.() -> Unit) = films.query(query).map { it.id }
        assertEquals(listOf("blade", "cube"), keys { where("year" ne 1979) })
        assertEquals(listOf("alien"), keys { where("year" le 1979) })
        assertEquals(listOf("cube"), keys { where("year" gt 1982) })
        assertEquals(listOf("alien", "cube"), keys { where("id" isIn listOf("alien", "cube")) })
        assertEquals(listOf("blade"), keys { where("title" contains "Run") })
        assertEquals(emptyList<String>(), keys { where("director" exists true) })
        assertEquals(listOf("blade", "cube"), keys { where(not("id" eq "alien")) })
        assertEquals(listOf("blade"), keys { where("year" gt 1979, "year" lt 1990) })
        assertEquals(listOf("blade"), keys { where(and("year" gt 1979, "year" lt 1990)) })
        assertEquals(listOf("cube"), keys { where(mapOf("year" to mapOf("ge" to 1990))) })
    }

    @Test
    fun `a query that makes no sense says where`() = testWithFilms {
        val refused = throws<TidelogException.InvalidArgument> {
            films.query { where(mapOf("year" to mapOf("gte" to 1999))) }
        }
        assertTrue("year" in refused.message!!)
        throws<TidelogException.InvalidArgument> { films.query { limit = -1 } }
    }

    @Test
    fun `patch checks the item it makes`() = testWithFilms {
        films.patch("alien", "year" to 1980, "title" to "Alien!")
        assertEquals(Film("alien", "Alien!", 1980), films.get("alien"))
        val refused = throws<TidelogException.InvalidValue> { films.patch("alien", "year" to "soon") }
        assertTrue("`year`" in refused.message!!)
        assertEquals(1980, films.get("alien")?.year)
    }

    @Test
    fun `update sees the item and replaces or deletes it`() = testWithFilms {
        val updated = films.update("alien") { film -> film?.copy(title = film.title + "!") }
        assertEquals(Film("alien", "Alien!", 1979), updated)
        assertEquals(updated, films.get("alien"))
        assertEquals(Film("dune", "Dune", 2021), films.update("dune") { it ?: Film("", "Dune", 2021) })
        assertNull(films.update("alien") { null })
        assertNull(films.get("alien"))
    }

    @Test
    fun `updates from many threads lose nothing`() = test {
        val counters = database.items<Int>("counters")
        counters.put("n", 0)
        (1..4).map { async(Dispatchers.Default) { repeat(10) { counters.update("n") { (it ?: 0) + 1 } } } }.awaitAll()
        assertEquals(40, counters.get("n"))
    }

    @Test
    fun `a transaction is seen as a whole`() = testWithFilms {
        val notes = database.items<String>("notes")
        val dune = database.transaction { transaction ->
            val inside = transaction.collection(films)
            inside.patch("alien", "year" to 1980)
            assertTrue(inside.delete("cube"))
            inside.put(Film("e", "Eraser", 1996))
            transaction.collection(notes).put("n", "note")
            assertEquals(Film("alien", "Alien", 1980), inside.get("alien"))
            assertNull(inside.get("cube"))
            assertNotNull(films.get("cube"))
            inside.insert(Film(title = "Dune", year = 2021))
        }
        assertEquals(Film("alien", "Alien", 1980), films.get("alien"))
        assertEquals(dune, films.get(dune.id))
        assertNull(films.get("cube"))
        assertEquals("note", notes.get("n"))
        assertEquals(films.history("alien").last().entry, notes.history("n").single().entry)
    }

    @Test
    fun `a transaction that fails changes nothing`() = testWithFilms {
        var kept: Transaction? = null
        throws<IllegalStateException> {
            database.transaction { transaction ->
                kept = transaction
                transaction.collection(films).delete("alien")
                error("no")
            }
        }
        assertNotNull(films.get("alien"))
        throws<TidelogException.Closed> { kept!!.commit() }
        throws<TidelogException.InvalidArgument> { database.transaction { it.collection(films.own()) } }
    }

    @Test
    fun `a transaction can end before its block`() = testWithFilms {
        database.transaction { transaction ->
            transaction.collection(films).delete("alien")
            transaction.rollBack()
            throws<TidelogException.Closed> { transaction.collection(films).delete("cube") }
            transaction.rollBack()
        }
        assertEquals(FILMS, films.all())
        val entry = database.transaction { transaction ->
            transaction.collection(films).delete("alien")
            transaction.commit()
        }
        assertEquals(entry, films.history("alien").last().entry)
    }

    @Test
    fun `history tells every version`() = testWithFilms {
        films.patch("alien", "year" to 1980)
        films.delete("alien")
        val versions = films.history("alien")
        assertEquals(listOf("put", "put", "delete"), versions.map { it.kind })
        assertEquals(Value.Int(1980), versions[1].value?.get("year"))
        assertTrue(versions.all { it.local && it.author == workspace.me.device && it.user == workspace.me.user })
        assertEquals(versions.sortedBy { it.time }, versions)
    }

    @Test
    fun `own items are apart`() = testWithFilms {
        films.own().put(Film("alien", "mine", 1))
        assertEquals(FILMS[0], films.get("alien"))
        assertEquals(Film("alien", "mine", 1), films.of(workspace.me.user).get("alien"))
        throws<TidelogException.InvalidArgument> { films.of("nobody") }
    }

    @Test
    fun `items that do not fit the type are left out, and read raw`() = testWithFilms {
        database.items<Value>("films").put("odd", Value.of(mapOf("id" to "odd", "title" to 1, "year" to "?")))
        assertEquals(FILMS, films.all())
        assertNull(films.get("odd"))
        assertEquals(Value.Text("?"), films.getRaw("odd")?.get("year"))
        assertEquals(FILMS[2], films.first { sort("-id"); where("id" ge "cube") })
        assertEquals(FILMS[0], films.first { sort("-year") ; where("id" isIn listOf("odd", "alien")) })
    }

    @Test
    fun `a policy is part of a collection`() = testWithFilms {
        val documents = database.items<Value>("films", Policy.DOCUMENT)
        throws<TidelogException.PolicyConflict> { documents.document("alien").set("title", "Alien") }
    }

    @Test
    fun `figures and verification`() = testWithFilms {
        val stats = workspace.stats()
        assertEquals(1, stats.users)
        assertEquals(1, stats.devices)
        assertTrue(stats.entries > 0)
        val report = workspace.verify()
        assertEquals(stats.entries, report.entries)
        assertEquals(emptyList<String>(), report.problems)
        assertEquals(Role.OWNER, workspace.me.role)
        assertEquals(listOf(true), workspace.members().map { it.me })
        assertEquals(listOf(workspace.me.device), workspace.devices().map { it.device })
        workspace.setProfile("Ada")
        assertEquals("Ada", workspace.me.profile)
    }

    @Test
    fun `an uncollected flow costs nothing and a collected one begins then`() = testWithFilms {
        val watch = films.watch()
        films.delete("cube")
        val event = async { watch.first() }
        launch {
            while (!event.isCompleted) {
                films.patch("alien", "year" to 1980)
                kotlinx.coroutines.yield()
            }
        }
        assertEquals("alien", (event.await() as Change).key)
    }
}
