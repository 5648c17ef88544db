//! Writing ONNX models byte by byte, so that no library stands in the way of nonsense.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

/// A protobuf message in the making.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn int(mut self, tag: u64, value: i64) -> Self {
        self.varint(tag << 3);
        self.varint(value as u64);
        self
    }

    pub fn bytes(mut self, tag: u64, bytes: &[u8]) -> Self {
        self.varint(tag << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub fn text(self, tag: u64, text: &str) -> Self {
        self.bytes(tag, text.as_bytes())
    }

    pub fn message(self, tag: u64, message: &Message) -> Self {
        self.bytes(tag, &message.0)
    }
}

pub const F32: i64 = 1;
pub const I64: i64 = 7;

pub fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let message = inputs.iter().fold(Message::default(), |m, input| m.text(1, input));
    outputs.iter().fold(message, |m, output| m.text(2, output)).text(3, &format!("/{op}")).text(4, op)
}

/// An input or output of an element type and a shape.
pub fn value(name: &str, dtype: i64, shape: &[i64]) -> Message {
    let dims = shape.iter().fold(Message::default(), |m, size| m.message(1, &Message::default().int(1, *size)));
    let tensor = Message::default().int(1, dtype).message(2, &dims);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

/// A weight without data.
pub fn weight(name: &str, shape: &[i64]) -> Message {
    shape.iter().fold(Message::default(), |m, size| m.int(1, *size)).int(2, F32).text(8, name)
}

pub const BOOL: i64 = 9;

/// A model with these inputs, nodes and one output.
pub fn model_with(inputs: &[Message], nodes: &[Message], output: Message) -> Message {
    let graph = nodes.iter().fold(Message::default(), |m, node| m.message(1, node)).text(2, "g");
    let graph = inputs.iter().fold(graph, |m, input| m.message(11, input)).message(12, &output);
    Message::default().int(1, 8).message(7, &graph).message(8, &Message::default().text(1, "").int(2, 17))
}

/// An input or output with named extents.
pub fn symbolic(name: &str, dtype: i64, extents: &[&str]) -> Message {
    let dim = |extent: &&str| match extent.parse::<i64>() {
        Ok(size) => Message::default().int(1, size),
        Err(_) => Message::default().text(2, extent),
    };
    let dims = extents.iter().fold(Message::default(), |m, extent| m.message(1, &dim(extent)));
    let tensor = Message::default().int(1, dtype).message(2, &dims);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
