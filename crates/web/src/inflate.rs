//! Bodies of requests that come compressed, bounded by what comes out of them.

use std::io::{self, BufReader, Read};

use bytes::Bytes;
use http::{HeaderMap, header};
use model::{Code, Problem};

use crate::coding::{CODINGS, Coding};

/// How much is read at a time; others get their turn in between.
const PIECE: usize = 64 << 10;
/// The largest window of a zstd frame, two to the power of this: 8 MB, as RFC 9659 says.
const WINDOW: u32 = 23;

/// The coding of a request's body; none for a body as it is.
///
/// # Errors
/// 415 for a coding that is unknown here, or several on top of each other.
pub(crate) fn coding_of(headers: &HeaderMap) -> Result<Option<Coding>, Problem> {
    let mut found = None;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let Ok(text) = value.to_str() else { return Err(refused("that")) };
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name.eq_ignore_ascii_case("identity") {
                continue;
            }
            let coding = Coding::from_name(name).ok_or_else(|| refused(name))?;
            if found.replace(coding).is_some() {
                return Err(refused(text));
            }
        }
    }
    Ok(found)
}

fn refused(what: &str) -> Problem {
    let what: String = what.chars().take(64).collect();
    let detail = format!("the body's content coding is {what:?}; one of {CODINGS} is understood");
    let mut problem = Problem::new(Code::UnsupportedMediaType, detail);
    problem.extra.accept = Some(("accept-encoding", CODINGS));
    problem
}

/// The body out of its coding.
///
/// # Errors
/// 413 as soon as more than `most` bytes have come out, 400 for what is not of this coding, or is cut.
pub(crate) async fn inflate(coding: Coding, bytes: &[u8], most: usize) -> Result<Bytes, Problem> {
    let bad = |_: io::Error| Problem::new(Code::BadRequest, format!("the body is not valid {}", coding.name()));
    let mut decoder: Box<dyn Read + Send + '_> = match coding {
        Coding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(BufReader::new(bytes)).map_err(bad)?;
            decoder.window_log_max(WINDOW).map_err(bad)?;
            Box::new(decoder)
        }
    };
    let mut out = Vec::new();
    loop {
        let before = out.len();
        // One byte more than allowed tells a body that is too large from one that just fits.
        let room = (most + 1 - before).min(PIECE) as u64;
        decoder.by_ref().take(room).read_to_end(&mut out).map_err(bad)?;
        if out.len() > most {
            return Err(Problem::new(
                Code::PayloadTooLarge,
                format!("the body has more than {most} bytes, uncompressed"),
            ));
        }
        if (out.len() - before) as u64 != room {
            return Ok(out.into());
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn what_was_compressed_comes_out() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 300_000] {
            let bytes: Vec<u8> = (0..length).map(|at| (at * at % 251) as u8).collect();
            let zstd = zstd::bulk::compress(&bytes, 3).unwrap();
            for (coding, coded) in [(Coding::Gzip, gzip(&bytes)), (Coding::Zstd, zstd)] {
                assert_eq!(inflate(coding, &coded, length.max(1)).await.unwrap(), bytes, "{coding:?} {length}");
                if length > 1 {
                    let refused = inflate(coding, &coded, length - 1).await.unwrap_err();
                    assert_eq!(refused.code, Code::PayloadTooLarge, "{coding:?} {length}");
                    let cut = inflate(coding, &coded[..coded.len() - 3], length).await.unwrap_err();
                    assert_eq!(cut.code, Code::BadRequest, "{coding:?} {length}");
                }
            }
        }
        let twice = [gzip(b"one, "), gzip(b"two")].concat();
        assert_eq!(inflate(Coding::Gzip, &twice, 100).await.unwrap(), "one, two");
    }

    #[tokio::test]
    async fn bombs_stop_at_the_bound() {
        let zeros = vec![0; 64 << 20];
        let zstd = zstd::bulk::compress(&zeros, 3).unwrap();
        for (coding, coded) in [(Coding::Gzip, gzip(&zeros)), (Coding::Zstd, zstd)] {
            let refused = inflate(coding, &coded, 1 << 20).await.unwrap_err();
            assert_eq!(refused.code, Code::PayloadTooLarge, "{coding:?}");
        }
        // A frame that asks for a window of 128 MB.
        let mut wide = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        wide.window_log(27).unwrap();
        wide.write_all(&zeros[..1 << 20]).unwrap();
        let wide = wide.finish().unwrap();
        assert_eq!(inflate(Coding::Zstd, &wide, 2 << 20).await.unwrap_err().code, Code::BadRequest);
        for nonsense in [&b""[..], b"{}", &[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd]] {
            assert!(inflate(Coding::Gzip, nonsense, 100).await.is_err(), "{nonsense:?}");
        }
    }
}
