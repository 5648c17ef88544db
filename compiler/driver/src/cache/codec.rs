//! What an entry holds, as bytes: numbers of 8 bytes, little-endian, and strings and blobs after their length.

use codegen::HostCode;

/// The code of a kernel that can be kept.
pub(crate) trait Payload: Sized {
    /// As bytes.
    fn encode(&self) -> Vec<u8>;
    /// From bytes; `None` unless they are exactly what [`Payload::encode`] gives.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// PTX.
impl Payload for String {
    fn encode(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

impl Payload for HostCode {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.blob.len() + 256);
        number(&mut out, self.align.into());
        bytes(&mut out, &self.blob);
        for table in [&self.entries, &self.imports] {
            number(&mut out, table.len() as u64);
            for (name, offset) in table {
                bytes(&mut out, name.as_bytes());
                number(&mut out, (*offset).into());
            }
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let align = u32::try_from(rest.number()?).ok()?;
        let blob = rest.bytes()?.to_vec();
        let [entries, imports] = [rest.table(blob.len())?, rest.table(blob.len())?];
        let is_sound = align.is_power_of_two() && rest.0.is_empty();
        is_sound.then_some(HostCode { blob, align, entries, imports })
    }
}

fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// What is not read yet. Nothing is allocated for lengths that are not there.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Names with offsets in a blob of `len` bytes.
    fn table(&mut self, len: usize) -> Option<Vec<(String, u32)>> {
        let n = self.number()?;
        let mut table = vec![];
        for _ in 0..n {
            let name = std::str::from_utf8(self.bytes()?).ok()?.to_string();
            let offset = u32::try_from(self.number()?).ok().filter(|offset| (*offset as usize) < len)?;
            table.push((name, offset));
        }
        Some(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> HostCode {
        HostCode {
            blob: vec![1, 2, 3, 4, 5, 6, 7, 8],
            align: 64,
            entries: vec![("kernel".into(), 0), ("other".into(), 4)],
            imports: vec![("expf".into(), 7)],
        }
    }

    #[test]
    fn code_comes_back() {
        assert_eq!(HostCode::decode(&code().encode()), Some(code()));
        assert_eq!(String::decode(&"ptx".to_string().encode()).as_deref(), Some("ptx"));
    }

    #[test]
    fn bytes_that_are_no_code_are_refused() {
        let good = code().encode();
        for end in 0..good.len() {
            assert_eq!(HostCode::decode(&good[..end]), None, "{end} bytes");
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(HostCode::decode(&longer), None);
        for at in (0..good.len()).step_by(8) {
            let mut huge = good.clone();
            huge[at..(at + 8).min(good.len())].fill(0xFF);
            // The blob itself may hold anything; all lengths and offsets may not.
            assert!(at == 16 || HostCode::decode(&huge).is_none(), "at {at}");
        }
        assert_eq!(String::decode(&[0xFF]), None);
    }
}
