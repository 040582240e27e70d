import Foundation
import Testing
import Tidelog

/// Every shape that Codable types have goes into a value and comes back.
@Suite struct CodingTests {
    enum Colour: String, Codable { case red, blue }

    enum Shape: Codable, Hashable {
        case circle(radius: Double)
        case square(Double, name: String?)
        case empty
    }

    struct Everything: Codable, Hashable {
        var bool = true
        var int8: Int8 = -8
        var uint8: UInt8 = 8
        var uint64: UInt64 = 64
        var float: Float = 0.5
        var colour = Colour.red
        var shapes = [Shape.circle(radius: 1.5), .square(2, name: nil), .square(3, name: "x"), .empty]
        var missing: String?
        var present: String? = "here"
        var holes: [Int?] = [1, nil, 3]
        var nested = [["a": [1, 2]], [:]]
        var byNumber = [1: "one", 2: "two"]
        var address = URL(string: "https://example.org/a?b=c")!
        var raw: Value = ["any": [nil, 1.5, .bytes(Data([1]))]]
        var pair = Pair(left: 1, right: 2)
    }

    /// Writes itself as a list of one nested list and one nested map.
    struct Pair: Codable, Hashable {
        var left: Int
        var right: Int

        enum Key: CodingKey { case right }

        init(left: Int, right: Int) {
            self.left = left
            self.right = right
        }

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            var inner = try list.nestedUnkeyedContainer()
            left = try inner.decode(Int.self)
            right = try list.nestedContainer(keyedBy: Key.self).decode(Int.self, forKey: .right)
        }

        func encode(to encoder: any Encoder) throws {
            var list = encoder.unkeyedContainer()
            var inner = list.nestedUnkeyedContainer()
            try inner.encode(left)
            var map = list.nestedContainer(keyedBy: Key.self)
            try map.encode(right, forKey: .right)
        }
    }

    class Base: Codable {
        var base = 1
    }

    final class Derived: Base {
        var own = 2

        enum Key: CodingKey { case own }

        override init() { super.init() }

        required init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            own = try container.decode(Int.self, forKey: .own)
            try super.init(from: container.superDecoder())
        }

        override func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(own, forKey: .own)
            try super.encode(to: container.superEncoder())
        }
    }

    @Test func whatIsNilIsStoredAsNull() throws {
        #expect(try Value(Todo(title: "a"))["due"] == Value.null)
        #expect(try Value(Todo(title: "a")).decode(as: Todo.self).due == nil)
    }

    @Test func everythingComesBack() throws {
        let value = try Value(Everything())
        #expect(try value.decode(as: Everything.self) == Everything())
        #expect(value["missing"] == Value.null)
        #expect(value["colour"] == "red")
        #expect(value["holes"] == [1, nil, 3])
        #expect(value["pair"] == [[1], ["right": 2]])
        #expect(value["raw"] == ["any": [nil, 1.5, .bytes(Data([1]))]])
    }

    @Test func classesWriteWhatTheyInherit() throws {
        let derived = Derived()
        (derived.base, derived.own) = (7, 8)
        let value = try Value(derived)
        #expect(value == ["own": 8, "super": ["base": 7]])
        let read = try value.decode(as: Derived.self)
        #expect((read.base, read.own) == (7, 8))
    }

    @Test func whatDoesNotFitSaysWhereAndQuotesNothing() {
        func reason<T: Decodable>(_ value: Value, as type: T.Type) -> String? {
            do {
                _ = try value.decode(as: type)
                return nil
            } catch {
                return (error as? TidelogError)?.reason
            }
        }
        #expect(reason(["a": [1, "secret"]], as: [String: [Int]].self)?.contains("at `a.1`: expected an integer") == true)
        #expect(reason(["title": 1], as: Todo.self) == "field `id` is missing")
        #expect(reason(["colour": "secret"], as: [String: Colour].self) == "at `colour`: the value does not fit")
        #expect(reason(300, as: UInt8.self) == "expected an integer of type UInt8, found an integer")
        #expect(reason(nil, as: String.self) == "expected text, found null")
        #expect(reason([1], as: [String: Int].self) == "expected a map, found a list")
        #expect(reason([[1]], as: [Pair].self)?.hasPrefix("at `0") == true)
    }

    @Test func valuesPassThroughJSON() throws {
        let value: Value = ["list": [1, 2.5, "text", true, nil], "map": ["a": ["b": [:]]]]
        let json = try JSONEncoder().encode(value)
        #expect(try JSONDecoder().decode(Value.self, from: json) == value)
        #expect(value["list"]?[1] == 2.5)
        #expect(value["list"]?[9] == nil)
        #expect(value["none"] == nil)
    }
}
