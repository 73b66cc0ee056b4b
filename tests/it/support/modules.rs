//! The modules of a crate as the compiler sees them: what each imports, and what each names, by
//! whatever route. Comments, strings and what is compiled for tests alone do not count.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, UseTree};

/// Several crates that name each other.
#[derive(Default)]
pub struct Modules {
    modules: Vec<Module>,
    /// Each crate's root, by the name under which the others know it.
    roots: BTreeMap<String, usize>,
}

/// Reads a source file, or tells that there is none.
pub type Read<'a> = dyn Fn(&Path) -> Option<String> + 'a;

/// A top-level module of the crate that has layers, or a whole crate.
pub type Layer = String;

/// One layer's name in another's code.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// Who names.
    pub by: Layer,
    /// Who is named.
    pub named: Layer,
    /// The file in which it stands.
    pub file: PathBuf,
    /// The path as it is written.
    pub path: String,
}

impl Modules {
    /// The crate whose top-level modules are layers; other crates are layers as wholes.
    pub const LAYERED: &str = "bulkhead";

    /// Adds the crate `name`, beginning at its root file.
    ///
    /// # Panics
    ///
    /// If a file is missing or does not parse: the tree does not compile either.
    pub fn add(&mut self, name: &str, root: &Path, read: &Read<'_>) {
        let id = self.push(Module::new(name, Vec::new(), root, None));
        self.roots.insert(name.to_owned(), id);
        let children = root.parent().expect("a file stands in a directory");
        self.read_file(id, root, children, read);
    }

    /// Everything that one layer names of another.
    pub fn mentions(&self) -> BTreeSet<Mention> {
        let mut mentions = BTreeSet::new();
        for (id, module) in self.modules.iter().enumerate() {
            let Some(by) = module.layer() else { continue };
            for path in &module.mentioned {
                let mut trace = Trace::default();
                self.trace(id, path, &mut trace);
                for named in trace.layers.into_iter().filter(|named| *named != by) {
                    mentions.insert(Mention {
                        by: by.clone(),
                        named,
                        file: module.file.clone(),
                        path: path.to_string(),
                    });
                }
            }
        }
        mentions
    }

    /// The layers of the layered crate, in the order of their declaration.
    pub fn layers(&self) -> Vec<Layer> {
        let modules = self.modules.iter();
        modules
            .filter(|module| module.krate == Self::LAYERED && module.path.len() == 1)
            .filter_map(Module::layer)
            .collect()
    }

    /// What the layered crate's root names itself.
    pub fn named_by_root(&self) -> Vec<String> {
        let root = &self.modules[self.roots[Self::LAYERED]];
        root.mentioned.iter().map(ToString::to_string).collect()
    }

    fn push(&mut self, module: Module) -> usize {
        self.modules.push(module);
        self.modules.len() - 1
    }

    fn read_file(&mut self, id: usize, file: &Path, children: &Path, read: &Read<'_>) {
        let text = read(file).unwrap_or_else(|| panic!("{} is missing", file.display()));
        let parsed = syn::parse_file(&text)
            .unwrap_or_else(|error| panic!("{} does not parse: {error}", file.display()));
        Collector {
            modules: self,
            current: id,
            children: children.to_owned(),
            read,
        }
        .visit_file(&parsed);
    }

    /// Follows `path` from module `from` through modules, imports and re-exports to what it means.
    fn trace(&self, from: usize, path: &Named, trace: &mut Trace) -> Option<Meaning> {
        let (first, mut rest) = path.segments.split_first()?;
        let module = &self.modules[from];
        let mut meaning = match first.as_str() {
            _ if path.from_extern => self.extern_crate(first, trace)?,
            "crate" => self.enter(self.roots[&module.krate], trace),
            "self" => Meaning::Module(from),
            "super" => {
                let mut at = module.parent?;
                while let Some((_, deeper)) =
                    rest.split_first().filter(|(next, _)| *next == "super")
                {
                    at = self.modules[at].parent?;
                    rest = deeper;
                }
                Meaning::Module(at)
            }
            name => match self.look_up(from, name, trace) {
                Some(meaning) => meaning,
                // A single word that is no import is a local name.
                None if path.is_import || !rest.is_empty() => self.extern_crate(name, trace)?,
                None => return None,
            },
        };
        for name in rest {
            let Meaning::Module(at) = meaning else { break };
            meaning = self.look_up(at, name, trace)?;
        }
        Some(meaning)
    }

    /// What `name` means inside module `id`.
    fn look_up(&self, id: usize, name: &str, trace: &mut Trace) -> Option<Meaning> {
        if !trace.seen.insert((id, name.to_owned())) {
            return None;
        }
        let module = &self.modules[id];
        if let Some(&child) = module.children.get(name) {
            return Some(self.enter(child, trace));
        }
        let mut found = module.items.contains(name).then_some(Meaning::Item);
        for (_, path) in module.imports.iter().filter(|(alias, _)| alias == name) {
            found = self.trace(id, path, trace).or(found);
        }
        if found.is_some() {
            return found;
        }
        for path in &module.globs {
            let mut through = trace.fork();
            if let Some(Meaning::Module(source)) = self.trace(id, path, &mut through)
                && let Some(meaning) = self.look_up(source, name, &mut through)
            {
                trace.layers.extend(through.layers);
                found = Some(meaning);
            }
        }
        found
    }

    fn extern_crate(&self, name: &str, trace: &mut Trace) -> Option<Meaning> {
        self.roots.get(name).map(|&root| self.enter(root, trace))
    }

    fn enter(&self, id: usize, trace: &mut Trace) -> Meaning {
        trace.layers.extend(self.modules[id].layer());
        Meaning::Module(id)
    }
}

/// What a name turns out to be.
#[derive(Clone, Copy)]
enum Meaning {
    Module(usize),
    /// A type, function, constant, trait or macro of a module that the trace has entered.
    Item,
}

struct Module {
    krate: String,
    path: Vec<String>,
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    /// `use path as name`, wherever in the module it stands.
    imports: Vec<(String, Named)>,
    /// `use path::*`.
    globs: Vec<Named>,
    /// Every path, imports included.
    mentioned: BTreeSet<Named>,
}

impl Module {
    fn new(krate: &str, path: Vec<String>, file: &Path, parent: Option<usize>) -> Self {
        Self {
            krate: krate.to_owned(),
            path,
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            globs: Vec::new(),
            mentioned: BTreeSet::new(),
        }
    }

    /// None for the root of the layered crate.
    fn layer(&self) -> Option<Layer> {
        match self.krate.as_str() {
            Modules::LAYERED => self.path.first().cloned(),
            whole => Some(whole.to_owned()),
        }
    }
}

/// A path as it is written.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    /// Begins with `::`.
    from_extern: bool,
    /// Stands in a `use`, where a single word may be a crate.
    is_import: bool,
    segments: Vec<String>,
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.from_extern { "::" } else { "" })?;
        f.write_str(&self.segments.join("::"))
    }
}

#[derive(Default)]
struct Trace {
    layers: BTreeSet<Layer>,
    /// Imports may go round in circles.
    seen: HashSet<(usize, String)>,
}

impl Trace {
    fn fork(&self) -> Self {
        Self {
            layers: BTreeSet::new(),
            seen: self.seen.clone(),
        }
    }
}

struct Collector<'a> {
    modules: &'a mut Modules,
    current: usize,
    /// Where the files of the current module's children are.
    children: PathBuf,
    read: &'a Read<'a>,
}

impl Collector<'_> {
    fn module(&mut self) -> &mut Module {
        &mut self.modules.modules[self.current]
    }

    fn mention(&mut self, named: Named) {
        self.module().mentioned.insert(named);
    }

    fn import(&mut self, tree: &UseTree, mut path: Named) {
        match tree {
            UseTree::Path(step) => {
                path.segments.push(unraw(&step.ident));
                self.import(&step.tree, path);
            }
            UseTree::Name(name) => {
                let alias = match unraw(&name.ident) {
                    // `use a::b::{self}` imports `b`.
                    own if own == "self" => path.segments.last().cloned().unwrap_or(own),
                    other => {
                        path.segments.push(other.clone());
                        other
                    }
                };
                self.import_as(alias, path);
            }
            UseTree::Rename(rename) => {
                match unraw(&rename.ident) {
                    own if own == "self" && !path.segments.is_empty() => {}
                    other => path.segments.push(other),
                }
                self.import_as(unraw(&rename.rename), path);
            }
            UseTree::Glob(_) => {
                self.mention(path.clone());
                self.module().globs.push(path);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone());
                }
            }
        }
    }

    fn import_as(&mut self, alias: String, path: Named) {
        self.mention(path.clone());
        self.module().imports.push((alias, path));
    }

    /// Finds paths in what is not parsed: the arguments of macros and attributes.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path = Named::default();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.from_extern |= colons == 2 && path.segments.is_empty();
                    path.segments.push(unraw(&ident));
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            self.end(&mut path);
            colons = 0;
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Named) {
        let path = std::mem::take(path);
        if !path.segments.is_empty() {
            self.mention(path);
        }
    }

    /// serde's attributes name functions in strings.
    fn scan_strings(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.scan_strings(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                    if let Ok(path) = text.and_then(|text| text.parse::<syn::Path>()) {
                        self.visit_path(&path);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            self.module().items.extend(name(item).map(unraw));
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return visit::visit_impl_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        for attribute in &item.attrs {
            assert!(
                !attribute.path().is_ident("path"),
                "modules stand where their names say"
            );
            self.visit_attribute(attribute);
        }
        let name = unraw(&item.ident);
        let parent = self.module();
        let mut path = parent.path.clone();
        path.push(name.clone());
        let (krate, file) = (parent.krate.clone(), parent.file.clone());
        let below = self.children.join(&name);

        if let Some((_, items)) = &item.content {
            let child = Module::new(&krate, path, &file, Some(self.current));
            let id = self.modules.push(child);
            self.module().children.insert(name, id);
            let outer = (self.current, std::mem::replace(&mut self.children, below));
            self.current = id;
            items.iter().for_each(|item| self.visit_item(item));
            (self.current, self.children) = outer;
        } else {
            let beside = self.children.join(format!("{name}.rs"));
            let file = match (self.read)(&beside) {
                Some(_) => beside,
                None => below.join("mod.rs"),
            };
            let child = Module::new(&krate, path, &file, Some(self.current));
            let id = self.modules.push(child);
            self.module().children.insert(name, id);
            self.modules.read_file(id, &file, &below, self.read);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let path = Named {
            from_extern: item.leading_colon.is_some(),
            is_import: true,
            segments: Vec::new(),
        };
        self.import(&item.tree, path);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let name = unraw(&item.ident);
        let alias = item.rename.as_ref().map(|(_, rename)| unraw(rename));
        let is_own = name == "self";
        let path = Named {
            from_extern: !is_own,
            is_import: true,
            segments: vec![if is_own { "crate".into() } else { name.clone() }],
        };
        self.import_as(alias.unwrap_or(name), path);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.mention(Named {
            from_extern: path.leading_colon.is_some(),
            is_import: false,
            segments: path.segments.iter().map(|s| unraw(&s.ident)).collect(),
        });
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let is = |name| attribute.path().is_ident(name);
        if is("doc") {
            return;
        }
        if let syn::Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
            if is("serde") {
                self.scan_strings(list.tokens.clone());
            }
        }
    }
}

/// Whether `#[cfg(test)]`, alone or among other conditions that must all hold, or `#[test]`
/// stands before it.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let asks_for_tests = || match attribute.parse_args::<syn::Meta>() {
            Ok(syn::Meta::Path(path)) => path.is_ident("test"),
            Ok(syn::Meta::List(list)) if list.path.is_ident("all") => {
                let test = |token| matches!(token, TokenTree::Ident(ident) if ident == "test");
                list.tokens.into_iter().any(test)
            }
            _ => false,
        };
        let path = attribute.path();
        path.is_ident("test") || (path.is_ident("cfg") && asks_for_tests())
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::TraitAlias(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

fn unraw(ident: &Ident) -> String {
    use syn::ext::IdentExt;
    ident.unraw().to_string()
}
