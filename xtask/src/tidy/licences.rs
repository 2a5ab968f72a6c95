//! What we link may be passed on under our own licence.

use cargo_metadata::{Metadata, Package};
use spdx::{Expression, ParseMode};

/// Licences that allow it. Exceptions (`WITH …`) only add permissions and are not looked at.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// Packages with a licence file and no expression, and the licence in the file.
const READ_BY_HAND: [(&str, &str); 1] = [("cfg_block", "Apache-2.0")];

/// Packages whose licence is missing, unreadable or not allowed.
pub fn check(graph: &Metadata) -> Vec<String> {
    graph.packages.iter().filter_map(complaint).collect()
}

fn complaint(package: &Package) -> Option<String> {
    let Package { name, version, .. } = package;
    let by_hand = || READ_BY_HAND.iter().find(|(known, _)| *known == name.as_str()).map(|(_, licence)| *licence);
    let Some(licence) = package.license.as_deref().or_else(by_hand) else {
        return Some(format!(
            "{name} {version} names no licence; read its licence file and list it in tidy/licences.rs"
        ));
    };
    match Expression::parse_mode(licence, ParseMode::LAX) {
        Err(error) => Some(format!("{name} {version} has an unreadable licence `{licence}`: {}", error.reason)),
        Ok(expression) if is_allowed(&expression) => None,
        Ok(_) => Some(format!("{name} {version} has the licence `{licence}`, which tidy/licences.rs does not allow")),
    }
}

fn is_allowed(expression: &Expression) -> bool {
    expression.evaluate(|required| required.license.id().is_some_and(|id| ALLOWED.contains(&id.name)))
}

#[cfg(test)]
mod tests {
    use super::super::graph::sketch::{graph, package_mut};
    use super::*;

    fn verdict(licence: Option<&str>) -> Vec<String> {
        let mut graph = graph(&["thing"]);
        package_mut(&mut graph, "thing").license = licence.map(str::to_owned);
        check(&graph)
    }

    #[test]
    fn permissive_licences_pass() {
        for licence in [
            "MIT",
            "MIT/Apache-2.0",
            "MIT / Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
            "GPL-3.0-only OR MIT",
        ] {
            assert_eq!(verdict(Some(licence)), Vec::<String>::new(), "{licence}");
        }
    }

    #[test]
    fn others_do_not() {
        for licence in ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "LicenseRef-ours", "what", ""] {
            assert_eq!(verdict(Some(licence)).len(), 1, "{licence}");
        }
        assert!(verdict(None)[0].contains("names no licence"));
    }

    #[test]
    fn the_allowed_are_known_identifiers() {
        for name in ALLOWED {
            assert!(spdx::license_id(name).is_some(), "{name}");
        }
    }
}
