//! PTX text to statements: words, declarations, scopes. What an instruction means is for [`decode`](crate::decode).

mod lex;
mod module;
mod operand;
mod scope;

pub(crate) use module::{Array, Function, Initial, Space, Statement, parse};
pub(crate) use operand::Operand;
pub(crate) use scope::{RegType, Register};
