//! Picture files that are not whole: none of them is a picture, whatever a decoder would fill in.
//!
//! The files of `tests/fixtures` were made by its `make.py`.

use std::fs;
use std::path::{Path, PathBuf};

use glauber_pixels::{Extent, FolderConfig, FolderSource, Image, PixelError, read_mask};

const JPEGS: [&str; 7] = [
    "baseline.jpg",
    "full.jpg",
    "progressive.jpg",
    "restarts.jpg",
    "progressive_restarts.jpg",
    "grey.jpg",
    "grey_progressive.jpg",
];
const OTHERS: [&str; 4] = ["interlaced.png", "interlaced.gif", "frames.gif", "lossy.webp"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).unwrap()
}

/// What becomes of bytes in a file.
fn opened(folder: &Path, bytes: &[u8]) -> Result<Image, PixelError> {
    let path = folder.join("picture.jpg");
    fs::write(&path, bytes).unwrap();
    Image::open(path)
}

/// Where the data of the first scan begin.
fn first_data(jpeg: &[u8]) -> usize {
    let scan = jpeg.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    scan + 2 + usize::from(u16::from_be_bytes([jpeg[scan + 2], jpeg[scan + 3]]))
}

#[test]
fn what_does_not_belong_to_a_jpeg_does_not_harm_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in JPEGS {
        let (whole, picture) = (bytes(name), Image::open(fixture(name)).unwrap());
        assert_eq!(picture.extent(), Extent::new(90, 70).unwrap(), "{name}");
        let end = whole.len() - 2;
        // A thumbnail is a whole JPEG inside a segment, or a damaged one.
        let segment = |body: &[u8]| {
            let length = (body.len() as u16 + 2).to_be_bytes();
            [&whole[..2], &[0xFF, 0xE1], &length, body, &whole[2..]].concat()
        };
        for (what, file) in [
            ("zeros behind the end", [&whole[..], &[0; 999]].concat()),
            ("another picture behind the end", [&whole[..], &bytes("grey.jpg")].concat()),
            ("a part of another picture behind the end", [&whole[..], &bytes("grey.jpg")[..999]].concat()),
            ("text behind the end", [&whole[..], b"\r\n-- made with care --\xFF"].concat()),
            ("fill bytes before the end marker", [&whole[..end], &[0xFF; 5], &whole[end..]].concat()),
            ("two bytes of padding", [&whole[..end], &[0, 0], &whole[end..]].concat()),
            ("a thumbnail", segment(&[b"Exif\0\0", &bytes("grey.jpg")[..]].concat())),
            ("a damaged thumbnail", segment(&[b"Exif\0\0", &bytes("grey.jpg")[..700]].concat())),
        ] {
            let found = opened(folder.path(), &file).unwrap_or_else(|error| panic!("{name}, {what}: {error}"));
            assert!(found == picture, "{name}, {what}: another picture");
        }
    }
}

#[test]
fn a_jpeg_that_is_not_whole_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut accepted = Vec::new();
    for name in JPEGS {
        let whole = bytes(name);
        let (data, end) = (first_data(&whole), whole.len() - 2);
        let thumbnail =
            [&whole[..2], &[0xFF, 0xE1, 0x07, 0xD2], &[b'x'; 998][..], &bytes("grey.jpg")[..1000], &[0xFF, 0xD9]];
        let mut damaged = vec![
            ("without its end marker".to_owned(), whole[..end].to_vec()),
            (
                "a part, with an end marker in a thumbnail".to_owned(),
                [&thumbnail.concat()[..], &whole[2..end / 2]].concat(),
            ),
            ("only a header".to_owned(), [&whole[..data], &whole[end..]].concat()),
        ];
        for eighth in 1..8 {
            let cut = data + (end - data) * eighth / 8 - 9;
            let zeros = |range: std::ops::Range<usize>| {
                let mut file = whole.clone();
                file[range].fill(0);
                file
            };
            damaged.push((format!("cut at {cut}"), whole[..cut].to_vec()));
            damaged.push((format!("cut at {cut} and closed"), [&whole[..cut], &whole[end..]].concat()));
            damaged
                .push((format!("cut at {cut}, with a picture behind"), [&whole[..cut], &bytes("grey.jpg")].concat()));
            damaged.push((format!("zeros from {cut} on"), zeros(cut..whole.len())));
            damaged.push((format!("zeros from {cut} to the end marker"), zeros(cut..end)));
            if eighth < 7 {
                damaged.push((format!("a hole of zeros at {cut}"), zeros(cut..cut + (end - data) / 8)));
                damaged.push((
                    format!("a piece lost at {cut}"),
                    [&whole[..cut], &whole[cut + (end - data) / 8..]].concat(),
                ));
                let mut noise = whole.clone();
                let hole = noise[cut..cut + (end - data) / 8].iter_mut();
                hole.enumerate().for_each(|(place, byte)| *byte = (place * 151 % 251) as u8);
                damaged.push((format!("noise at {cut}"), noise));
            }
        }
        for (what, file) in damaged {
            match opened(folder.path(), &file) {
                Ok(_) => accepted.push(format!("{name}: {what}")),
                Err(error) => assert!(error.to_string().contains("picture.jpg"), "{name}, {what}: {error}"),
            }
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
}

#[test]
fn no_beginning_of_a_picture_is_another_picture() {
    let folder = tempfile::tempdir().unwrap();
    for name in JPEGS.into_iter().chain(OTHERS) {
        let (whole, picture) = (bytes(name), Image::open(fixture(name)).unwrap());
        // What is read of an animation is its first frame, and of a PNG the end is not needed.
        let found: Vec<usize> = (0..whole.len())
            .step_by(whole.len() / 61)
            .filter(|&length| opened(folder.path(), &whole[..length]).is_ok_and(|found| found != picture))
            .collect();
        assert!(found.is_empty(), "{name} of {} bytes, cut at {found:?}", whole.len());
    }
}

#[test]
fn zeros_in_place_of_an_end_are_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    // The data of WebP are a number: with zeros for its end it is another number, and no check is kept.
    for name in OTHERS.into_iter().filter(|name| !name.ends_with(".webp")) {
        let (whole, picture) = (bytes(name), Image::open(fixture(name)).unwrap());
        for from in (0..whole.len()).step_by(whole.len() / 61) {
            let mut file = whole.clone();
            file[from..].fill(0);
            let other = opened(folder.path(), &file).is_ok_and(|found| found != picture);
            assert!(!other, "{name}, zeros from {from}");
        }
    }
}

/// A GIF with only a part of the data of its first frame, in blocks as they should be.
fn shorter_gif(whole: &[u8], keep: fn(usize) -> usize) -> Vec<u8> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + table(whole[10]);
    let blocks = |mut at: usize| {
        let mut data = Vec::new();
        while whole[at] > 0 {
            data.extend(&whole[at + 1..at + 1 + usize::from(whole[at])]);
            at += 1 + usize::from(whole[at]);
        }
        (data, at + 1)
    };
    while whole[at] == 0x21 {
        at = blocks(at + 2).1;
    }
    at += 10 + table(whole[at + 9]) + 1;
    let data = blocks(at).0;
    let mut file = whole[..at].to_vec();
    for block in data[..keep(data.len())].chunks(255) {
        file.push(block.len() as u8);
        file.extend(block);
    }
    [&file[..], &[0, 0x3B]].concat()
}

/// A PNG with only a part of its data, in a chunk with the right checksum.
fn shorter_png(whole: &[u8], keep: fn(usize) -> usize) -> Vec<u8> {
    let place = whole.windows(4).position(|kind| kind == b"IDAT").unwrap();
    let length = u32::from_be_bytes(*whole[place - 4..].first_chunk().unwrap()) as usize;
    let kept = keep(length);
    let chunk = &whole[place..place + 4 + kept];
    let mut sum = flate2::Crc::new();
    sum.update(chunk);
    let (length, sum) = ((kept as u32).to_be_bytes(), sum.sum().to_be_bytes());
    [&whole[..place - 4], &length, chunk, &sum, &whole[whole.len() - 12..]].concat()
}

/// A WebP with only a part of its data, of which all lengths are right.
fn shorter_webp(whole: &[u8], keep: fn(usize) -> usize) -> Vec<u8> {
    let kept = keep(whole.len() - 20) & !1;
    let mut file = whole[..20 + kept].to_vec();
    file[4..8].copy_from_slice(&(kept as u32 + 12).to_le_bytes());
    file[16..20].copy_from_slice(&(kept as u32).to_le_bytes());
    file
}

#[test]
fn a_part_that_is_well_closed_is_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    let mut accepted = Vec::new();
    for (name, shorter) in [
        ("interlaced.gif", shorter_gif as fn(&[u8], fn(usize) -> usize) -> Vec<u8>),
        ("frames.gif", shorter_gif),
        ("interlaced.png", shorter_png),
        ("lossy.webp", shorter_webp),
    ] {
        let (whole, picture) = (bytes(name), Image::open(fixture(name)).unwrap());
        assert_eq!(opened(folder.path(), &shorter(&whole, |length| length)).unwrap(), picture, "{name}");
        let parts: [fn(usize) -> usize; 5] =
            [|_| 0, |length| length / 5, |length| length / 2, |length| length * 4 / 5, |length| length * 19 / 20];
        for (number, keep) in parts.into_iter().enumerate() {
            if opened(folder.path(), &shorter(&whole, keep)).is_ok() {
                accepted.push((name, number));
            }
        }
    }
    assert!(accepted.is_empty(), "{accepted:?}");
}

#[test]
fn damaged_pictures_are_left_out_of_a_folder_and_are_no_masks() {
    let folder = tempfile::tempdir().unwrap();
    let extent = Extent::new(8, 8).unwrap();
    for (number, name) in JPEGS.into_iter().enumerate() {
        let whole = bytes(name);
        fs::write(folder.path().join(format!("{number}-half.jpg")), &whole[..whole.len() * 2 / 3]).unwrap();
        fs::write(folder.path().join(format!("{number}-whole.jpg")), &whole).unwrap();
    }
    let source = FolderSource::open(folder.path(), FolderConfig::new(extent)).unwrap();
    let report = source.report();
    assert_eq!((report.read, report.broken.len()), (7, 7), "{report}");
    for broken in &report.broken {
        let found = ["end too early", "cut off"].iter().any(|found| broken.reason.contains(found));
        assert!(found && broken.reason.contains("half.jpg"), "{}", broken.reason);
    }
    let error = read_mask(folder.path().join("0-half.jpg"), extent).unwrap_err().to_string();
    assert!(error.contains("0-half.jpg"), "{error}");
}

#[test]
fn other_files_of_a_folder_are_counted_by_their_endings() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let config = || FolderConfig::new(Extent::new(8, 8).unwrap());
    for name in ["a.gif", "b.GIF", "c.tiff", "d.jfif", "README", ".hidden.bmp"] {
        fs::copy(fixture("interlaced.gif"), at(name)).unwrap();
    }
    let none = FolderSource::open(folder.path(), config()).unwrap_err().to_string();
    assert!(none.contains("5 other files passed over") && none.contains("2 .gif, "), "{none}");
    fs::copy(fixture("grey.jpg"), at("e.jpg")).unwrap();
    let source = FolderSource::open(folder.path(), config()).unwrap();
    let text = source.report().to_string();
    assert!(text.starts_with("1 images read\n  5 other files passed over, not named .png, .jpg"), "{text}");
    assert!(text.ends_with(": 2 .gif, 1 without an ending, 1 .jfif, 1 .tiff"), "{text}");
    for number in 0..12 {
        fs::write(at(&format!("x.{number}")), "").unwrap();
    }
    let text = FolderSource::open(folder.path(), config()).unwrap().report().to_string();
    assert!(text.contains("17 other files") && text.contains(" of other endings"), "{text}");
}

#[test]
fn a_webp_without_its_last_byte_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let whole = bytes("lossy.webp");
    assert!(opened(folder.path(), &whole).is_ok());
    let error = opened(folder.path(), &whole[..whole.len() - 1]).unwrap_err().to_string();
    assert!(error.contains("picture.") && error.contains("truncated"), "{error}");
}
