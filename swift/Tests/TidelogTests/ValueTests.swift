import Foundation
import Testing
import Tidelog

/// What a value may be, and that it comes back as it was: checked against the vectors of all languages.
@Suite struct ValueTests {
    struct Timed: Codable, Sendable, Hashable { var at: Date }
    struct Named: Codable, Sendable, Hashable { var id: UUID }
    struct Priced: Codable, Sendable, Hashable { var price: Decimal }
    struct Counted: Codable, Sendable, Hashable { var value: Int64 }

    /// Whether a typed value is stored as this and comes back as it was.
    private func survives<T: Codable & Sendable & Hashable>(
        _ value: T, as stored: Value, in workspace: Workspace
    ) async throws {
        let things = try workspace.database("main").collection("things", of: T.self)
        try await things.put("key", value)
        #expect(try await things.getRaw("key") == stored)
        #expect(try await things.get("key") == value)
    }

    @Test func valuesComeBackAsTheVectorsSay() async throws {
        try await withWorkspace { workspace in
            let things = try workspace.database("main").collection("things")
            for vector in try #require(try vectors("values.json")["values"]).list {
                let json = try #require(vector["json"]?.text)
                try await things.put("it", try HostValues.value(ofJSON: json))
                let canonical = try #require(vector["canonical"]?.text)
                let expected = try HostValues.value(ofJSON: canonical)
                #expect(try await things.get("it") == expected, "\(vector["name"]?.text ?? "")")
            }
        }
    }

    @Test func cborIsItsValueAndOtherBytesAreRefused() throws {
        let file = try vectors("values.json")
        for vector in try #require(file["values"]).list {
            let expected = try HostValues.value(ofJSON: try #require(vector["canonical"]?.text))
            #expect(try HostValues.decodeCBOR(bytes(vector, "cbor")) == expected, "\(vector["name"]?.text ?? "")")
        }
        for vector in try #require(file["refused_cbor"]).list {
            #expect(throws: Layout.Refused.self, "\(vector["name"]?.text ?? "")") {
                try HostValues.decodeCBOR(bytes(vector, "cbor"))
            }
        }
        let types = try vectors("types.json")
        for vector in try ["date_times", "decimals", "uuids"].flatMap({ try #require(types[$0]).list }) {
            #expect(try HostValues.decodeCBOR(bytes(vector, "stored", "cbor")) == vector["text"])
        }
        for vector in try #require(types["int64"]).list {
            let integer = try #require(vector["text"]?.text.flatMap(Int64.init))
            #expect(try HostValues.decodeCBOR(bytes(vector, "cbor")) == .int(integer))
        }
        for vector in try #require(types["bytes"]).list {
            #expect(try HostValues.decodeCBOR(bytes(vector, "cbor")) == .bytes(bytes(vector, "hex")))
        }
    }

    @Test func integersKeepAll64Bits() async throws {
        try await withWorkspace { workspace in
            for vector in try #require(try vectors("types.json")["int64"]).list {
                let integer = try #require(Int64(vector["text"]?.text ?? ""))
                try await survives(Counted(value: integer), as: ["value": .int(integer)], in: workspace)
            }
        }
    }

    @Test func datesAreRFC3339InUTCWithMilliseconds() async throws {
        try await withWorkspace { workspace in
            for vector in try #require(try vectors("types.json")["date_times"]).list {
                let ms = try #require(vector["unix_ms"]?.int)
                let date = Date(timeIntervalSince1970: Double(ms) / 1000)
                let text = try #require(vector["text"])
                try await survives(Timed(at: date), as: ["at": text], in: workspace)
                #expect(try Value.date(date) == text)
            }
        }
    }

    @Test func datesOfOtherZonesAreRead() throws {
        for vector in try #require(try vectors("types.json")["date_times_given_otherwise"]).list {
            let given: Value = ["at": try #require(vector["given"])]
            let text = try #require(vector["text"])
            #expect(try Value(given.decode(as: Timed.self)) == ["at": text])
        }
    }

    @Test(arguments: ["", "2024", "2024-02-30T00:00:00Z", "2024-02-29T24:00:00Z", "2024-02-29T00:00:00", "x"])
    func textThatIsNoDateIsRefused(_ text: String) {
        #expect(throws: TidelogError.invalidValue("at `at`: expected a date as RFC 3339 text, found other text")) {
            try Value.map(["at": .text(text)]).decode(as: Timed.self)
        }
    }

    @Test(arguments: [Date.distantPast.addingTimeInterval(-1e9), Date(timeIntervalSince1970: 253_402_300_800)])
    func datesThatHaveNoFourDigitYearAreRefused(_ date: Date) {
        #expect(throws: TidelogError.invalidValue("at `at`: a date must be between the years 1 and 9999")) {
            try Value(Timed(at: date))
        }
    }

    @Test func whatIsFinerThanMillisecondsIsCutOff() throws {
        let date = Date(timeIntervalSince1970: 1_709_210_096.789_9)
        #expect(try Value.date(date) == "2024-02-29T12:34:56.789Z")
        #expect(try Value.date(Date(timeIntervalSince1970: -0.000_5)) == "1969-12-31T23:59:59.999Z")
    }

    @Test func uuidsAreLowerCaseText() async throws {
        try await withWorkspace { workspace in
            for vector in try #require(try vectors("types.json")["uuids"]).list {
                let uuid = try #require(UUID(uuidString: vector["given"]?.text ?? ""))
                try await survives(Named(id: uuid), as: ["id": try #require(vector["text"])], in: workspace)
            }
        }
    }

    @Test func decimalsAreTextWithoutAnExponent() async throws {
        try await withWorkspace { workspace in
            for vector in try #require(try vectors("types.json")["decimals"]).list {
                let text = try #require(vector["text"]?.text)
                let decimal = try #require(Decimal(string: text))
                // Foundation's Decimal does not keep trailing zeros.
                let shortest = text.contains(".") ? text.replacing(/0+$/, with: "") : text
                try await survives(Priced(price: decimal), as: ["price": .text(shortest)], in: workspace)
                #expect(try Value.map(["price": .text(text)]).decode(as: Priced.self).price == decimal)
            }
        }
        #expect(try Value(Priced(price: Decimal(string: "1E+3")!)) == ["price": "1000"])
        #expect(throws: TidelogError.self) { try Value(Priced(price: .nan)) }
        #expect(throws: TidelogError.self) { try Value.map(["price": "12x"]).decode(as: Priced.self) }
    }

    @Test func bytesAreData() async throws {
        try await withWorkspace { workspace in
            for vector in try #require(try vectors("types.json")["bytes"]).list {
                let bytes = try #require(Data(hex: vector["hex"]?.text ?? ""))
                try await survives(["bytes": bytes], as: ["bytes": .bytes(bytes)], in: workspace)
            }
        }
    }

    @Test func whatCannotBeStoredIsRefusedWithItsPlace() async throws {
        try await withWorkspace { workspace in
            let things = try workspace.database("main").collection("things")
            for number in [Double.nan, .infinity, -.infinity] {
                await refused("invalid_value", saying: "at `list.1`") {
                    try await things.put("key", ["list": [0, .double(number)]])
                }
            }
            struct Wrong: Codable, Sendable { var list = [0, Double.nan] }
            await refused("invalid_value", saying: "at `list.1`") {
                try await workspace.database("main").collection("wrong", of: Wrong.self).put("key", Wrong())
            }
            let large = try workspace.database("main").collection("large", of: [String: [UInt64]].self)
            await refused("invalid_value", saying: "at `list.1`") { try await large.put("key", ["list": [0, .max]]) }
            var deep: Value = 0
            for _ in 0..<1000 { deep = [deep] }
            await refused("invalid_value") { [deep] in try await things.put("key", deep) }
            await refused("invalid_value") { [deep] in _ = try await things.count(where: ["a": deep]) }
        }
    }

    @Test func numbersAreCanonical() async throws {
        try await withWorkspace { workspace in
            let things = try workspace.database("main").collection("things")
            let pairs: [(Value, Value)] = [
                (1.0, 1), (.double(-0.0), 0), (.double(0x1p53 - 1), .int(1 << 53 - 1)),
                (.double(0x1p53), .double(0x1p53)),
            ]
            for (given, expected) in pairs {
                try await things.put("key", given)
                #expect(try await things.get("key") == expected)
            }
        }
    }

    /// A map as a program in another language may write it: two names that Swift takes for one.
    struct TwoNames: Codable, Sendable {
        struct Name: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue _: Int) { nil }
        }

        init() {}
        init(from decoder: any Decoder) throws { _ = try decoder.container(keyedBy: Name.self) }
        func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: Name.self)
            try fields.encode(1, forKey: Name(stringValue: "\u{e9}"))
            try fields.encode(2, forKey: Name(stringValue: "e\u{301}"))
        }
    }

    @Test func namesThatSwiftTakesForOneAreRefusedAndNothingIsLost() async throws {
        try await withWorkspace { workspace in
            let main = try workspace.database("main")
            // The engine has no dictionary in which they would be one.
            try await main.collection("things", of: TwoNames.self).put("key", TwoNames())
            let things = try main.collection("things")
            await #expect { _ = try await things.getRaw("key") } throws: { ($0 as? TidelogError)?.code == "invalid_value" }
            await #expect { _ = try await things.history("key") } throws: { ($0 as? TidelogError)?.code == "invalid_value" }
            #expect(try await things.all().isEmpty)
            #expect(try await things.count() == 1)
        }
    }

    @Test func recordsAreCodable() async throws {
        try await withWorkspace { workspace in
            let stats = try await workspace.stats()
            #expect(try JSONDecoder().decode(Stats.self, from: JSONEncoder().encode(stats)) == stats)
            let things = try workspace.database("main").collection("things")
            try await things.put("key", ["n": 1.5])
            let versions = try await things.history("key")
            let json = try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(versions))
            #expect(json[0]?["value"] == ["n": 1.5])
            #expect(json[0]?["kind"] == "put")
        }
    }
}
