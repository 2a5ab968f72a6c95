//! `glauber energy`: exact values beside estimates, pictures, and the mistakes that users make.

use std::fs;

use serde_json::Value;

use crate::program::{mistake, run, said};

const SMALL: [&str; 10] = ["-n", "256", "--sweeps", "64", "--chains", "4", "--updates", "400", "--burn-in", "50"];

/// Runs a study in small and reads its JSON.
fn study(at: &std::path::Path, words: &[&str]) -> Value {
    let output = run(at, &[&["energy"], words, &SMALL, &["--json"]].concat());
    serde_json::from_str(&said(&output)).expect("JSON")
}

fn near(study: &Value, by: &str, slack: f64) {
    let found = study["log_partition"]["estimate"].as_f64().expect("a number");
    let exact = study["exact"]["value"].as_f64().expect("a number");
    assert_eq!(study["exact"]["by"], by);
    assert!((found - exact).abs() < slack, "{study:#}");
    for mean in study["means"].as_array().expect("a list").iter().filter(|mean| !mean["exact"].is_null()) {
        let [found, error, exact] =
            ["mean", "standard_error", "exact"].map(|key| mean[key].as_f64().expect("a number"));
        assert!((found - exact).abs() < 5.0 * error, "{mean:#}");
    }
}

#[test]
fn every_kind_of_target_is_near_its_exact_value() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    near(&study(at, &["ising", "--side", "8", "--beta", "0.44"]), "Kaufman", 0.5);
    near(&study(at, &["ising", "--side", "4", "--beta", "0.3", "--field", "0.1"]), "elimination", 0.3);
    near(&study(at, &["ising", "--side", "6", "--beta", "-0.4"]), "Kaufman", 0.3);
    near(&study(at, &["ising", "--side", "5", "--beta", "-0.3"]), "elimination", 0.3);
    near(&study(at, &["ising", "--side", "4", "--beta", "0"]), "elimination", 1e-9);
    near(&study(at, &["potts", "--side", "3", "--beta", "0.8"]), "elimination", 0.3);
    near(&study(at, &["glass", "--side", "4", "--beta", "0.5", "--couplings", "gaussian"]), "elimination", 0.3);
    near(&study(at, &["hypergrid"]), "closed form", 0.3);
    let graph = r#"{"sites": [{"name": "rain", "tokens": ["no", "yes"]}, {"name": "grass", "tokens": ["dry", "damp", "wet"]}],
        "factors": [{"sites": ["rain"], "weights": [0.8, 0.2]}, {"sites": ["rain", "grass"], "weights": [[7, 2, 1], [1, 3, 6]]}]}"#;
    fs::write(at.join("rain.json"), graph).expect("a file");
    let found = study(at, &["graph", "rain.json"]);
    near(&found, "elimination", 0.2);
    assert_eq!(found["means"][1]["name"], "grass = wet");
    assert_eq!(found["samples"][0].as_array().expect("tokens").len(), 2);
}

/// A table in which `a` and `b` make `c`: the edges between them are found, and drawn.
#[test]
fn dependences_of_a_table_are_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let mut csv = "a,b,c\n".to_owned();
    for n in 0..60 {
        let (a, b) = ((n as f64 * 1.7).sin(), (n as f64 * 0.61).cos());
        csv += &format!("{a},{b},{}\n", a + b + 0.1 * (n as f64 * 2.9).sin());
    }
    fs::write(at.join("table.csv"), csv).expect("a file");
    let found = study(at, &["dag", "--data", "table.csv", "--edges", "edges.svg"]);
    near(&found, "the sum over all graphs", 0.5);
    let names = ["a → c", "b → c"];
    let first = [0, 1].map(|at| found["means"][at]["name"].as_str().expect("a name").to_owned());
    assert!(names.iter().all(|name| first.iter().any(|found| found == name)), "{found:#}");
    assert!(fs::read_to_string(at.join("edges.svg")).expect("a picture").starts_with("<svg"));
    mistake(at, &["energy", "dag", "--data", "table.csv", "--picture", "x.png"], &["--picture", "--edges"]);
    // Units and origins of the columns do not matter, unless that is asked for: independent columns stay so.
    let mut csv = "x,y,z\n".to_owned();
    for n in 0..60 {
        let [x, y, z] = [1.7, 0.61, 2.9].map(|step| 300.0 + (n as f64 * step).sin());
        csv += &format!("{x},{},{}\n", 1000.0 * y, 0.001 * z);
    }
    fs::write(at.join("apart.csv"), csv).expect("a file");
    let edges = |words: &[&str]| -> Vec<f64> {
        let found = study(at, &[&["dag", "--data", "apart.csv"], words].concat());
        found["means"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|mean| mean["exact"].as_f64().expect("a number"))
            .collect()
    };
    assert!(edges(&[]).iter().all(|p| *p < 0.1) && edges(&["--raw"]).iter().any(|p| *p > 0.3));
    fs::write(at.join("bad.csv"), "a,b\n1,2\n3,x\n").expect("a file");
    mistake(at, &["energy", "dag", "--data", "bad.csv"], &["bad.csv", "x"]);
    mistake(at, &["energy", "dag", "--data", "none.csv"], &["none.csv"]);
}

#[test]
fn the_report_is_read_by_people() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let words = ["energy", "ising", "--side", "6", "--beta", "0.3", "--picture", "spins.png"];
    let text = said(&run(at, &[&words[..], &SMALL].concat()));
    for part in ["6 x 6 torus", "log Z", "exactly", "by Kaufman", "|magnetisation|", "cluster updates", "--- sample 1"]
    {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    assert_eq!(text.lines().rev().take_while(|line| line.chars().all(|c| "#.".contains(c))).count(), 6);
    assert!(fs::read(at.join("spins.png")).expect("a picture").starts_with(b"\x89PNG"));
    mistake(at, &["energy", "ising", "--beta", "0.4", "--side", "0"], &["height", "at least 1"]);
    mistake(at, &["energy", "ising", "--beta", "1000"], &["coupling", "-100 and 100"]);
    mistake(at, &["energy", "potts", "--beta", "1", "--colours", "1"], &["colours", "2 to 4096"]);
    mistake(at, &["energy", "hypergrid", "--rewards", "0,1,2"], &["rewards", "above 0"]);
    mistake(at, &["energy", "hypergrid", "--rewards", "1,2"], &["--rewards", "2 numbers", "three"]);
    mistake(at, &["energy", "hypergrid", "--picture", "x.png"], &["--picture", "lattice"]);
    mistake(at, &["energy", "ising", "--beta", "0.4", "-n", "0"], &["particles", "at least 1"]);
    mistake(at, &["energy", "ising", "--beta", "0.4", "--sweeps", "0"], &["sweeps", "1 to 2^24"]);
    mistake(at, &["energy", "ising", "--beta", "0.4", "--chains", "0", "--sweeps", "2"], &["chains", "at least 1"]);
    mistake(at, &["energy", "ising", "--beta", "0.4", "--side", "9999999"], &["--side", "at most 2048"]);
    mistake(at, &["energy", "ising", "--beta", "0.4", "--sweeps", "99999999999"], &["sweeps", "2^24"]);
    mistake(at, &["energy", "ising", "--beta", "0.4", "-n", "99999999999"], &["particles", "2^28"]);
    mistake(
        at,
        &["energy", "ising", "--beta", "0.4", "--sweeps", "2", "--updates", "99999999999"],
        &["updates", "2^28"],
    );
    let huge = ["energy", "ising", "--beta", "0.4", "--chains", "18446744073709551615"];
    mistake(at, &huge, &["--chains", "2^28"]);
    mistake(at, &[&huge[..5], &["100000000"]].concat(), &["--chains", "sites", "2^28"]);
    mistake(at, &["energy", "ising", "--beta", "0.4", "--burn-in", "18446744073709551615"], &["--burn-in", "2^28"]);
    mistake(at, &["energy", "potts", "--beta", "1", "--colours", "1000000000"], &["colours", "4096"]);
    mistake(at, &["energy", "hypergrid", "--side", "1000000000"], &["side", "65536"]);
    let many: Vec<String> = (0..70).map(|at| format!(r#"{{"name": "s{at}", "tokens": ["a", "b"]}}"#)).collect();
    let names: Vec<String> = (0..70).map(|at| format!("\"s{at}\"")).collect();
    let text = format!(
        r#"{{"sites": [{}], "factors": [{{"sites": [{}], "weights": [1]}}]}}"#,
        many.join(","),
        names.join(",")
    );
    fs::write(at.join("wide.json"), text).expect("a file");
    mistake(at, &["energy", "graph", "wide.json"], &["wide.json", "entries"]);
    mistake(at, &["energy", "graph", "none.json"], &["none.json"]);
    fs::write(at.join("bad.json"), r#"{"sites": [], "factors": []}"#).expect("a file");
    mistake(at, &["energy", "graph", "bad.json"], &["bad.json", "0 sites"]);
}
