//! Parses a source file. `syn` reads it, so that strings, comments and macros are never mistaken for code.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{spanned::Spanned, visit::Visit};

use super::sources::{Function, Import, Item, ItemKind, Named, NamedPath, Source, is_of_tests};

pub(super) fn read(path: String, text: String) -> Source {
    let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut reader = Reader { in_tests: is_of_tests(&path), ..Reader::default() };
    reader.visit_file(&syntax);
    for item in &syntax.items {
        reader.read_tokens(item);
    }
    let mut identifiers = Vec::new();
    collect_identifiers(syntax.to_token_stream(), &mut BTreeSet::new(), &mut identifiers);
    let Reader { functions, types, items, imports, paths, sentences, asynchronous, .. } = reader;
    Source { path, text, functions, types, items, imports, paths, identifiers, sentences, asynchronous }
}

fn collect_identifiers(tokens: TokenStream, seen: &mut BTreeSet<String>, found: &mut Vec<Named>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect_identifiers(group.stream(), seen, found),
            TokenTree::Ident(ident) if seen.insert(ident.to_string()) => {
                found.push(Named { name: ident.to_string(), line: ident.span().start().line });
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Reader {
    in_tests: bool,
    implements_trait: bool,
    module: Vec<String>,
    functions: Vec<Function>,
    types: Vec<Named>,
    items: Vec<Item>,
    imports: Vec<Import>,
    paths: Vec<NamedPath>,
    sentences: Vec<Named>,
    asynchronous: Option<usize>,
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|one| one.path().is_ident("cfg") && one.meta.to_token_stream().to_string().contains("test"))
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|one| one.path().segments.last().is_some_and(|last| last.ident == "test"))
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl Reader {
    /// The paths and sentences of an item, without what belongs to tests.
    fn read_tokens(&mut self, item: &syn::Item) {
        if self.in_tests || is_for_tests(attributes(item)) {
            return;
        }
        match item {
            syn::Item::Use(_) => {}
            syn::Item::Mod(module) => {
                let inner = module.content.iter().flat_map(|(_, items)| items);
                self.module.push(module.ident.to_string());
                inner.for_each(|item| self.read_tokens(item));
                self.module.pop();
            }
            other => self.scan(other.to_token_stream()),
        }
    }

    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Literal(literal) => self.note_sentence(literal),
                TokenTree::Ident(ident) if !follows_dot(&tokens, at) => {
                    let line = ident.span().start().line;
                    if ident == "async" || ident == "await" {
                        self.asynchronous.get_or_insert(line);
                    }
                    let (path, end) = path_at(&tokens, at);
                    self.paths.push(NamedPath { module: self.module.clone(), path, line });
                    at = end;
                }
                TokenTree::Ident(ident) if ident == "await" => {
                    self.asynchronous.get_or_insert(ident.span().start().line);
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn note_sentence(&mut self, literal: &proc_macro2::Literal) {
        if let syn::Lit::Str(text) = syn::Lit::new(literal.clone())
            && text.value().trim().contains(' ')
        {
            self.sentences.push(Named { name: text.value(), line: literal.span().start().line });
        }
    }

    fn define(&mut self, name: &syn::Ident, kind: ItemKind) {
        if !self.in_tests {
            self.items.push(Item { module: self.module.clone(), name: name.to_string(), kind });
        }
    }

    fn define_type(&mut self, name: &syn::Ident) {
        self.define(name, ItemKind::Definition);
        if !self.in_tests {
            self.types.push(Named { name: name.to_string(), line: name.span().start().line });
        }
    }

    fn function(&mut self, signature: &syn::Signature, attributes: &[syn::Attribute], end: usize) {
        let line = signature.span().start().line;
        self.functions.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: end - line + 1,
            is_test: is_test(attributes),
            in_tests: self.in_tests,
            implements_trait: self.implements_trait,
        });
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String], is_reexport: bool) {
        let line = tree.span().start().line;
        let mut path = before.to_vec();
        let (name, is_glob) = match tree {
            syn::UseTree::Path(one) => {
                path.push(one.ident.to_string());
                return self.import(&one.tree, &path, is_reexport);
            }
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|one| self.import(one, &path, is_reexport));
            }
            syn::UseTree::Glob(_) => (None, true),
            syn::UseTree::Name(one) if one.ident == "self" => (path.last().cloned(), false),
            syn::UseTree::Name(one) => {
                path.push(one.ident.to_string());
                (Some(one.ident.to_string()), false)
            }
            syn::UseTree::Rename(one) => {
                if one.ident != "self" {
                    path.push(one.ident.to_string());
                }
                (Some(one.rename.to_string()).filter(|name| name != "_"), false)
            }
        };
        self.imports.push(Import { module: self.module.clone(), name, path, is_glob, is_reexport, line });
    }
}

fn follows_dot(tokens: &[TokenTree], at: usize) -> bool {
    let is_dot = |at: usize| matches!(&tokens[at], TokenTree::Punct(punct) if punct.as_char() == '.');
    // A range (`0..end`) names a variable, a single dot a field or a method.
    at > 0 && is_dot(at - 1) && !(at > 1 && is_dot(at - 2))
}

/// The path that begins at a token, and its last token.
fn path_at(tokens: &[TokenTree], mut at: usize) -> (Vec<String>, usize) {
    let mut path = vec![tokens[at].to_string()];
    let is_colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    while is_colon(tokens.get(at + 1)) && is_colon(tokens.get(at + 2)) {
        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
        path.push(next.to_string());
        at += 3;
    }
    (path, at)
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let outside = self.in_tests;
        self.in_tests |= is_for_tests(attributes(item));
        match item {
            syn::Item::Const(item) => self.define(&item.ident, ItemKind::Definition),
            syn::Item::Static(item) => self.define(&item.ident, ItemKind::Definition),
            syn::Item::Enum(item) => self.define_type(&item.ident),
            syn::Item::Struct(item) => self.define_type(&item.ident),
            syn::Item::Trait(item) => self.define_type(&item.ident),
            syn::Item::Type(item) => self.define_type(&item.ident),
            syn::Item::Macro(item) => {
                let exported = item.attrs.iter().any(|one| one.path().is_ident("macro_export"));
                let kind = if exported { ItemKind::ExportedMacro } else { ItemKind::Definition };
                item.ident.iter().for_each(|name| self.define(name, kind));
            }
            _ => {}
        }
        syn::visit::visit_item(self, item);
        self.in_tests = outside;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.define(&item.sig.ident, ItemKind::Definition);
        self.function(&item.sig, &item.attrs, item.block.span().end().line);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.attrs, item.block.span().end().line);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.sig, &item.attrs, item.span().end().line);
        syn::visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.implements_trait = item.trait_.is_some();
        syn::visit::visit_item_impl(self, item);
        self.implements_trait = false;
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() {
            self.define(&item.ident, ItemKind::InlineModule);
            self.module.push(item.ident.to_string());
            syn::visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !self.in_tests {
            let is_reexport = !matches!(item.vis, syn::Visibility::Inherited);
            self.import(&item.tree, &[], is_reexport);
        }
    }

    /// Tests that a macro such as `proptest!` makes are not parsed; their names stand in its tokens.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let tokens: Vec<_> = item.tokens.clone().into_iter().collect();
        for at in 2..tokens.len() {
            let marked = matches!(&tokens[at - 2], TokenTree::Group(group) if group.stream().to_string() == "test");
            if let TokenTree::Ident(name) = &tokens[at]
                && marked
                && tokens[at - 1].to_string() == "fn"
            {
                let (name, line) = (name.to_string(), name.span().start().line);
                let lines = tokens.get(at + 2).map_or(0, |body| body.span().end().line - line + 1);
                let (is_test, in_tests, implements_trait) = (true, true, false);
                self.functions.push(Function { name, line, lines, is_test, in_tests, implements_trait });
            }
        }
    }
}
