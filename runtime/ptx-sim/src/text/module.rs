//! Modules: directives, variables, functions and their statements.

use super::lex::{Kind, Token, lex};
use super::operand::Operand;
use super::scope::{RegType, Scopes};
use crate::error::Error;

/// A whole PTX text.
#[derive(Debug, Default)]
pub(crate) struct PtxModule {
    /// The number behind `sm_` in `.target`.
    pub(crate) sm: u32,
    pub(crate) variables: Vec<Array>,
    pub(crate) functions: Vec<Function>,
}

/// Where a variable lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    Global,
    Const,
    Shared,
    Local,
    Param,
}

/// A variable.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) name: String,
    pub(crate) space: Space,
    pub(crate) align: u64,
    pub(crate) bytes: u64,
    /// Declared without a size: it lies where the dynamic shared memory begins.
    pub(crate) is_dynamic: bool,
    pub(crate) initial: Vec<Initial>,
}

/// One element of an initializer.
#[derive(Clone, Debug)]
pub(crate) enum Initial {
    /// Bytes, little endian.
    Bytes(Vec<u8>),
    /// The address of another variable, as a generic one or not.
    Symbol(String),
}

/// A kernel's parameter.
#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) offset: u64,
}

/// An entry, with a body.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) is_entry: bool,
    pub(crate) params: Vec<Param>,
    pub(crate) param_bytes: u64,
    /// `.maxntid` or `.reqntid`; the second says exactly.
    pub(crate) max_threads: Option<[u32; 3]>,
    pub(crate) required_threads: Option<[u32; 3]>,
    pub(crate) cluster: Option<[u32; 3]>,
    pub(crate) scopes: Scopes,
    /// Shared and local variables of the body.
    pub(crate) variables: Vec<Array>,
    pub(crate) body: Vec<Statement>,
}

/// One instruction.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) line: u32,
    pub(crate) scope: usize,
    /// The predicate, and whether it is negated.
    pub(crate) guard: Option<(String, bool)>,
    /// The mnemonic, split at its points.
    pub(crate) name: Vec<String>,
    pub(crate) operands: Vec<Operand>,
}

/// Reads a whole text.
pub(crate) fn parse(text: &str) -> Result<PtxModule, Error> {
    let tokens = lex(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0 };
    let mut module = PtxModule::default();
    while let Some(kind) = parser.peek() {
        match kind {
            Kind::Word(".version") => {
                parser.skip(2)?;
            }
            Kind::Word(".target") => {
                parser.skip(1)?;
                module.sm = parser.target()?;
            }
            Kind::Word(".address_size") => {
                parser.skip(1)?;
                if parser.int()? != 64 {
                    return Err(parser.fail("only .address_size 64 is known"));
                }
            }
            Kind::Word(".visible" | ".extern" | ".weak" | ".common") => parser.skip(1)?,
            Kind::Word(".entry") => {
                parser.skip(1)?;
                module.functions.push(parser.entry()?);
            }
            Kind::Word(".global" | ".const" | ".shared") => {
                let variable = parser.variable()?;
                module.variables.push(variable);
            }
            Kind::Word(other) => return Err(parser.fail(format!("`{other}` is not known here"))),
            _ => return Err(parser.fail("a directive was expected here")),
        }
    }
    Ok(module)
}

/// Reads tokens one after the other.
pub(super) struct Parser<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
}

/// The largest variable.
const MOST_BYTES: u64 = 1 << 40;

/// The largest alignment.
const MOST_ALIGN: u64 = 1 << 16;

/// Bytes of a fundamental type.
fn size_of_type(word: &str) -> Option<u64> {
    let digits = word.trim_start_matches(['.', 'b', 'u', 's', 'f']);
    match (word, digits.parse::<u64>()) {
        (".pred", _) => None,
        (_, Ok(bits)) if matches!(bits, 8 | 16 | 32 | 64 | 128) && word.len() > 2 => Some(bits / 8),
        _ => None,
    }
}

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Option<Kind<'a>> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn line(&self) -> u32 {
        let at = self.at.min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).map_or(1, |token| token.line)
    }

    pub(super) fn fail(&self, why: impl Into<String>) -> Error {
        let line = self.tokens.get(self.at.saturating_sub(1)).map_or(1, |token| token.line);
        Error::Parse { line, why: why.into() }
    }

    pub(super) fn take(&mut self) -> Result<Kind<'a>, Error> {
        let kind = self.peek().ok_or_else(|| self.fail("the text ends too early"))?;
        self.at += 1;
        Ok(kind)
    }

    fn skip(&mut self, n: usize) -> Result<(), Error> {
        (0..n).try_for_each(|_| self.take().map(|_| ()))
    }

    pub(super) fn eat(&mut self, punct: char) -> bool {
        let is_next = self.peek() == Some(Kind::Punct(punct));
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn expect(&mut self, punct: char) -> Result<(), Error> {
        if self.eat(punct) { Ok(()) } else { Err(self.missing(&format!("`{punct}`"))) }
    }

    fn missing(&self, what: &str) -> Error {
        Error::Parse { line: self.line(), why: format!("{what} was expected here") }
    }

    fn word(&mut self) -> Result<&'a str, Error> {
        match self.take()? {
            Kind::Word(word) => Ok(word),
            _ => Err(self.fail("a name was expected here")),
        }
    }

    fn int(&mut self) -> Result<u64, Error> {
        match self.take()? {
            Kind::Int(value) => Ok(value),
            _ => Err(self.fail("an integer was expected here")),
        }
    }

    fn target(&mut self) -> Result<u32, Error> {
        let name = self.word()?;
        let digits = name.strip_prefix("sm_").map(|rest| rest.trim_end_matches(['a', 'f']));
        let sm = digits.and_then(|digits| digits.parse().ok());
        while self.eat(',') {
            self.skip(1)?;
        }
        sm.ok_or_else(|| self.fail(format!("`{name}` is no target")))
    }

    fn triple(&mut self) -> Result<[u32; 3], Error> {
        let mut extents = [1; 3];
        for (at, extent) in extents.iter_mut().enumerate() {
            if at == 0 || self.eat(',') {
                *extent = u32::try_from(self.int()?).map_err(|_| self.fail("a number that is too large"))?;
            }
        }
        Ok(extents)
    }

    fn entry(&mut self) -> Result<Function, Error> {
        let name = self.word()?.to_string();
        let mut function = Function {
            name,
            is_entry: true,
            params: vec![],
            param_bytes: 0,
            max_threads: None,
            required_threads: None,
            cluster: None,
            scopes: Scopes::default(),
            variables: vec![],
            body: vec![],
        };
        if self.eat('(') {
            self.params(&mut function)?;
        }
        loop {
            match self.take()? {
                Kind::Word(".maxntid") => function.max_threads = Some(self.triple()?),
                Kind::Word(".reqntid") => function.required_threads = Some(self.triple()?),
                Kind::Word(".reqnctapercluster") => function.cluster = Some(self.triple()?),
                Kind::Word(".minnctapersm" | ".maxnreg" | ".maxclusterrank") => self.skip(1)?,
                Kind::Word(".explicitcluster" | ".blocksareclusters" | ".noreturn") => {}
                Kind::Word(".pragma") => {
                    self.skip(1)?;
                    self.expect(';')?;
                }
                Kind::Punct('{') => break,
                Kind::Word(other) => return Err(self.fail(format!("`{other}` is not known here"))),
                _ => return Err(self.fail("a body was expected here")),
            }
        }
        self.body(&mut function)?;
        Ok(function)
    }

    fn params(&mut self, function: &mut Function) -> Result<(), Error> {
        if self.eat(')') {
            return Ok(());
        }
        let mut at = 0u64;
        loop {
            let array = self.variable_until(&[',', ')'])?;
            at = at.next_multiple_of(array.align.max(1));
            function.params.push(Param { name: array.name, offset: at });
            at = at.saturating_add(array.bytes);
            if self.tokens[self.at - 1].kind == Kind::Punct(')') {
                function.param_bytes = at;
                return Ok(());
            }
        }
    }

    fn variable(&mut self) -> Result<Array, Error> {
        self.variable_until(&[';'])
    }

    /// `.shared .align 16 .b8 name[64] = {...}` and what ends it, which is consumed.
    fn variable_until(&mut self, ends: &[char]) -> Result<Array, Error> {
        let space = match self.word()? {
            ".global" => Space::Global,
            ".const" => Space::Const,
            ".shared" => Space::Shared,
            ".local" => Space::Local,
            ".param" => Space::Param,
            other => return Err(self.fail(format!("`{other}` is no state space"))),
        };
        let (mut align, mut element) = (0, None);
        let name = loop {
            match self.word()? {
                // An alignment after `.ptr` is that of what the pointer points to.
                ".ptr" => self.pointee()?,
                ".align" => align = self.int()?,
                word if word.starts_with('.') => {
                    let size = size_of_type(word);
                    element = Some(size.ok_or_else(|| self.fail(format!("`{word}` is no type of a variable")))?);
                }
                name => break name.to_string(),
            }
        };
        let element = element.ok_or_else(|| self.fail("a variable without a type"))?;
        if !align.max(1).is_power_of_two() {
            return Err(self.fail("an alignment that is no power of two"));
        }
        let mut array =
            Array { name, space, align: align.max(element), bytes: element, is_dynamic: false, initial: vec![] };
        if align > 0 {
            array.align = align;
        }
        while self.eat('[') {
            if self.eat(']') {
                array.is_dynamic = true;
                continue;
            }
            array.bytes = array.bytes.saturating_mul(self.int()?);
            self.expect(']')?;
        }
        if self.eat('=') {
            self.initial(element, &mut array.initial)?;
        }
        let size: u64 = array.initial.iter().map(Initial::size).sum();
        if array.is_dynamic && size > 0 {
            (array.bytes, array.is_dynamic) = (size, false);
        } else if array.is_dynamic {
            array.bytes = 0;
        }
        if array.bytes > MOST_BYTES || array.align > MOST_ALIGN {
            return Err(self.fail("a variable that is too large"));
        }
        match self.take()? {
            Kind::Punct(punct) if ends.contains(&punct) => Ok(array),
            _ => Err(self.fail("the end of a declaration was expected here")),
        }
    }

    fn pointee(&mut self) -> Result<(), Error> {
        while let Some(Kind::Word(word)) = self.peek() {
            match word {
                ".global" | ".shared" | ".const" | ".local" | ".param" => self.skip(1)?,
                ".align" => self.skip(2)?,
                _ => break,
            }
        }
        Ok(())
    }

    fn initial(&mut self, element: u64, into: &mut Vec<Initial>) -> Result<(), Error> {
        let cut = |bits: u64| Initial::Bytes(bits.to_le_bytes()[..(element as usize).min(8)].to_vec());
        match self.take()? {
            Kind::Punct('{') => {
                if self.eat('}') {
                    return Ok(());
                }
                loop {
                    self.initial(element, into)?;
                    if self.eat('}') {
                        return Ok(());
                    }
                    self.expect(',')?;
                }
            }
            Kind::Punct('-') => into.push(cut(self.int()?.wrapping_neg())),
            Kind::Int(value) => into.push(cut(value)),
            Kind::F32(bits) => into.push(cut(bits.into())),
            Kind::F64(bits) => into.push(cut(bits)),
            Kind::Word("generic") => {
                self.expect('(')?;
                into.push(Initial::Symbol(self.word()?.into()));
                self.expect(')')?;
            }
            Kind::Word(name) => into.push(Initial::Symbol(name.into())),
            _ => return Err(self.fail("a value was expected here")),
        }
        Ok(())
    }

    fn body(&mut self, function: &mut Function) -> Result<(), Error> {
        let mut scope = function.scopes.open(None);
        loop {
            match self.take()? {
                Kind::Punct('{') => scope = function.scopes.open(Some(scope)),
                Kind::Punct('}') => match function.scopes.parent(scope) {
                    Some(parent) => scope = parent,
                    None => return Ok(()),
                },
                Kind::Punct(';') => {}
                Kind::Word(".reg") => self.registers(function, scope)?,
                Kind::Word(".shared" | ".local" | ".const" | ".global") => {
                    self.at -= 1;
                    let variable = self.variable()?;
                    function.variables.push(variable);
                }
                Kind::Word(".pragma") => {
                    self.skip(1)?;
                    self.expect(';')?;
                }
                Kind::Word(".loc") => self.skip(3)?,
                Kind::Punct('@') => {
                    let is_negated = self.eat('!');
                    let predicate = self.word()?.to_string();
                    let line = self.line();
                    let name = self.word()?;
                    self.statement(function, scope, line, Some((predicate, is_negated)), name)?;
                }
                Kind::Word(name) if self.eat(':') => {
                    let at = function.body.len();
                    function.scopes.label(scope, name, at);
                    if self.peek() == Some(Kind::Word(".branchtargets")) {
                        self.branch_targets(function, scope)?;
                    }
                }
                Kind::Word(name) if !name.starts_with('.') => {
                    let line = self.tokens[self.at - 1].line;
                    self.statement(function, scope, line, None, name)?;
                }
                Kind::Word(other) => return Err(self.fail(format!("`{other}` is not known here"))),
                _ => return Err(self.fail("an instruction was expected here")),
            }
        }
    }

    /// `.branchtargets a, b;` becomes a statement that `brx.idx` looks at and nothing runs.
    fn branch_targets(&mut self, function: &mut Function, scope: usize) -> Result<(), Error> {
        let line = self.line();
        self.skip(1)?;
        self.statement(function, scope, line, None, ".branchtargets")
    }

    fn registers(&mut self, function: &mut Function, scope: usize) -> Result<(), Error> {
        let word = self.word()?;
        let ty = match (word, size_of_type(word)) {
            (".pred", _) => RegType::Pred,
            (_, Some(bytes)) => RegType::Bits(bytes as u32 * 8),
            _ => return Err(self.fail(format!("`{word}` is no type of a register"))),
        };
        loop {
            let name = self.word()?;
            let mut count = None;
            if self.eat('<') {
                let n = u32::try_from(self.int()?).ok().filter(|n| *n < 1 << 20);
                count = Some(n.ok_or_else(|| self.fail("too many registers"))?);
                self.expect('>')?;
            }
            function.scopes.declare(scope, name, count, ty);
            if self.eat(';') {
                return Ok(());
            }
            self.expect(',')?;
        }
    }

    fn statement(
        &mut self,
        function: &mut Function,
        scope: usize,
        line: u32,
        guard: Option<(String, bool)>,
        name: &str,
    ) -> Result<(), Error> {
        let operands = self.operands()?;
        let name = name.split('.').map(String::from).collect();
        function.body.push(Statement { line, scope, guard, name, operands });
        Ok(())
    }
}

impl Initial {
    /// Bytes of the element.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Initial::Bytes(bytes) => bytes.len() as u64,
            Initial::Symbol(_) => 8,
        }
    }
}
