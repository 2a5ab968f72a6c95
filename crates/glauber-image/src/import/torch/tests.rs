//! Checkpoints of all kinds, written instruction by instruction.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use burn::tensor::{DType, TensorData};
use burn_store::bridge;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::tensors;

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn numbers(numbers: &[i32]) -> Vec<u8> {
    let each = numbers.iter().flat_map(|number| [b"J", &number.to_le_bytes()[..]].concat());
    [b"(".to_vec(), each.collect(), b"t".to_vec()].concat()
}

/// A storage of a class of PyTorch.
fn storage(class: &str, key: &str, count: i32) -> Vec<u8> {
    let class = format!("ctorch\n{class}\n").into_bytes();
    let count = [b"J", &count.to_le_bytes()[..]].concat();
    [b"(".to_vec(), text("storage"), class, text(key), text("cpu"), count, b"tQ".to_vec()].concat()
}

fn tensor(storage: &[u8], offset: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
    let offset = [b"J", &offset.to_le_bytes()[..]].concat();
    let (head, tail) = (b"ctorch._utils\n_rebuild_tensor_v2\n(", b"\x89ccollections\nOrderedDict\n)RtR");
    [&head[..], storage, &offset, &numbers(shape), &numbers(strides), tail].concat()
}

/// The six numbers 0 to 5 of storage 0, as two rows.
fn weight() -> Vec<u8> {
    tensor(&storage("FloatStorage", "0", 6), 0, &[2, 3], &[3, 1])
}

/// A checkpoint of one tensor with entries before and behind it.
fn checkpoint(before: &[u8], weight: &[u8], behind: &[u8]) -> Vec<u8> {
    let state = [text("state_dict"), b"ccollections\nOrderedDict\n)R(".to_vec(), text("w"), weight.into(), b"u".into()];
    [b"\x80\x02}(", before, &state.concat(), behind, b"u."].concat()
}

fn storage_bytes() -> Vec<u8> {
    (0..6).flat_map(|number| (number as f32).to_le_bytes()).collect()
}

fn archive(path: &Path, entries: &[(&str, &[u8])]) {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in entries {
        archive.start_file(*name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    fs::write(path, archive.finish().unwrap().into_inner()).unwrap();
}

/// The form of before PyTorch 1.6.
fn row(path: &Path, pickle: &[u8]) {
    let magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
    let system = [b"\x80\x02}".to_vec(), text("little_endian"), b"\x88s.".to_vec()].concat();
    let keys = [b"\x80\x02]".to_vec(), text("0"), b"a.".to_vec()].concat();
    let content = [&magic[..], &system, pickle, &keys, &6u64.to_le_bytes(), &storage_bytes()].concat();
    fs::write(path, content).unwrap();
}

/// The tensor `w` of a pickle, in both forms of files.
fn read(pickle: &[u8]) -> Result<TensorData, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ckpt");
    let one = |path: &Path| -> Result<TensorData, String> {
        let mut found = tensors(path).map_err(|error| error.to_string())?;
        let stored = found.remove("w").ok_or("no `w`")?;
        bridge::into_data(stored).map_err(|error| error.to_string())
    };
    archive(&path, &[("a/data.pkl", pickle), ("a/data/0", &storage_bytes())]);
    let zipped = one(&path);
    row(&path, pickle);
    assert_eq!(one(&path).is_ok(), zipped.is_ok());
    if let (Ok(zipped), Ok(rowed)) = (&zipped, one(&path)) {
        assert_eq!(*zipped, rowed);
    }
    zipped
}

fn expected() -> TensorData {
    TensorData::new((0..6).map(|number| number as f32).collect::<Vec<_>>(), [2, 3])
}

#[test]
fn whatever_stands_beside_the_weights_is_passed_over() {
    let deep = [&b"(".repeat(200_000)[..], b"N", &b"t".repeat(200_000)].concat();
    let values: &[(&str, &[u8])] = &[
        ("a class", b"cpytorch_lightning.callbacks\nEarlyStopping\n"),
        ("a dictionary by class", b"}cpytorch_lightning.callbacks\nEarlyStopping\n}s"),
        ("a dictionary of keys of all kinds", b"}(K\x01K\x02\x86NNNG?\xf0\0\0\0\0\0\0N\x88N\x89NC\x02abNM\x01\x02NJ\xff\xff\xff\xffNu"),
        ("a dictionary of keys that are long numbers", b"}(\x8a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09N\x8a\0NL12345678901234567890123L\nNu"),
        ("a dictionary by frozen set", b"}(K\x01\x91Nsccollections\nOrderedDict\n)R0"),
        ("an attribute dictionary", b"cpytorch_lightning.utilities.parsing\nAttributeDict\n)\x81(U\x02lrG?\xf0\0\0\0\0\0\0U\x01aN}u}b"),
        ("a default dictionary", b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R(K\x01]U\x01x]u"),
        ("a deque", b"ccollections\ndeque\n)R(K\x01K\x02e"),
        ("a deque with a limit", b"ccollections\ndeque\n]K\x05\x86RK\x01a"),
        ("an ordered dictionary with attributes", b"ccollections\nOrderedDict\n)R(U\x01xK\x01u}U\x09_metadata}sb"),
        ("an ordered dictionary of Python 2", b"ccollections\nOrderedDict\n(](](U\x01xK\x01eetR"),
        ("a numpy scalar", b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02f8K\0K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbU\x08abcdefgh\x86R"),
        ("a numpy array", b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\0K\x01\x87R\x89C\x08abcdefghtb"),
        ("a namespace", b"cargparse\nNamespace\n)\x81}U\x04seedK\x17sb"),
        ("a configuration of OmegaConf", b"comegaconf.dictconfig\nDictConfig\n)\x81}(U\x08_content}U\x07_parentNub"),
        ("an old object", b"ccopy_reg\n_reconstructor\ncmod\nC\nc__builtin__\nobject\nN\x87R}U\x01xK\x01sb"),
        ("an old dictionary of a class", b"ccopy_reg\n_reconstructor\n(cmod\nC\nc__builtin__\ndict\n}U\x01xK\x01stR"),
        ("an instance", b"(imod\nC\n"),
        ("an instance with arguments", b"(K\x01cmod\nC\n0K\x02imod\nC\n"),
        ("an object by its class", b"(cmod\nC\nK\x01o"),
        ("an object by its class and keywords", b"cmod\nC\n)}U\x01xK\x01s\x92"),
        ("a set", b"c__builtin__\nset\n]K\x01a\x85R"),
        ("a set of protocol 4", b"\x8f(K\x01K\x02\x90"),
        ("a complex number", b"c__builtin__\ncomplex\nG?\xf0\0\0\0\0\0\0G?\xf0\0\0\0\0\0\0\x86R"),
        ("long numbers", b"]\x8a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09a\x8b\x0a\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0aaL-5L\na"),
        ("text of protocol 0", b"(S'it\\'s'\np7\nV\\u00e9x\nS\"\"\nlp8\n0g7\n"),
        ("numbers of protocol 0", b"(I01\nI00\nI-7\nF1e-5\nFnan\nL7L\nt"),
        ("a dictionary of protocol 0", b"(dp9\nS'x'\nI1\nsS'y'\n(ds"),
        ("names of protocol 4", b"\x8c\x03mod\x94\x8c\x01C\x94\x93\x94)\x81\x94}\x94\x8c\x01xK\x01sb"),
        ("long text and bytes", b"(\x8d\x03\0\0\0\0\0\0\0abc\x8e\x02\0\0\0\0\0\0\0abB\x01\0\0\0aT\x01\0\0\0at"),
        ("a frame", b"\x95\x01\0\0\0\0\0\0\0N"),
        ("a byte array of protocol 5", b"\x96\x03\0\0\0\0\0\0\0abc"),
        ("a buffer outside", b"\x97\x98"),
        ("extensions", b"(\x82\x01\x83\x01\x01\x84\x01\x01\x01\x01t"),
        ("another persistent object", b"U\x06moduleQ"),
        ("a persistent object of protocol 0", b"Psomewhere\n"),
        ("stack work", b"K\x012\x860(K\x01K\x021N2\x86"),
        ("a list within itself", b"]q\xf0h\xf0a"),
        ("a dictionary within itself", b"}r\0\x01\0\0U\x01xj\0\x01\0\0s"),
        ("what asks to be run", b"cposix\nsystem\nU\x0ftouch /tmp/evil\x85R"),
        ("what asks to be evaluated", b"c__builtin__\neval\nU\x061 / 0.\x85R"),
        ("a sparse tensor", b"ctorch._utils\n_rebuild_sparse_tensor\nK\x01N\x86R"),
        ("a rebuilding of itself", b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nNN)tR"),
        ("a generator", b"ctorch._utils\n_rebuild_tensor_v2\n)R"),
        ("a nest of 200000 tuples", &deep),
    ];
    for (what, value) in values {
        let beside = [&text("beside")[..], value].concat();
        for pickle in [checkpoint(&beside, &weight(), b""), checkpoint(b"", &weight(), &beside)] {
            match read(&pickle) {
                Ok(found) => assert_eq!(found, expected(), "{what}"),
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }
    let keys: [&[u8]; 6] = [b"cmod\nC\n", b"K\x01K\x02\x86", b"N", b"G?\xf0\0\0\0\0\0\0", b"\x88", b"C\x02ab"];
    for key in keys {
        let beside = [key, &b"}U\x01xK\x01s"[..]].concat();
        assert_eq!(read(&checkpoint(&beside, &weight(), &beside)).unwrap(), expected(), "{key:?}");
    }
    // States of optimisers are tensors as well, of storages that nobody reads.
    let other = tensor(&storage("FloatStorage", "0", 6), 2, &[2], &[1]);
    let moments = [&text("optimizer_states")[..], b"]}K\x00}", &text("exp_avg"), &other, b"ssa"].concat();
    assert_eq!(read(&checkpoint(&moments, &weight(), b"")).unwrap(), expected());
}

#[test]
fn a_state_is_found_in_dictionaries_of_every_kind() {
    let (name, weight) = (text("w"), weight());
    let entry = |head: &[u8], tail: &[u8]| [head, &name, &weight, tail].concat();
    let states = [
        entry(b"}", b"s"),
        entry(b"}(", b"u"),
        entry(b"(", b"d"),
        entry(b"ccollections\nOrderedDict\n)R(", b"u}U\x09_metadataNsb"),
        entry(b"ccollections\nOrderedDict\n(](", b"\x86etR"),
        entry(b"cpytorch_lightning.utilities.parsing\nAttributeDict\n)\x81(", b"u"),
        entry(b"ccopy_reg\n_reconstructor\n(cmod\nC\nc__builtin__\ndict\n}", b"stR"),
    ];
    for state in &states {
        let pickle = [&b"\x80\x02}"[..], &text("state_dict"), state, b"s."].concat();
        assert_eq!(read(&pickle).unwrap(), expected(), "{}", String::from_utf8_lossy(state));
        // The file itself may be the dictionary.
        assert_eq!(read(&[b"\x80\x02", &state[..], b"."].concat()).unwrap(), expected());
    }
}

#[test]
fn tensors_of_every_form_are_read() {
    let floats = storage("FloatStorage", "0", 6);
    let ordered: Vec<f32> = (0..6).map(|number| number as f32).collect();
    let call = |function: &str, arguments: &[&[u8]]| -> Vec<u8> {
        let arguments = arguments.concat();
        [format!("c{}\n(", function.replace(' ', "\n")).as_bytes(), &arguments, b"tR"].concat()
    };
    let plain = [&floats[..], b"K\0", &numbers(&[2, 3]), &numbers(&[3, 1])].concat();
    let v3 = [&storage("UntypedStorage", "0", 24)[..], b"K\0", &numbers(&[2, 3]), &numbers(&[3, 1])].concat();
    let v2 = b"ctorch._utils\n_rebuild_tensor_v2\n";
    let cases = [
        ("transposed", tensor(&floats, 0, &[3, 2], &[1, 3]), vec![0., 3., 1., 4., 2., 5.], vec![3, 2]),
        ("a window", tensor(&floats, 3, &[2], &[1]), vec![3., 4.], vec![2]),
        ("every second", tensor(&floats, 1, &[3], &[2]), vec![1., 3., 5.], vec![3]),
        ("spread", tensor(&floats, 2, &[2, 2], &[0, 1]), vec![2., 3., 2., 3.], vec![2, 2]),
        ("one number", tensor(&floats, 5, &[], &[]), vec![5.], vec![]),
        ("none", tensor(&floats, 0, &[0, 4], &[4, 1]), vec![], vec![0, 4]),
        ("a parameter", call("torch._utils _rebuild_parameter", &[&weight(), b"\x88N"]), ordered.clone(), vec![2, 3]),
        ("of PyTorch 0.3", call("torch._utils _rebuild_tensor", &[&plain]), ordered.clone(), vec![2, 3]),
        (
            "of PyTorch 2",
            call("torch._utils _rebuild_tensor_v3", &[&v3, b"\x89Nctorch\nfloat32\n"]),
            ordered.clone(),
            vec![2, 3],
        ),
        (
            "of a class",
            call("torch._tensor _rebuild_from_type_v2", &[v2, b"cmod\nT\n(", &plain, b"\x89Nt}"]),
            ordered,
            vec![2, 3],
        ),
    ];
    for (what, pickled, values, shape) in cases {
        let found = read(&checkpoint(b"", &pickled, b"")).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found, TensorData::new(values, shape), "{what}");
    }
    for (class, dtype, count) in
        [("HalfStorage", DType::F16, 12), ("BFloat16Storage", DType::BF16, 12), ("DoubleStorage", DType::F64, 3)]
    {
        let found = read(&checkpoint(b"", &tensor(&storage(class, "0", count), 1, &[2], &[1]), b"")).unwrap();
        assert_eq!((found.dtype(), &found.shape()[..]), (dtype, &[2][..]));
    }
}

#[test]
fn what_is_no_checkpoint_is_told_in_one_line() {
    let state = [&b"\x80\x02}"[..], &text("model"), b"}s", &text("epoch"), b"K\x01s."].concat();
    let beyond = checkpoint(b"", &tensor(&storage("FloatStorage", "0", 6), 4, &[2, 3], &[3, 1]), b"");
    let huge = checkpoint(b"", &tensor(&storage("FloatStorage", "0", 6), 0, &[i32::MAX; 4], &[1; 4]), b"");
    for (pickle, expected) in [
        (state, "no `state_dict`, but the keys [epoch, model]"),
        ([&b"\x80\x02}"[..], &text("state_dict"), b"}s."].concat(), "no tensor under `state_dict`"),
        (b"\x80\x02K\x01.".to_vec(), "a top-level object that is not a dictionary"),
        (b"\x80\x02R.".to_vec(), "lacks its operand"),
        (b"\x80\x02t.".to_vec(), "lacks its mark"),
        (b"\x80\x02(0u.".to_vec(), "lacks its mark"),
        (b"\x80\x02h\x07.".to_vec(), "no object was stored as 7"),
        (b"\x80\x02\xff.".to_vec(), "0xff is not a pickle instruction"),
        (b"\x80\x02X\xff\xff\xff\xffabc.".to_vec(), "cut off"),
        (beyond, "ends before its tensor"),
        (huge, "no tensor under"),
    ] {
        let error = read(&pickle).unwrap_err();
        assert!(error.contains(expected) && !error.contains('\n'), "{expected}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ckpt");
    let error = || tensors(&path).unwrap_err().to_string();
    let good = checkpoint(b"", &weight(), b"");
    archive(&path, &[("a/data.pkl", &good), ("a/byteorder", b"big")]);
    assert!(error().contains("largest byte first"), "{}", error());
    archive(&path, &[("a/other", &good)]);
    assert!(error().contains("without `data.pkl`"), "{}", error());
    fs::write(&path, b"no checkpoint at all").unwrap();
    assert!(error().contains("neither an archive nor"), "{}", error());
    fs::write(&path, b"PK\x03\x04torn").unwrap();
    assert!(error().contains("a.ckpt"), "{}", error());
    row(&path, &good);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() - storage_bytes().len() - 8 {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(tensors(&path).is_err(), "cut at {length}");
    }
}

#[test]
fn damage_anywhere_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ckpt");
    let good = checkpoint(&[text("beside"), b"]q\x01K\x05a".to_vec()].concat(), &weight(), b"");
    for place in 0..good.len() {
        for byte in [b'(', b't', b'R'] {
            let mut pickle = good.clone();
            pickle[place] = byte;
            archive(&path, &[("a/data.pkl", &pickle), ("a/data/0", &storage_bytes())]);
            for (_, stored) in tensors(&path).unwrap_or_default() {
                let _ = bridge::into_data(stored);
            }
        }
    }
}
