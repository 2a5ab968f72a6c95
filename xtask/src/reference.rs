//! `docs/reference/configuration.md`, written from the types that configurations are read into.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use heck::ToKebabCase;
use regex::Regex;
use syn::{Attribute, Expr, ExprLit, Fields, FieldsNamed, File, Item, ItemEnum, ItemStruct, Lit, Meta, Type};

use crate::workspace;

/// The sections of the page: a heading, the file of a type, the type. Structs are tables of keys, enums are values chosen by name.
const TYPES: [(&str, &str, &str); 30] = [
    ("Top level", "glauber-run/src/config.rs", "RunConfig"),
    ("`[model]`", "glauber-model/src/config.rs", "ModelConfig"),
    ("`[model.prior]`", "glauber-model/src/prior.rs", "PriorConfig"),
    ("`[schedule]`", "glauber-schedule/src/schedule_config.rs", "ScheduleConfig"),
    ("`[train]`", "glauber-train/src/config.rs", "TrainConfig"),
    ("`[data]` of `kind = \"text\"`", "glauber-run/src/text.rs", "TextData"),
    ("`[data.corpus]`", "glauber-text/src/corpus/mod.rs", "CorpusConfig"),
    ("`[data]` of `kind = \"image\"`", "glauber-run/src/images/config.rs", "Keys"),
    ("`[data.images]` of `kind = \"folder\"`", "glauber-pixels/src/source/folder.rs", "FolderConfig"),
    ("`[data.images]` of `kind = \"shapes\"`", "glauber-pixels/src/source/shapes.rs", "ShapeConfig"),
    ("`[data.tokenizer]` of images", "glauber-run/src/images/config.rs", "TokenizerConfig"),
    ("`[data]` of `kind = \"sudoku\"`", "glauber-run/src/sudoku.rs", "SudokuData"),
    ("`[data]` of `kind = \"markov\"`", "glauber-run/src/markov.rs", "MarkovData"),
    ("`[data]` of `kind = \"plane\"`", "glauber-run/src/plane.rs", "PlaneData"),
    ("`[data]` of `kind = \"energy\"`", "glauber-run/src/energy.rs", "EnergyData"),
    ("Image tokenizers: `[model]`", "glauber-image/src/model/config.rs", "VqConfig"),
    ("Image tokenizers: `[train]`", "glauber-image/src/training/config.rs", "TokenizerTrainConfig"),
    ("Noise laws, `schedule.noise`", "glauber-schedule/src/noise.rs", "NoiseConfig"),
    ("Signal shapes, `schedule.shape`", "glauber-schedule/src/signal.rs", "SignalShape"),
    ("Orders of sites, `schedule.order`", "glauber-schedule/src/order/config.rs", "OrderConfig"),
    ("Positions, `model.positions`", "glauber-model/src/config.rs", "Positions"),
    ("Conditioning, `model.conditioning`", "glauber-model/src/config.rs", "Conditioning"),
    ("Optimisers, `train.optimiser`", "glauber-train/src/optimiser.rs", "OptimiserKind"),
    ("Number types, `train.precision`", "glauber-train/src/precision.rs", "Precision"),
    ("Tokenizers of text, `data.tokenizer`", "glauber-text/src/codec/config.rs", "TokenizerConfig"),
    ("Documents of a corpus, `data.corpus.split`", "glauber-text/src/corpus/mod.rs", "DocumentSplit"),
    ("Sources of images, `data.images`", "glauber-run/src/images/config.rs", "ImagesConfig"),
    ("Crops of images, `crop`", "glauber-pixels/src/source/placement.rs", "Crop"),
    ("Targets given by an energy, `data.target`", "glauber-energy/src/study/config.rs", "TargetConfig"),
    ("Quantisers, `quantiser`", "glauber-image/src/quantiser/mod.rs", "QuantiserConfig"),
];

/// Folders whose files hold objectives.
const OBJECTIVES: [&str; 2] = ["glauber-train/src/objective/losses", "glauber-baselines/src"];

const PAGE: &str = "docs/reference/configuration.md";

/// Writes the page.
///
/// # Errors
/// If a source cannot be read, or the page cannot be written.
pub fn run() -> anyhow::Result<ExitCode> {
    let root = workspace::metadata(workspace::Depth::Members)?.workspace_root.into_std_path_buf();
    fs::write(root.join(PAGE), page(&root)?).with_context(|| format!("cannot write {PAGE}"))?;
    Ok(ExitCode::SUCCESS)
}

/// The page.
///
/// # Errors
/// If a source cannot be read, or a type is not where the lists above say.
fn page(root: &Path) -> anyhow::Result<String> {
    let mut page = String::from(
        "# Configuration keys\n\n\
         `cargo xtask reference` writes this page from the types that read a configuration.\n\n\
         A run is configured by a TOML file. Flags override `--set KEY=VALUE`, which overrides `--config` and\n\
         `--preset`, which override the program's defaults. `config.toml` of a run folder holds the result.\n",
    );
    for (heading, path, name) in TYPES {
        let file = read(&root.join("crates").join(path))?;
        match named(&file, name)? {
            Item::Struct(item) => table(&mut page, heading, item, &defaults(&file, name))?,
            Item::Enum(item) => choices(&mut page, heading, item)?,
            _ => bail!("{name} of {path} is neither a struct nor an enum"),
        }
    }
    networks(&mut page, root)?;
    objectives(&mut page, root)?;
    Ok(page)
}

fn read(path: &Path) -> anyhow::Result<File> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    syn::parse_file(&text).with_context(|| format!("cannot parse {}", path.display()))
}

/// The struct or enum of a name.
fn named<'a>(file: &'a File, name: &str) -> anyhow::Result<&'a Item> {
    let is_it = |item: &&Item| match item {
        Item::Struct(item) => item.ident == name,
        Item::Enum(item) => item.ident == name,
        _ => false,
    };
    let found = file.items.iter().find(is_it);
    found.with_context(|| format!("no type {name} in the file that xtask/src/reference.rs names for it"))
}

/// The doc comment of a struct.
fn said(file: &File, name: &str) -> anyhow::Result<String> {
    let Item::Struct(item) = named(file, name)? else { bail!("{name} is no struct") };
    Ok(doc(&item.attrs))
}

fn table(
    page: &mut String,
    heading: &str,
    item: &ItemStruct,
    defaults: &HashMap<String, String>,
) -> anyhow::Result<()> {
    writeln!(page, "\n## {heading}\n\n{}\n\n| key | type | default | meaning |\n|---|---|---|---|", doc(&item.attrs))?;
    let Fields::Named(fields) = &item.fields else { return Ok(()) };
    for field in &fields.named {
        let name = field.ident.as_ref().expect("a named field").to_string();
        let said = doc(&field.attrs);
        ensure!(!said.is_empty(), "the key {name} of {} has no doc comment", item.ident);
        let default = defaults.get(&name).cloned().or_else(|| of_serde(&field.attrs)).unwrap_or_default();
        writeln!(page, "| `{name}` | {} | {default} | {said} |", kind(&field.ty))?;
    }
    Ok(())
}

fn choices(page: &mut String, heading: &str, item: &ItemEnum) -> anyhow::Result<()> {
    let tagged = serde(&item.attrs).any(|words| words.contains("tag = \"kind\""));
    writeln!(page, "\n## {heading}\n\n{}\n\n| value | meaning |\n|---|---|", doc(&item.attrs))?;
    for variant in &item.variants {
        let name = variant.ident.to_string().to_kebab_case();
        let name =
            if serde(&item.attrs).any(|words| words.contains("lowercase")) { name.replace('-', "") } else { name };
        let (keys, meanings) = match &variant.fields {
            Fields::Named(fields) => keys(fields),
            _ => (String::new(), String::new()),
        };
        let value = match (tagged, variant.fields.is_empty()) {
            (true, _) => format!("{{ kind = \"{name}\"{keys} }}"),
            (false, true) => format!("\"{name}\""),
            (false, false) => format!("{{ {name} = {{ {} }} }}", keys.trim_start_matches(", ")),
        };
        let default = if variant.attrs.iter().any(|it| it.path().is_ident("default")) { "The default. " } else { "" };
        writeln!(page, "| `{value}` | {default}{}{meanings} |", doc(&variant.attrs))?;
    }
    Ok(())
}

/// The keys of a variant, and what they mean.
fn keys(fields: &FieldsNamed) -> (String, String) {
    let named = || fields.named.iter().map(|field| (field.ident.as_ref().expect("a named field"), field));
    let keys = named().map(|(name, _)| format!(", {name} = …")).collect();
    let meanings = named().map(|(name, field)| format!(" `{name}`: {}", doc(&field.attrs))).collect();
    (keys, meanings)
}

/// The designs of the list `networks!`, each with the doc comment of its type.
fn networks(page: &mut String, root: &Path) -> anyhow::Result<()> {
    writeln!(page, "\n## Networks, `model.network`\n\n| value | meaning |\n|---|---|")?;
    let sources = root.join("crates/glauber-model/src");
    let list = read(&sources.join("lib.rs"))?.items.into_iter().find_map(|item| match item {
        Item::Macro(item) if item.mac.path.segments.last().is_some_and(|name| name.ident == "networks") => {
            Some(item.mac.tokens.to_string())
        }
        _ => None,
    });
    let list = list.context("glauber-model/src/lib.rs has no list networks!")?;
    for line in list.split(',').map(|line| line.replace(' ', "")).filter(|line| !line.is_empty()) {
        let parts = line.split_once("::").and_then(|(module, rest)| Some((module, rest.split_once('=')?)));
        let (module, (design, name)) = parts.with_context(|| format!("{line} is no module::Type = \"name\""))?;
        let file = read(&sources.join(module).with_extension("rs"))?;
        writeln!(page, "| `{name}` | {} |", said(&file, design)?)?;
    }
    Ok(())
}

fn objectives(page: &mut String, root: &Path) -> anyhow::Result<()> {
    writeln!(page, "\n## Objectives, `train.objective`\n\n| value | meaning |\n|---|---|")?;
    for folder in OBJECTIVES {
        let folder = root.join("crates").join(folder);
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
            let file = read(path)?;
            let Some((owner, name)) = file.items.iter().find_map(objective) else { continue };
            writeln!(page, "| `\"{name}\"` | {} |", said(&file, &owner)?)?;
        }
    }
    Ok(())
}

/// The type of an `impl Objective`, and the name that it returns.
fn objective(item: &Item) -> Option<(String, String)> {
    let Item::Impl(item) = item else { return None };
    if item.trait_.as_ref()?.1.segments.last()?.ident != "Objective" {
        return None;
    }
    let Type::Path(owner) = &*item.self_ty else { return None };
    let name = item.items.iter().find_map(|item| match item {
        syn::ImplItem::Fn(function) if function.sig.ident == "name" => match function.block.stmts.first()? {
            syn::Stmt::Expr(Expr::Lit(ExprLit { lit: Lit::Str(name), .. }), _) => Some(name.value()),
            _ => None,
        },
        _ => None,
    })?;
    Some((owner.path.segments.last()?.ident.to_string(), name))
}

/// The values of `impl Default` by field.
fn defaults(file: &File, name: &str) -> HashMap<String, String> {
    let body = file.items.iter().find_map(|item| match item {
        Item::Impl(item) if item.trait_.as_ref().is_some_and(|(_, path, _)| path.is_ident("Default")) => {
            let Type::Path(owner) = &*item.self_ty else { return None };
            if !owner.path.is_ident(name) {
                return None;
            }
            item.items.iter().find_map(|item| match item {
                syn::ImplItem::Fn(function) => function.block.stmts.last(),
                _ => None,
            })
        }
        _ => None,
    });
    let Some(syn::Stmt::Expr(Expr::Struct(values), None)) = body else { return HashMap::new() };
    let fields = values.fields.iter().filter_map(|field| {
        let syn::Member::Named(name) = &field.member else { return None };
        let value = shown(&field.expr)?;
        Some((name.to_string(), format!("`{value}`")))
    });
    fields.collect()
}

/// A value as TOML writes it, where that is plain.
fn shown(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) => Some(value.value.to_string()),
        Expr::Lit(ExprLit { lit: Lit::Int(value), .. }) => Some(value.to_string()),
        Expr::Lit(ExprLit { lit: Lit::Float(value), .. }) => Some(value.to_string()),
        // A choice that the page lists.
        Expr::Path(path) if path.path.segments.len() == 2 => {
            let [of, name] = [0, 1].map(|at| path.path.segments[at].ident.to_string());
            TYPES.iter().any(|(.., listed)| *listed == of).then(|| format!("\"{}\"", name.to_kebab_case()))
        }
        // An objective.
        Expr::Reference(inner) => match &*inner.expr {
            Expr::Path(path) => Some(format!("\"{}\"", path.path.get_ident()?.to_string().to_kebab_case())),
            _ => None,
        },
        Expr::Call(call) => shown(call.args.first()?),
        _ => None,
    }
}

/// The default that serde fills in, where its attribute names a value's type alone.
fn of_serde(attributes: &[Attribute]) -> Option<String> {
    serde(attributes).any(|words| words.contains("default")).then(|| "optional".to_owned())
}

/// What stands in the attributes of serde, conditional ones too.
fn serde(attributes: &[Attribute]) -> impl Iterator<Item = String> {
    attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("serde") || list.path.is_ident("cfg_attr") => {
            Some(list.tokens.to_string())
        }
        _ => None,
    })
}

/// A type in words of TOML.
fn kind(kind: &Type) -> String {
    let Type::Path(path) = kind else { return "name".to_owned() };
    let last = path.path.segments.last().expect("a path has segments");
    let name = last.ident.to_string();
    match name.as_str() {
        "usize" | "u64" | "u32" => "integer".to_owned(),
        "f64" => "number".to_owned(),
        "bool" => "boolean".to_owned(),
        "String" | "PathBuf" => "text".to_owned(),
        "Option" | "Vec" => {
            let syn::PathArguments::AngleBracketed(inner) = &last.arguments else { return name };
            let inner = inner.args.first().map_or(name.clone(), |inner| match inner {
                syn::GenericArgument::Type(inner) => self::kind(inner),
                _ => name.clone(),
            });
            if name == "Vec" { format!("list of {inner}") } else { inner }
        }
        _ => "see below".to_owned(),
    }
}

/// A doc comment in one line, its first paragraph, without links to code.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    let paragraph: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let text = unlinked(&paragraph.join(" ")).replace('|', "\\|");
    text.strip_suffix(':').map_or(text.clone(), |text| format!("{text}."))
}

/// Text without the targets of links: ``[`A`](b)`` and ``[`A`]`` are `` `A` ``.
fn unlinked(text: &str) -> String {
    let link = Regex::new(r"\[(`.*?`)\](?:\(.*?\))?").expect("an expression");
    link.replace_all(text, "$1").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_that_of_the_types() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let found = fs::read_to_string(root.join(PAGE)).unwrap();
        assert!(found == page(root).unwrap(), "{PAGE} is old: run `cargo xtask reference`");
    }

    #[test]
    fn links_become_plain() {
        assert_eq!(unlinked("as [`A::b`](c::A::b) and [`D`] say"), "as `A::b` and `D` say");
    }
}
