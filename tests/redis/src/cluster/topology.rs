//! What a node says of the cluster: the lines of CLUSTER NODES.

/// A cluster as one of its nodes sees it.
#[derive(Debug)]
pub(super) struct View {
    pub(super) nodes: Vec<Node>,
    own: usize,
}

#[derive(Debug)]
pub(super) struct Node {
    id: String,
    port: u16,
    flags: Vec<String>,
    /// The id of its primary, `-` for a primary.
    primary: String,
    pub(super) epoch: u64,
    pub(super) slots: Slots,
}

/// Ranges of slots, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slots(Vec<(u16, u16)>);

impl Slots {
    pub(super) fn contains(&self, slot: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl View {
    pub(super) fn parse(text: &str) -> Option<View> {
        let nodes: Option<Vec<Node>> = text.lines().map(Node::parse).collect();
        let nodes = nodes?;
        let own = nodes.iter().position(|node| node.is("myself"))?;
        Some(View { nodes, own })
    }

    /// What the node says of itself.
    pub(super) fn own(&self) -> &Node {
        &self.nodes[self.own]
    }

    /// Who is a replica of whom and who has which slots, for comparison.
    pub(super) fn layout(&self) -> Vec<(&str, &str, &Slots)> {
        let mut layout: Vec<_> =
            self.nodes.iter().map(|node| (node.id.as_str(), node.primary.as_str(), &node.slots)).collect();
        layout.sort_unstable();
        layout
    }

    /// Whether it is connected to the node at this port and thinks well of it.
    pub(super) fn sees(&self, port: u16) -> bool {
        let bad = ["fail", "fail?", "handshake", "noaddr"];
        self.nodes.iter().any(|node| node.port == port && !bad.iter().any(|flag| node.is(flag)))
    }
}

impl Node {
    /// `<id> <ip>:<port>@<bus> <flags> <primary> <ping> <pong> <epoch> <link> <slot>…`
    fn parse(line: &str) -> Option<Node> {
        let words: Vec<&str> = line.split(' ').collect();
        let (id, address, flags, primary) = (*words.first()?, words.get(1)?, words.get(2)?, *words.get(3)?);
        let port = address.split_once('@')?.0.rsplit_once(':')?.1.parse().ok()?;
        // A slot that is about to move is in brackets, besides being in a range.
        let ranges = words.iter().skip(8).filter(|word| !word.starts_with('['));
        let ranges = ranges.filter_map(|word| {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        Some(Node {
            id: id.to_owned(),
            port,
            flags: flags.split(',').map(str::to_owned).collect(),
            primary: primary.to_owned(),
            epoch: words.get(6)?.parse().ok()?,
            slots: Slots(ranges.collect()),
        })
    }

    fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }
}
