//! Devices by name.

use std::process::Output;

use crate::program::glauber;

fn run(arguments: &[&str]) -> Output {
    glauber(arguments).output().expect("the program starts")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_device_that_cannot_be_had_is_one_line() {
    let unknown = run(&["sample", "--run", "nowhere", "--device", "tpu"]);
    assert_eq!(said(&unknown.stderr), "error: `--device tpu`: expected cpu, wgpu, cuda or cuda:INDEX\n");
    for device in ["wgpu", "cuda", "cuda:77"] {
        let out = run(&["sample", "--run", "nowhere", "--device", device]);
        let said = said(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        // Either the device cannot be had, or there is no such run.
        assert!(said.starts_with(&format!("error: `--device {device}`: ")) || said.contains("nowhere"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn every_device_is_listed_with_how_to_get_it() {
    let out = run(&["device", "list"]);
    assert!(out.status.success());
    let listed = said(&out.stdout);
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["cpu", "wgpu", "cuda"]);
    if !cfg!(feature = "wgpu") {
        assert!(listed.contains("wgpu  not in this binary; build `glauber-cli` with `--features"), "{listed}");
    }
}
