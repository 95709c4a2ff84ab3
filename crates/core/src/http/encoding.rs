//! Bodies that some gateways and file servers compress although the request did not ask for it.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use super::TransportErrorKind;

/// How gzip begins (RFC 1952 section 2.3.1). JSON, JWTs and web pages never begin like that, so the body decides and not
/// the headers: some proxies unpack it and leave the header, others pack it and set none.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// `body`, unpacked if it is gzip. A damaged body is returned unchanged.
///
/// Errors: the unpacked body is larger than `cap` bytes.
pub(super) fn unpacked(body: Vec<u8>, cap: usize) -> Result<Vec<u8>, TransportErrorKind> {
    if !body.starts_with(&GZIP) {
        return Ok(body);
    }
    let mut plain = Vec::new();
    let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    match MultiGzDecoder::new(body.as_slice()).take(limit).read_to_end(&mut plain) {
        Ok(_) if plain.len() > cap => Err(TransportErrorKind::Oversized(cap >> 20)),
        Ok(_) => Ok(plain),
        Err(_) => Ok(body),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn gzip_is_unpacked_up_to_the_cap() {
        assert_eq!(unpacked(packed(b"{}"), 2), Ok(b"{}".to_vec()));
        assert_eq!(unpacked(b"{}".to_vec(), 2), Ok(b"{}".to_vec()));
        assert_eq!(unpacked(packed(b"{ }"), 2), Err(TransportErrorKind::Oversized(0)));
        let bomb = packed(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(unpacked(bomb, 1 << 20), Err(TransportErrorKind::Oversized(1)));
    }

    #[test]
    fn damaged_gzip_comes_back_as_it_is() {
        let half = packed(b"{\"a\":1}")[..12].to_vec();
        assert_eq!(unpacked(half.clone(), 100), Ok(half));
    }
}
