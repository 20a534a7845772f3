//! Decimals to bytes and back.

use super::*;

fn bytes_of(text: &str) -> Vec<u16> {
    let mut out = BytesMut::new();
    write(Decimal::parse(text).unwrap(), &mut out);
    out.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn groups_stand_around_the_point() {
    assert_eq!(bytes_of("0"), [0, 0, 0, 0]);
    assert_eq!(bytes_of("0.00"), [0, 0, 0, 2]);
    assert_eq!(bytes_of("9.5"), [2, 0, 0, 1, 9, 5000]);
    assert_eq!(bytes_of("-12345.678"), [3, 1, 0x4000, 3, 1, 2345, 6780]);
    assert_eq!(bytes_of("0.00001"), [1, 0xfffe, 0, 5, 1000]);
    assert_eq!(bytes_of("10000"), [1, 1, 0, 0, 1]);
}

#[test]
fn what_is_written_is_read() {
    let texts = [
        "0",
        "0.000",
        "1",
        "-1",
        "0.1",
        "-0.0001",
        "9999",
        "10000",
        "123456789012345678",
        "-0.123456789012345678",
        "99999999999999999999999999999999999999",
        "0.00000000000000000000000000000000000001",
        "-1234567890123456789.0123456789012345678",
    ];
    for text in texts {
        let decimal = Decimal::parse(text).unwrap();
        let mut out = BytesMut::new();
        write(decimal, &mut out);
        let read = read(&out).unwrap();
        assert_eq!((read.unscaled, read.scale), (decimal.unscaled, decimal.scale), "{text}");
    }
}

#[test]
fn what_no_decimal_holds_is_refused() {
    let nan = [0, 0, 0, 0, 0xc0, 0, 0, 0];
    assert!(read(&nan).is_none());
    let huge = [0, 1, 0, 20, 0, 0, 0, 0, 0, 1];
    assert!(read(&huge).is_none());
    assert!(read(&[0, 1]).is_none());
}
