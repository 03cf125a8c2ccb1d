//! A path-compressed trie over bytes, read from the front or from the back.

use std::mem;

use smallvec::SmallVec;

/// The end of a text that a trie reads from.
///
/// Edges are stored in the order of the text, whatever the end, so that a whole edge is compared at once.
pub(crate) trait End {
    /// The byte at the end.
    fn head(text: &[u8]) -> Option<u8>;

    /// Strips the edge off the end of the text, if the text has it there.
    fn strip<'t>(text: &'t [u8], edge: &[u8]) -> Option<&'t [u8]>;

    /// Splits `length` bytes off the end: those, and the rest.
    fn split(text: &[u8], length: usize) -> (&[u8], &[u8]);

    /// Counts the bytes that two texts have in common at the end.
    fn common(one: &[u8], other: &[u8]) -> usize;

    /// Puts an edge together from the part nearer to the end, and the part behind it.
    fn join(near: &[u8], far: &[u8]) -> Edge;
}

/// Reads from the first byte on.
pub(crate) enum Front {}

/// Reads from the last byte on.
pub(crate) enum Back {}

impl End for Front {
    fn head(text: &[u8]) -> Option<u8> {
        text.first().copied()
    }

    fn strip<'t>(text: &'t [u8], edge: &[u8]) -> Option<&'t [u8]> {
        text.strip_prefix(edge)
    }

    fn split(text: &[u8], length: usize) -> (&[u8], &[u8]) {
        text.split_at(length)
    }

    fn common(one: &[u8], other: &[u8]) -> usize {
        one.iter().zip(other).take_while(|(one, other)| one == other).count()
    }

    fn join(near: &[u8], far: &[u8]) -> Edge {
        near.iter().chain(far).copied().collect()
    }
}

impl End for Back {
    fn head(text: &[u8]) -> Option<u8> {
        text.last().copied()
    }

    fn strip<'t>(text: &'t [u8], edge: &[u8]) -> Option<&'t [u8]> {
        text.strip_suffix(edge)
    }

    fn split(text: &[u8], length: usize) -> (&[u8], &[u8]) {
        let (rest, end) = text.split_at(text.len() - length);
        (end, rest)
    }

    fn common(one: &[u8], other: &[u8]) -> usize {
        one.iter()
            .rev()
            .zip(other.iter().rev())
            .take_while(|(one, other)| one == other)
            .count()
    }

    fn join(near: &[u8], far: &[u8]) -> Edge {
        far.iter().chain(near).copied().collect()
    }
}

/// The bytes of an edge; most fit without an allocation.
pub(crate) type Edge = SmallVec<[u8; 16]>;

/// Values by text. One trie is always used from the same end.
///
/// The shape is a function of the texts: a node has a value or at least two children, save for the root.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Trie<V> {
    root: Node<V>,
}

/// A node, reached from its parent by an edge. Most nodes are leaves: one without branches fills a cache line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node<V> {
    edge: Edge,
    value: Option<V>,
    branches: Option<Box<Branches<V>>>,
}

/// The children of a node; at least one.
///
/// INVARIANT: `heads[i]` is the head of the edge of `children[i]`, and `heads` ascends. Neither has room to spare.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Branches<V> {
    heads: SmallVec<[u8; 16]>,
    children: Vec<Node<V>>,
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self {
            root: Node::leaf(Edge::new()),
        }
    }
}

impl<V> Trie<V> {
    /// The place of the value of the text, which the caller fills if it is empty.
    pub(crate) fn place<E: End>(&mut self, text: &[u8]) -> &mut Option<V> {
        let mut rest = text;
        let mut node = &mut self.root;
        while let Some(head) = E::head(rest) {
            let branches = node.branches.get_or_insert_default();
            let at = branches.heads.binary_search(&head).unwrap_or_else(|at| {
                branches.insert(at, head, Node::leaf(Edge::from_slice(rest)));
                at
            });
            node = &mut branches.children[at];
            let common = E::common(&node.edge, rest);
            if common < node.edge.len() {
                node.fork::<E>(common);
            }
            rest = E::split(rest, common).1;
        }
        &mut node.value
    }

    /// Updates the value of the text, and takes it out if `update` says that it is empty.
    pub(crate) fn shrink<E: End>(&mut self, text: &[u8], update: impl FnOnce(&mut V) -> bool) {
        self.root.shrink::<E>(text, update);
    }

    /// Visits the value of each text that stands at the end of `text`, the shortest first, with what is left of `text`.
    #[inline]
    pub(crate) fn walk<'v, 't, E: End>(&'v self, text: &'t [u8], mut visit: impl FnMut(&'v V, &'t [u8])) {
        let mut rest = text;
        let mut node = &self.root;
        loop {
            if let Some(value) = &node.value {
                visit(value, rest);
            }
            let Some(head) = E::head(rest) else { return };
            let Some(branches) = &node.branches else { return };
            let Some(at) = branches.heads.iter().position(|&other| other == head) else {
                return;
            };
            node = &branches.children[at];
            let Some(left) = E::strip(rest, &node.edge) else { return };
            rest = left;
        }
    }

    /// The only value of a trie that holds one.
    pub(crate) fn into_only(self) -> V {
        let mut node = self.root;
        loop {
            match (
                node.value,
                node.branches.and_then(|mut branches| branches.children.pop()),
            ) {
                (Some(value), None) => return value,
                (None, Some(child)) => node = child,
                _ => unreachable!("the trie holds one value"),
            }
        }
    }

    /// Visits each value.
    pub(crate) fn each<'v>(&'v self, visit: &mut dyn FnMut(&'v V)) {
        self.root.each(visit);
    }

    /// Counts the nodes, the root included.
    pub(crate) fn nodes(&self) -> usize {
        self.root.nodes()
    }
}

impl<V> Node<V> {
    fn leaf(edge: Edge) -> Self {
        Self {
            edge,
            value: None,
            branches: None,
        }
    }

    fn is_empty(&self) -> bool {
        self.value.is_none() && self.branches.is_none()
    }

    fn children(&self) -> &[Self] {
        self.branches.as_ref().map_or(&[], |branches| &branches.children)
    }

    /// Puts a node between this one and its parent, `near` bytes from the parent.
    fn fork<E: End>(&mut self, near: usize) {
        let (edge, far) = E::split(&self.edge, near);
        let (edge, far) = (Edge::from_slice(edge), Edge::from_slice(far));
        let head = E::head(&far).expect("a node is forked within its edge");
        let mut lower = mem::replace(self, Self::leaf(edge));
        lower.edge = far;
        self.branches.get_or_insert_default().insert(0, head, lower);
    }

    /// Shrinks a value below, and says whether this node is left with neither a value nor a child.
    fn shrink<E: End>(&mut self, text: &[u8], update: impl FnOnce(&mut V) -> bool) -> bool {
        let Some(head) = E::head(text) else {
            if self.value.as_mut().is_some_and(update) {
                self.value = None;
            }
            return self.is_empty();
        };
        let branches = self
            .branches
            .as_mut()
            .expect("an index is told to forget only what it holds");
        let at = branches
            .heads
            .binary_search(&head)
            .expect("an index is told to forget only what it holds");
        let child = &mut branches.children[at];
        let rest = E::strip(text, &child.edge).expect("an index is told to forget only what it holds");
        if child.shrink::<E>(rest, update) {
            branches.remove(at);
            if branches.children.is_empty() {
                self.branches = None;
            }
        } else if child.value.is_none() && child.children().len() == 1 {
            child.absorb::<E>();
        }
        self.is_empty()
    }

    /// Takes the place of the only child.
    fn absorb<E: End>(&mut self) {
        let mut branches = self.branches.take().expect("the node has one child");
        let mut child = branches.children.pop().expect("the node has one child");
        child.edge = E::join(&self.edge, &child.edge);
        *self = child;
    }

    fn each<'v>(&'v self, visit: &mut dyn FnMut(&'v V)) {
        self.value.iter().for_each(&mut *visit);
        for child in self.children() {
            child.each(visit);
        }
    }

    fn nodes(&self) -> usize {
        1 + self.children().iter().map(Self::nodes).sum::<usize>()
    }
}

impl<V> Default for Branches<V> {
    fn default() -> Self {
        Self {
            heads: SmallVec::new(),
            children: Vec::new(),
        }
    }
}

impl<V> Branches<V> {
    fn insert(&mut self, at: usize, head: u8, child: Node<V>) {
        self.heads.insert(at, head);
        self.children.reserve_exact(1);
        self.children.insert(at, child);
    }

    fn remove(&mut self, at: usize) {
        self.heads.remove(at);
        self.children.remove(at);
        self.children.shrink_to_fit();
    }
}
