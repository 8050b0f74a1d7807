//! YAML (and so JSON) with the position of every key and value, and complaints that name them.
//! Knows nothing of what the keys mean.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

/// How deep a document may nest, and how many nodes it may have; both with its aliases written out.
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 200_000;

/// A place in a file: both count from one, as editors do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value begins.
    pub position: Position,
    /// The value.
    pub kind: Kind,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// `true` or `false`; `yes`, `no`, `on` and `off` are text.
    Bool(bool),
    /// A plain scalar in JSON's number syntax, as written; `017` and `1_000` are text.
    Number(String),
    /// Everything else.
    Text(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in file order, without duplicate keys.
    Mapping(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// Where the key stands.
    pub position: Position,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The value under `key` of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of a mapping; of anything else, none.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; of anything else, none.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The text of a text scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What is wrong with a file, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// The file, as the operator named it; or the flag or environment variable.
    pub file: Arc<str>,
    /// Where in the file, if it can be told.
    pub position: Option<Position>,
    /// What is wrong, in one sentence without a full stop.
    pub problem: String,
    /// What to do, in one sentence without a full stop.
    pub cure: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.cure.is_empty() {
            write!(f, "; {}", self.cure)?;
        }
        Ok(())
    }
}

/// Reads one YAML document. An empty file is an empty mapping.
///
/// # Errors
/// Complaints with positions: a syntax error ends the reading, duplicate keys are all reported.
pub fn parse(file: &str, text: &str) -> Result<Node, Vec<Complaint>> {
    let file: Arc<str> = file.into();
    let mut reader =
        Reader { file: Arc::clone(&file), anchors: HashMap::new(), nodes: 0, complaints: Vec::new() };
    let mut events = Parser::new_from_str(text);
    let root = match reader.document(&mut events) {
        Ok(root) => root,
        Err(complaint) => {
            reader.complaints.push(*complaint);
            None
        }
    };
    if reader.complaints.is_empty() {
        let start = Position { line: 1, column: 1 };
        Ok(root.unwrap_or(Node { position: start, kind: Kind::Mapping(Vec::new()) }))
    } else {
        Err(reader.complaints)
    }
}

/// The candidate that `word` most likely meant, if any is near enough to be worth saying.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase().replace(['-', '_'], "");
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

struct Reader {
    file: Arc<str>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    complaints: Vec<Complaint>,
}

type Failed = Box<Complaint>;

impl Reader {
    fn document<'a>(
        &mut self,
        events: &mut Parser<'a, granit_parser::StrInput<'a>>,
    ) -> Result<Option<Node>, Failed> {
        let mut root = None;
        loop {
            let (event, span) = self.next(events)?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    return Err(self.complaint(
                        span,
                        "a second YAML document",
                        "keep one document in a file",
                    ));
                }
                event => root = Some(self.node(event, span, events, 0)?),
            }
        }
    }

    fn next<'a>(
        &self,
        events: &mut Parser<'a, granit_parser::StrInput<'a>>,
    ) -> Result<(Event<'a>, Span), Failed> {
        loop {
            match events.next_event() {
                Some(Ok((Event::Comment(..) | Event::Anchor(..), _))) => {}
                Some(Ok(event)) => return Ok(event),
                Some(Err(error)) => {
                    let marker = error.marker();
                    let position = Position { line: marker.line().max(1), column: marker.col() + 1 };
                    return Err(Box::new(Complaint {
                        file: Arc::clone(&self.file),
                        position: Some(position),
                        problem: format!("this is not YAML: {}", error.info()),
                        cure: "check the indentation, the quotes and the brackets around this place".into(),
                    }));
                }
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn node<'a>(
        &mut self,
        event: Event<'a>,
        span: Span,
        events: &mut Parser<'a, granit_parser::StrInput<'a>>,
        depth: usize,
    ) -> Result<Node, Failed> {
        self.count(1, span)?;
        self.admit(depth, span)?;
        let position = position(span);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let kind = scalar(&text, style);
                Ok(self.remember(anchor, Node { position, kind }))
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next(events)?;
                    if matches!(event, Event::SequenceEnd) {
                        return Ok(self.remember(anchor, Node { position, kind: Kind::Sequence(items) }));
                    }
                    items.push(self.node(event, span, events, depth + 1)?);
                }
            }
            Event::MappingStart(_, anchor, _) => {
                let entries = self.mapping(events, depth)?;
                Ok(self.remember(anchor, Node { position, kind: Kind::Mapping(entries) }))
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.complaint(span, "this alias refers to itself", "write the value out"));
                };
                self.count(size(&target), span)?;
                self.admit(depth + height(&target), span)?;
                Ok(target)
            }
            _ => Err(self.complaint(span, "this is not a YAML value", "write a scalar, a list or a mapping")),
        }
    }

    fn mapping<'a>(
        &mut self,
        events: &mut Parser<'a, granit_parser::StrInput<'a>>,
        depth: usize,
    ) -> Result<Vec<Entry>, Failed> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next(events)?;
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(self.complaint(span, "a key must be text", "write the key as a plain word")),
            };
            let (event, value_span) = self.next(events)?;
            let value = self.node(event, value_span, events, depth + 1)?;
            if entries.iter().any(|entry| entry.key == key) {
                let twice = self.complaint(
                    span,
                    &format!("the key `{key}` stands here twice"),
                    "remove one of the two",
                );
                self.complaints.push(*twice);
            } else {
                entries.push(Entry { key, position: position(span), value });
            }
        }
    }

    fn remember(&mut self, anchor: usize, node: Node) -> Node {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Failed> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(self.complaint(
                span,
                "the document is too large",
                "split it, or expand fewer aliases",
            ));
        }
        Ok(())
    }

    /// Whoever walks a document walks it recursively.
    fn admit(&self, depth: usize, span: Span) -> Result<(), Failed> {
        if depth > MAX_DEPTH {
            return Err(self.complaint(
                span,
                "the document nests too deeply",
                "flatten it to at most 64 levels",
            ));
        }
        Ok(())
    }

    fn complaint(&self, span: Span, problem: &str, cure: &str) -> Failed {
        let (problem, cure) = (problem.to_owned(), cure.to_owned());
        Box::new(Complaint { file: Arc::clone(&self.file), position: Some(position(span)), problem, cure })
    }
}

fn position(span: Span) -> Position {
    Position { line: span.start.line().max(1), column: span.start.col() + 1 }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::Sequence(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Mapping(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
        _ => 1,
    }
}

/// How many levels there are below a node.
fn height(node: &Node) -> usize {
    match &node.kind {
        Kind::Sequence(items) => items.iter().map(|item| 1 + height(item)).max().unwrap_or_default(),
        Kind::Mapping(entries) => {
            entries.iter().map(|entry| 1 + height(&entry.value)).max().unwrap_or_default()
        }
        _ => 0,
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Kind {
    if style != ScalarStyle::Plain {
        return Kind::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ if is_json_number(text) => Kind::Number(text.to_owned()),
        _ => Kind::Text(text.to_owned()),
    }
}

fn is_json_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

#[cfg(test)]
mod tests;
