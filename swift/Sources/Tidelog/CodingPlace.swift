internal import TidelogFFI

/// The value that crosses to the engine and back.
typealias Crossing = TidelogFFI.Value

/// Where in a value an encoder or decoder is: a chain to the root, so that a step costs no copy of the path.
indirect enum CodingPlace {
    case root
    case step(from: CodingPlace, by: any CodingKey, depth: Int)

    var depth: Int {
        switch self {
        case .root: 0
        case .step(_, _, let depth): depth
        }
    }

    var path: [any CodingKey] {
        var keys: [any CodingKey] = []
        var place = self
        while case .step(let parent, let key, _) = place {
            keys.append(key)
            place = parent
        }
        return keys.reversed()
    }

    func inner(_ key: some CodingKey) throws -> CodingPlace {
        guard depth < Value.depthMax else { throw TidelogError.invalidValue("the value is nested too deeply") }
        return step(key)
    }

    /// Containers cannot refuse; what they hold does.
    func step(_ key: some CodingKey) -> CodingPlace {
        .step(from: self, by: key, depth: depth + 1)
    }

    /// The error of a value that cannot be stored or does not fit.
    static func refused(at path: [any CodingKey], _ reason: String) -> TidelogError {
        let place = path.map(\.stringValue).joined(separator: ".")
        return .invalidValue(place.isEmpty ? reason : "at `\(place)`: \(reason)")
    }
}

/// The position of a list, or the name of what a class inherits.
struct Step: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ position: Int) {
        stringValue = String(position)
        intValue = position
    }

    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init(intValue: Int) {
        self.init(intValue)
    }

    static let inherited = Step(stringValue: "super")
}
