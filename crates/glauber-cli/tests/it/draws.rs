//! Draws on the device that holds the network.

use crate::program;
use std::path::Path;

use program::{glauber, small_run};

fn ask(arguments: &[&str]) -> (bool, String, String) {
    let output = glauber(arguments).output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn sample(run: &Path, more: &[&str]) -> (bool, String, String) {
    let run = run.display().to_string();
    ask(&[&["sample", "--run", &run, "-n", "3"], more].concat())
}

#[test]
fn samples_and_their_statistics_are_those_of_the_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    assert!(glauber(small_run(&run, 4, &["data.classes=2", "model.classes=2"])).status().expect("it runs").success());
    for more in
        [&["--temperature", "0.8", "--class", "1"][..], &["--block", "3", "--renoise-steps", "5", "--rounds", "2"]]
    {
        let on = |place: &[&str]| sample(&run, &[more, place].concat());
        let (host, device) = (on(&["--draw-on", "host"]), on(&["--draw-on", "device"]));
        assert!(host.0 && host.2.contains("for each of 3 sequences"), "{host:?}");
        assert_eq!(host, device, "{more:?}");
        assert_eq!(host, on(&[]), "the CPU's default");
    }
    for (more, words) in [
        (&["--sampler", "lazy"][..], "`--sampler lazy`"),
        (&["--sampler", "skip-ahead"], "`--sampler skip-ahead`"),
        (&["--class", "1", "--guidance", "2"], "`--guidance`"),
    ] {
        let (done, _, error) = sample(&run, &[&["--draw-on", "device"], more].concat());
        assert!(!done && error.contains("`--draw-on device`") && error.contains(words), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let (done, ..) = sample(&run, &["--draw-on", "device", "--class", "1", "--guidance", "0"]);
    assert!(done, "a weight of 0 is no guidance");
}
