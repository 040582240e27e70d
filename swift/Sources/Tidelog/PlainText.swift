import Foundation

/// Types that are stored as text, the same in every language.
enum PlainText {
    private static let dayMs: Int64 = 86_400_000
    /// 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z in milliseconds since 1970.
    private static let years: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999

    /// RFC 3339 in UTC with milliseconds; what is finer is cut off.
    static func of(_ date: Date) throws -> String {
        let outside = TidelogError.invalidValue("a date must be between the years 1 and 9999")
        guard abs(date.timeIntervalSince1970) < 1e12 else { throw outside }
        let ms = milliseconds(date)
        guard years.contains(ms) else { throw outside }
        let days = floorDivided(ms, by: dayMs)
        let rest = Int(ms - days * dayMs)
        let (year, month, day) = civil(days: Int(days))
        return String(unsafeUninitializedCapacity: 24) { text in
            func write(_ number: Int, at position: Int, digits: Int) {
                var left = number
                for offset in stride(from: digits - 1, through: 0, by: -1) {
                    text[position + offset] = UInt8(ascii: "0") + UInt8(left % 10)
                    left /= 10
                }
            }
            write(year, at: 0, digits: 4)
            text[4] = UInt8(ascii: "-")
            write(month, at: 5, digits: 2)
            text[7] = UInt8(ascii: "-")
            write(day, at: 8, digits: 2)
            text[10] = UInt8(ascii: "T")
            write(rest / 3_600_000, at: 11, digits: 2)
            text[13] = UInt8(ascii: ":")
            write(rest / 60_000 % 60, at: 14, digits: 2)
            text[16] = UInt8(ascii: ":")
            write(rest / 1000 % 60, at: 17, digits: 2)
            text[19] = UInt8(ascii: ".")
            write(rest % 1000, at: 20, digits: 3)
            text[23] = UInt8(ascii: "Z")
            return 24
        }
    }

    /// The date of RFC 3339 text with any offset; nil if it is none. What is finer than milliseconds is cut off.
    static func date(_ text: String) -> Date? {
        var bytes = Substring(text).utf8

        func digits(_ count: Int) -> Int? {
            var number = 0
            for _ in 0..<count {
                guard let byte = bytes.popFirst(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                    return nil
                }
                number = number * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return number
        }

        func one(of choices: String) -> UInt8? {
            guard let byte = bytes.popFirst(), choices.utf8.contains(byte) else { return nil }
            return byte
        }

        guard let year = digits(4), one(of: "-") != nil, let month = digits(2), one(of: "-") != nil,
            let day = digits(2), one(of: "Tt ") != nil, let hour = digits(2), one(of: ":") != nil,
            let minute = digits(2), one(of: ":") != nil, let second = digits(2),
            (1...12).contains(month), day >= 1, day <= length(ofMonth: month, in: year),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var ms = 0
        if bytes.first == UInt8(ascii: ".") {
            bytes.removeFirst()
            var count = 0
            while let byte = bytes.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                if count < 3 { ms = ms * 10 + Int(byte - UInt8(ascii: "0")) }
                count += 1
                bytes.removeFirst()
            }
            guard count > 0 else { return nil }
            for _ in count..<max(count, 3) { ms *= 10 }
        }
        guard let sign = one(of: "Zz+-") else { return nil }
        var offset = 0
        if sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            guard let hours = digits(2), one(of: ":") != nil, let minutes = digits(2), hours < 24, minutes < 60 else {
                return nil
            }
            offset = (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -1 : 1)
        }
        guard bytes.isEmpty else { return nil }
        let minutes = (days(year: year, month: month, day: day) * 24 + hour) * 60 + minute - offset
        return time(ms: Int64(minutes * 60 + second) * 1000 + Int64(ms))
    }

    /// The time of milliseconds since 1970.
    static func time(ms: Int64) -> Date {
        Date(timeIntervalSince1970: Double(ms) / 1000)
    }

    /// A UUID in lower case.
    static func of(_ uuid: UUID) -> String {
        uuid.uuidString.lowercased()
    }

    /// A decimal without an exponent. Trailing zeros are not kept: `Decimal` has none.
    static func of(_ decimal: Decimal) throws -> String {
        guard decimal.isFinite else { throw TidelogError.invalidValue("a decimal must be finite") }
        return decimal.description
    }

    /// The decimal of text that is nothing else.
    static func decimal(_ text: String) -> Decimal? {
        guard text.wholeMatch(of: /[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?/) != nil else { return nil }
        return Decimal(string: text, locale: nil)
    }

    /// Milliseconds since 1970. A date is a binary fraction of seconds: what is nearer to a millisecond than its
    /// precision is that millisecond, everything else the one before.
    private static func milliseconds(_ date: Date) -> Int64 {
        let exact = date.timeIntervalSince1970 * 1000
        let nearest = exact.rounded()
        let precision = 2000 * max(date.timeIntervalSince1970.ulp, date.timeIntervalSinceReferenceDate.ulp)
        return Int64(abs(exact - nearest) <= precision ? nearest : exact.rounded(.down))
    }

    private static func floorDivided(_ number: Int64, by divisor: Int64) -> Int64 {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// Days since 1970 of a date of the proleptic Gregorian calendar; years begin in March here, so that the day
    /// that leap years add is the last of a year.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let era = Int(floorDivided(Int64(shifted), by: 400))
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The inverse of `days`.
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = Int(floorDivided(Int64(shifted), by: 146_097))
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        return (era * 400 + yearOfEra + (civilMonth <= 2 ? 1 : 0), civilMonth, day)
    }

    private static func length(ofMonth month: Int, in year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
