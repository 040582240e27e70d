import Foundation
import Testing
import Tidelog

/// Entries, directories, beacons and frames of the golden vectors, read and written by the tables of `Layouts.swift`.
@Suite struct FormatTests {
    /// Bytes are their fields, and fields their bytes.
    private func same(_ layout: Layout, _ data: Value?, _ fields: Value?, _ name: String) throws {
        let (data, fields) = (try bytes(data), try #require(fields))
        #expect(try layout.decode(data) == fields, "\(name)")
        #expect(try layout.write(fields) == data, "\(name)")
    }

    private func refuses(_ layout: Layout, _ cases: Value?) throws {
        for vector in try listed(cases) {
            #expect(throws: Layout.Refused.self, "\(vector["name"]?.text ?? "")") {
                try layout.decode(bytes(vector["bytes"]))
            }
        }
    }

    private func listed(_ cases: Value?) throws -> [Value] {
        let cases = try #require(cases).list
        #expect(!cases.isEmpty)
        return cases
    }

    @Test func directoryBodiesAreTheirOperationsAndFields() throws {
        let directory = try vectors("directory.json")
        let (bodies, fields) = (try #require(directory["bodies"]).map, try #require(directory["fields"]).map)
        #expect(fields.count == 16 && bodies.count == 16)
        for (name, data) in bodies { try same(.body, data, fields[name], name) }
    }

    @Test func aCertificateIsSignedByItsDeviceForItsUser() throws {
        let vector = try vectors("directory.json")["certificate"]
        try same(.certificate, vector?["bytes"], vector?["fields"], "certificate")
        let (workspace, user) = (try bytes(vector, "workspace"), try bytes(vector, "user"))
        let (device, signature) = (try bytes(vector, "fields", "sign_pk"), try bytes(vector, "fields", "self_sig"))
        #expect(try Crypto.sha256(tag("TIDE1 user"), workspace, device).prefix(16) == user)
        let signed = try tag("TIDE1 device crt") + workspace + user + bytes(vector, "bytes").prefix(73)
        #expect(Crypto.verifies(signature, of: signed, by: device))
        #expect(!Crypto.verifies(signature, of: signed + [0], by: device))
    }

    @Test func framesAreTheirFieldsAndOthersAreRefused() throws {
        let file = try vectors("frames.json")
        let frames = try listed(file["frames"])
        #expect(Set(frames.map { $0["fields"]?["frame"] }).count == 20)
        for vector in frames { try same(.frame, vector["bytes"], vector["fields"], vector["name"]?.text ?? "") }
        try refuses(.frame, file["refused"])
    }

    @Test func beaconsAreTheirHeadsAndTipsAndOthersAreRefused() throws {
        let file = try vectors("beacon.json")
        for vector in try listed(file["cases"]) {
            let fields = vector.map.filter { ["heads", "tips"].contains($0.key) }.merging(["version": 1]) { $1 }
            try same(.beacon, vector["bytes"], .map(fields), vector["name"]?.text ?? "")
        }
        try refuses(.beacon, file["refused"])
    }

    /// Whether this is an entry that its author signed.
    private func isProven(_ data: Data) throws -> Bool {
        guard let entry = try? Layout.entry.decode(data) else { return false }
        let payload = try Crypto.sha256(tag("TIDE1 payload"), bytes(entry, "payload"))
        let signed = tag("TIDE1 entry sig") + data.prefix(208)
        return try payload == bytes(entry, "payload_hash")
            && Crypto.verifies(bytes(entry, "signature"), of: signed, by: bytes(entry, "author"))
    }

    @Test func entriesHaveTheirFieldsAndIdsAndAreProvenOnlyIfTheirAuthorSignedThem() throws {
        let file = try vectors("entry.json")
        for vector in [file["signed"], file["covered"]] {
            let data = try bytes(vector, "bytes")
            let entry = try Layout.entry.decode(data)
            let ids = ["workspace", "author", "prev", "auth", "stream", "key_id", "payload_hash", "signature"]
            for name in ["kind", "payload_len"] + ids {
                #expect(entry[name] != nil && entry[name] == vector?[name], "\(name)")
            }
            #expect(try entry["seq"]?.text == String(#require(vector?["seq"]?.int)))
            let covered = vector?["covered"] == true
            #expect(try entry["flags"]?.int == (#require(vector?["prunable"]) == true ? 1 : 0) + (covered ? 2 : 0))
            #expect(try Crypto.sha256(tag("TIDE1 entry id"), data.prefix(272)) == bytes(vector, "id"))
            #expect(try isProven(data) == !covered)
        }
        for vector in try listed(file["refused"]) {
            #expect(try !isProven(bytes(vector, "bytes")), "\(vector["name"]?.text ?? "")")
        }
    }
}
