//! Reading of fixed layouts from untrusted bytes: every length is checked against the bytes that
//! are there before anything is taken or allocated.

/// The bytes end early, go on too long, or hold a number in a longer form than needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes do not have the expected layout")]
pub(crate) struct LayoutError;

/// Takes fields from the front of a byte string.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'b [u8], LayoutError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(LayoutError)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'b [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], LayoutError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(LayoutError)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, LayoutError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, LayoutError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, LayoutError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, LayoutError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number in seven bits per byte, least significant first, the top bit set on all bytes but
    /// the last; refused unless it is the shortest form.
    pub(crate) fn varint(&mut self) -> Result<u64, LayoutError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if bits > u64::MAX >> shift || (byte == 0 && shift > 0) {
                return Err(LayoutError);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(LayoutError)
    }

    /// The end: nothing may be left.
    pub(crate) fn finish(self) -> Result<(), LayoutError> {
        if self.is_empty() { Ok(()) } else { Err(LayoutError) }
    }
}

/// Appends a number in the form that [`Reader::varint`] reads.
pub(crate) fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).expect("seven bits"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_round_trip(value: u64) {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn whatever_reads_as_a_number_is_its_only_form(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.varint() {
                let mut again = Vec::new();
                push_varint(&mut again, value);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - reader.rest().len()]);
            }
        }
    }

    #[test]
    fn padded_and_overlong_numbers_are_refused() {
        assert_eq!(Reader::new(&[0x80, 0]).varint(), Err(LayoutError));
        assert_eq!(Reader::new(&[0xff; 11]).varint(), Err(LayoutError));
        let mut largest = [0xff; 10];
        largest[9] = 1;
        assert_eq!(Reader::new(&largest).varint(), Ok(u64::MAX));
        largest[9] = 2;
        assert_eq!(Reader::new(&largest).varint(), Err(LayoutError));
    }

    #[test]
    fn fields_beyond_the_end_are_refused() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u32(), Err(LayoutError));
        assert_eq!(reader.take(4), Err(LayoutError));
        assert_eq!(reader.u16(), Ok(0x0201));
        assert_eq!(reader.finish(), Err(LayoutError));
    }
}
