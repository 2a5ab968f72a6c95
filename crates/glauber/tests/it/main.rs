//! The examples do what they say, in small.

#[path = "../../examples/class_conditional.rs"]
#[allow(dead_code)]
mod class_conditional;
#[path = "../../examples/energy.rs"]
mod energy;
#[path = "../../examples/load_and_infill.rs"]
#[allow(dead_code)]
mod load_and_infill;
#[path = "../../examples/own_data.rs"]
#[allow(dead_code)]
mod own_data;
#[path = "../../examples/own_generator.rs"]
#[allow(dead_code)]
mod own_generator;
#[path = "../../examples/own_kernel.rs"]
mod own_kernel;
#[path = "../../examples/own_network.rs"]
#[allow(dead_code)]
mod own_network;
#[path = "../../examples/own_objective.rs"]
#[allow(dead_code)]
mod own_objective;
#[path = "../../examples/resume.rs"]
#[allow(dead_code)]
mod resume;
#[path = "../../examples/train_text.rs"]
#[allow(dead_code)]
mod train_text;

#[test]
fn text_is_trained_on_and_sampled() {
    let samples = train_text::samples(&"It is a truth universally acknowledged. ".repeat(10), 3).unwrap();
    assert!(samples.len() == 3 && samples.iter().all(|text| !text.is_empty()));
    assert!(train_text::samples("too short", 3).is_err());
}

#[test]
fn a_training_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let [unbroken, resumed] = resume::losses(folder.path()).unwrap();
    assert_eq!(unbroken[10..], resumed[..]);
}

#[test]
fn an_objective_of_ones_own_learns() {
    let [first, last] = own_objective::first_and_last(60).unwrap();
    assert!(last < first - 0.05, "{first} to {last}");
}

#[test]
fn a_network_of_ones_own_learns_and_is_sampled() {
    let [[first, last], [samples, noise]] = own_network::train_and_sample(150).unwrap();
    assert!(last < first - 0.05, "{first} to {last}");
    assert!(samples > noise + 0.3, "{samples} of samples, {noise} of noise");
}

#[test]
fn data_of_ones_own_come_back_as_they_went_in() {
    let melodies = own_data::melodies(3).unwrap();
    assert!(melodies.len() == 2 && melodies.iter().all(|melody| melody.len() == 16));
}

#[test]
fn a_class_is_drawn_and_guidance_emphasises_it() {
    let [plain, guided] = class_conditional::posteriors(150).unwrap();
    assert!(plain > 0.6 && guided > plain, "{plain}, guided {guided}");
}

#[test]
fn a_finished_run_fills_gaps() {
    let run = std::path::Path::new("../glauber-cli/tests/golden/text");
    let best_first = load_and_infill::infill(run, "the ____ of").unwrap();
    assert!(best_first.iter().all(|(_, text)| text.starts_with("the") && text.ends_with("of")), "{best_first:?}");
    assert!(best_first.is_sorted_by(|a, b| a.0 >= b.0) && !best_first.is_empty());
}

#[test]
fn a_generator_of_ones_own_is_judged_beside_others() {
    let table = own_generator::table(300).unwrap();
    let [source, ngram, copier] = &table[..] else { panic!("three generators") };
    assert!(source.bound < ngram.bound && ngram.bound < copier.bound - 0.3, "bounds on held-out data: {table:?}");
    let above = |row: &own_generator::Row| row.scores[0] - source.scores[0];
    assert!(above(ngram) < 0.3 && above(copier) > 0.3, "bits under the source: {table:?}");
    assert!(table.iter().all(|row| row.scores.len() == 6));
}

#[test]
fn an_energy_is_sampled_to_its_enumerated_mean() {
    energy::main().unwrap();
}

#[test]
fn a_kernel_of_ones_own_draws_the_law_with_fewer_changes() {
    own_kernel::main().unwrap();
}
