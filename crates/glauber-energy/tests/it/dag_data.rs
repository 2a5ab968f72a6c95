use glauber_energy::dag::{
    Bge, CachedScores, DataTable, LinearGaussian, RandomNetwork, WeightLaw, edge_picture, sum_over_dags,
};

fn refused(csv: &[u8]) -> String {
    DataTable::from_csv(csv).unwrap_err().to_string()
}

#[test]
fn tables_are_read() {
    let table = DataTable::from_csv("\u{feff}\"a, b\" , c\n1, 2e-3\n -4 ,5\n".as_bytes()).unwrap();
    assert_eq!(table.names(), ["a, b", "c"]);
    assert_eq!((table.rows(), table.columns(), table.values()), (2, 2, &[1.0, 2e-3, -4.0, 5.0][..]));
    assert_eq!(table.standardised().values(), [1.0, -1.0, -1.0, 1.0]);
}

/// Every refusal names the row, the column and what was found.
#[test]
fn bad_tables_are_refused_by_what_is_wrong() {
    for (csv, reason) in [
        ("a,b\n1,2\n3,x\n", "row 2, column \"b\": found \"x\", expected a finite number"),
        ("a,b\n1,2\nNaN,3\n", "row 2, column \"a\": found \"NaN\""),
        ("a,b\n1,inf\n2,3\n", "row 1, column \"b\": found \"inf\""),
        ("a,b\n1,\n2,3\n", "row 1, column \"b\": found \"\""),
        ("a,b\n1,2\n3\n", "row 2 has 1 fields, expected 2"),
        ("a,b\n1,2\n3,4,5\n", "row 2 has 3 fields, expected 2"),
        ("a,b\n1,2\n", "found 1 rows, expected at least 2"),
        ("a,b\n", "found 0 rows"),
        ("a,b\n1,2\n3,2\n", "column \"b\" is 2 in every row"),
        ("a,a\n1,2\n3,4\n", "the name \"a\" twice"),
        ("a,\n1,2\n3,4\n", "column 2 has no name"),
        ("a\n1\n2\n", "1 column, expected 2 to 64"),
        ("", "0 columns, expected 2 to 64"),
        ("a;b\n1;2\n3;4\n", "1 column, expected 2 to 64"),
    ] {
        let found = refused(csv.as_bytes());
        assert!(found.starts_with("data: ") && found.contains(reason), "{found}");
    }
    assert!(refused(b"a,b\n1,\xff\n2,3\n").contains("cannot be read"));
    let names = || vec!["a".to_owned(), "b".to_owned()];
    let wrong = |values: Vec<f64>| DataTable::new(names(), values).unwrap_err().to_string();
    assert!(wrong(vec![1.0, 2.0, 3.0, f64::NAN]).contains("row 2, column \"b\": found NaN"));
    assert!(wrong(vec![1.0; 5]).contains("found 5 values"));
}

#[test]
fn dependent_columns_are_refused() {
    let twice = |scale: f64| {
        let rows = (0..20).flat_map(|n| [f64::from(n) * scale, 2.0 * f64::from(n) * scale]).collect();
        DataTable::new(vec!["a".into(), "b".into()], rows).unwrap()
    };
    // The prior alone keeps them apart while it is not lost in rounding.
    assert!(Bge::new(&twice(1.0)).is_ok() && LinearGaussian::new(&twice(1.0), 0.1, 1.0).is_ok());
    for text in [
        Bge::new(&twice(1e9)).unwrap_err().to_string(),
        LinearGaussian::new(&twice(1e9), 0.1, 1.0).unwrap_err().to_string(),
    ] {
        assert!(text.contains("depend on each other"), "{text}");
    }
    assert!(
        LinearGaussian::new(&twice(1.0), 0.0, 1.0).is_err() && LinearGaussian::new(&twice(1.0), 1.0, -1.0).is_err()
    );
}

/// Weights and noise of the simulation come back from a fit: the variance is a variance.
#[test]
fn simulated_data_have_the_stated_law() {
    let settings = RandomNetwork { nodes: 6, edges: 8.0, rows: 20_000, noise_variance: 0.25, seed: 4 };
    let found = settings.simulate().unwrap();
    assert!(found.graph.is_acyclic() && found.graph.edges() > 3);
    let fit = LinearGaussian::new(&found.data, 0.25, 1.0).unwrap();
    for node in 0..6 {
        let law = fit.weights(node, found.graph.parents()[node]).unwrap();
        for (at, (&parent, mean)) in law.parents.iter().zip(&law.mean).enumerate() {
            let spread = law.covariance[at * law.parents.len() + at].sqrt();
            assert!((mean - found.weights[parent * 6 + node]).abs() < 4.5 * spread);
        }
        let residual = |row: &[f64]| {
            let pull: f64 = law.parents.iter().zip(&law.mean).map(|(&parent, w)| w * row[parent]).sum();
            (row[node] - pull).powi(2)
        };
        let variance = found.data.values().chunks(6).map(residual).sum::<f64>() / 20_000.0;
        assert!((variance / 0.25 - 1.0).abs() < 0.05, "{variance}");
    }
    // Edges have the stated expectation: 2 of 3 pairs.
    let edges = |seed| RandomNetwork { nodes: 3, edges: 2.0, rows: 2, noise_variance: 1.0, seed }.simulate().unwrap();
    let mean = (0..2000).map(|seed| edges(seed).graph.edges() as f64).sum::<f64>() / 2000.0;
    assert!((mean - 2.0).abs() < 0.08, "{mean}");
    for wrong in [
        RandomNetwork { nodes: 1, ..settings },
        RandomNetwork { edges: 16.0, ..settings },
        RandomNetwork { rows: 1, ..settings },
        RandomNetwork { noise_variance: 0.0, ..settings },
    ] {
        assert!(wrong.simulate().is_err());
    }
}

/// Twelve nodes, beyond any list of graphs: the edges of the network that made the data stand out.
#[test]
fn sums_over_twelve_nodes_find_the_skeleton() {
    let network = RandomNetwork { nodes: 12, edges: 14.0, rows: 500, noise_variance: 1.0, seed: 2 };
    let found = network.simulate().unwrap();
    let exact = sum_over_dags(&CachedScores::new(Bge::new(&found.data).unwrap())).unwrap();
    let joined = |a: usize, b: usize| exact.edge_marginal(a, b) + exact.edge_marginal(b, a);
    let (mut kept, mut wrong) = (0, 0);
    for a in 0..12 {
        for b in 0..a {
            let strong = found.weights[a * 12 + b].abs().max(found.weights[b * 12 + a].abs()) > 0.3;
            assert!(joined(a, b) <= 1.0 + 1e-9);
            kept += usize::from(strong && joined(a, b) > 0.9);
            wrong += usize::from(strong && joined(a, b) < 0.5);
        }
    }
    assert!(kept >= 5 && wrong <= 1, "{kept} kept, {wrong} lost");
}

#[test]
fn pictures_escape_names() {
    let names = ["a<b>&\"c\"".to_owned(), "ü\u{7}".to_owned(), "n".repeat(60)];
    let svg = edge_picture(&names, &[0.0, 0.25, 1.0, 0.5, 0.0, 0.0, 1.0 + 1e-12, 0.0, 0.0]).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("a&lt;b&gt;&amp;&quot;c&quot; → ü: 0.250") && !svg.contains("a<b>"));
    assert!(!svg.contains('\u{7}') && svg.contains(&format!("{}…", "n".repeat(23))));
    assert!(edge_picture(&names, &[0.0; 4]).is_err() && edge_picture(&[], &[]).is_err());
    assert!(edge_picture(&names[..1], &[2.0]).is_err() && edge_picture(&names[..1], &[f64::NAN]).is_err());
}
