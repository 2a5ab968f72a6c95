//! An interpreter of pickles that keeps tensors and skips everything else.
//!
//! It executes no code of a pickle. Objects only collect their content. A call of PyTorch's rebuild functions gives a
//! tensor, and any other call a generic object. Values are in one list and refer to each other by index, which supports
//! cycles and deep nesting.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Seek};

use super::input::{Found, Input};
use super::tensor::{Storage, Strided};
use super::value::{Object, Value};

/// Objects at most, against files that are made to fill the memory.
const MOST_OBJECTS: usize = 1 << 24;

/// The result of a call.
enum Called {
    Known(Value),
    Tensor(Strided),
    /// An object, with keys and values by turns.
    Entries(Vec<Value>),
}

/// The content of a pickle.
pub(super) struct Machine<R> {
    input: Input<R>,
    objects: Vec<Object>,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    /// The storages that were named, by their keys.
    pub storages: BTreeMap<String, Storage>,
}

impl<R: BufRead> Machine<R> {
    /// A machine that reads one pickle after the other.
    pub fn new(input: R) -> Self {
        let (objects, stack, marks) = Default::default();
        Self { input: Input(input), objects, stack, marks, memo: HashMap::new(), storages: BTreeMap::new() }
    }

    pub fn input(&self) -> &R {
        &self.input.0
    }

    /// The position in the input.
    pub fn position(&mut self) -> std::io::Result<u64>
    where
        R: Seek,
    {
        self.input.0.stream_position()
    }

    /// Reads the next pickle. Objects of the one before stay.
    pub fn run(&mut self) -> Found<Value> {
        (self.stack, self.marks, self.memo) = Default::default();
        loop {
            let code = self.input.byte()?;
            if code == b'.' {
                return self.pop();
            }
            self.step(code)?;
        }
    }

    pub fn object(&self, value: Value) -> Option<&Object> {
        match value {
            Value::At(place) => self.objects.get(place),
            _ => None,
        }
    }

    pub fn text(&self, value: Value) -> Option<&str> {
        match self.object(value) {
            Some(Object::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn row(&self, value: Value) -> Option<&[Value]> {
        match self.object(value) {
            Some(Object::Row(row)) => Some(row),
            _ => None,
        }
    }

    pub fn table(&self, value: Value) -> Option<&BTreeMap<String, Value>> {
        match self.object(value) {
            Some(Object::Table(table)) => Some(table),
            _ => None,
        }
    }

    fn step(&mut self, code: u8) -> Found<()> {
        match code {
            // Frames, protocol, buffers that may not be written.
            0x80 => self.input.skip(1),
            0x95 => self.input.skip(8),
            0x98 => Ok(()),
            // Numbers and other plain values.
            b'N' | 0x97 => self.push(Value::Other),
            0x88 | 0x89 => self.push(Value::Flag(code == 0x88)),
            b'K' => self.whole::<1>(),
            b'M' => self.whole::<2>(),
            b'J' => {
                let number = i32::from_le_bytes(self.input.bytes()?);
                self.push(Value::Whole(number.into()))
            }
            0x8a => {
                let length = self.input.length::<1>()?;
                self.long(length)
            }
            0x8b => {
                let length = self.input.length::<4>()?;
                self.long(length)
            }
            b'I' | b'L' => {
                let line = self.input.line()?;
                let number = line.trim_end_matches('L').parse();
                self.push(match (code, line.as_str()) {
                    (b'I', "00" | "01") => Value::Flag(line == "01"),
                    _ => number.map_or(Value::Other, Value::Whole),
                })
            }
            b'G' => self.skip_other(8),
            b'F' | b'P' => {
                self.input.line()?;
                self.push(Value::Other)
            }
            0x82 => self.skip_other(1),
            0x83 => self.skip_other(2),
            0x84 => self.skip_other(4),
            // Text; protocols before 3 write that of Python 2 like bytes.
            b'U' | 0x8c => self.input.length::<1>().and_then(|length| self.read_text(length)),
            b'T' | b'X' => self.input.length::<4>().and_then(|length| self.read_text(length)),
            0x8d => self.input.length::<8>().and_then(|length| self.read_text(length)),
            b'V' => {
                let line = self.input.line()?;
                self.make(Object::Text(unescaped(&line)))
            }
            b'S' => {
                let line = self.input.line()?;
                let quoted = line.get(1..line.len().max(2) - 1).unwrap_or_default();
                self.make(Object::Text(unescaped(quoted)))
            }
            b'C' => self.input.length::<1>().and_then(|length| self.skip_other(length)),
            b'B' => self.input.length::<4>().and_then(|length| self.skip_other(length)),
            0x8e | 0x96 => self.input.length::<8>().and_then(|length| self.skip_other(length)),
            _ => self.build(code),
        }
    }

    /// Instructions that put values together.
    fn build(&mut self, code: u8) -> Found<()> {
        match code {
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' if self.marks.last() == Some(&self.stack.len()) => self.marked().map(drop),
            b'0' => self.pop().map(drop),
            b'1' => self.marked().map(drop),
            b'2' => self.top().and_then(|top| self.push(top)),
            // Tuples, lists and sets; a set is of no use here.
            b')' | b']' => self.make(Object::Row(Vec::new())),
            b't' | b'l' => self.marked().and_then(|items| self.make(Object::Row(items))),
            0x85..=0x87 => {
                let items = (0x84..code).map(|_| self.pop()).collect::<Found<Vec<_>>>()?;
                self.make(Object::Row(items.into_iter().rev().collect()))
            }
            0x8f => self.push(Value::Other),
            0x90 => self.marked().map(drop),
            0x91 => self.marked().and_then(|_| self.push(Value::Other)),
            b'a' => self.pop().and_then(|item| self.append(vec![item])),
            b'e' => self.marked().and_then(|items| self.append(items)),
            // Dictionaries.
            b'}' => self.make(Object::Table(BTreeMap::new())),
            b'd' => {
                let items = self.marked()?;
                self.make(Object::Table(BTreeMap::new()))?;
                self.set(&items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])
            }
            b'u' => self.marked().and_then(|items| self.set(&items)),
            // The memo.
            b'p' | b'q' | b'r' | 0x94 => {
                let place = self.place(code, [b'p', b'q', b'r'])?;
                let top = self.top()?;
                self.memo.insert(place, top);
                Ok(())
            }
            b'g' | b'h' | b'j' => {
                let place = self.place(code, [b'g', b'h', b'j'])?;
                let value = *self.memo.get(&place).ok_or_else(|| format!("no object was stored as {place}"))?;
                self.push(value)
            }
            _ => self.call_something(code),
        }
    }

    /// Instructions that name classes and make objects.
    fn call_something(&mut self, code: u8) -> Found<()> {
        match code {
            b'c' => {
                let name = format!("{}.{}", self.input.line()?, self.input.line()?);
                self.make(Object::Name(name))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.text(module), self.text(name)) {
                    (Some(module), Some(name)) => self.make(Object::Name(format!("{module}.{name}"))),
                    _ => Err("a class whose name is not text".into()),
                }
            }
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                self.call(callee, arguments)
            }
            0x92 => {
                let (_, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callee, arguments)
            }
            b'i' => {
                let name = format!("{}.{}", self.input.line()?, self.input.line()?);
                let arguments = self.marked()?;
                self.make(Object::Name(name))?;
                self.make(Object::Row(arguments))?;
                self.call_something(b'R')
            }
            b'o' => {
                let mut arguments = self.marked()?.into_iter();
                let callee = arguments.next().ok_or("an object of no class")?;
                self.make(Object::Row(arguments.collect()))?;
                let arguments = self.pop()?;
                self.call(callee, arguments)
            }
            // The state of an object: its entries are what matters here.
            b'b' => self.pop().map(drop),
            b'Q' => {
                let id = self.pop()?;
                match Storage::named(self, id) {
                    Some(storage) => {
                        self.storages.insert(storage.key.clone(), storage.clone());
                        self.make(Object::Storage(storage))
                    }
                    None => self.push(Value::Other),
                }
            }
            code => Err(format!("{code:#04x} is not a pickle instruction")),
        }
    }

    /// Calls a function, or makes an object of a class.
    fn call(&mut self, callee: Value, arguments: Value) -> Found<()> {
        match self.result(callee, arguments) {
            Called::Known(value) => self.push(value),
            Called::Tensor(tensor) => self.make(Object::Tensor(tensor)),
            Called::Entries(items) => {
                self.make(Object::Table(BTreeMap::new()))?;
                self.set(&items)
            }
        }
    }

    fn result(&self, callee: Value, arguments: Value) -> Called {
        let name = match self.object(callee) {
            Some(Object::Name(name)) => name.as_str(),
            _ => "",
        };
        match (name, self.row(arguments).unwrap_or_default()) {
            ("torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state", [tensor, ..])
            | ("torch.Size", [tensor, ..]) => Called::Known(*tensor),
            ("copy_reg._reconstructor" | "copyreg._reconstructor", [_, _, contents, ..])
                if self.table(*contents).is_some() =>
            {
                Called::Known(*contents)
            }
            ("torch._tensor._rebuild_from_type_v2" | "torch._tensor._rebuild_from_type", [inner, _, given, ..]) => {
                match (self.object(*inner), self.row(*given)) {
                    (Some(Object::Name(name)), Some(given)) => self.tensor(name, given),
                    _ => Called::Known(Value::Other),
                }
            }
            (name, given) => self.tensor(name, given),
        }
    }

    /// A tensor where the function rebuilds one; otherwise an object of which the pairs of its first argument are entries, as of an
    /// ordered dictionary.
    fn tensor(&self, function: &str, given: &[Value]) -> Called {
        if let Some(tensor) = Strided::rebuilt(self, function, given) {
            return Called::Tensor(tensor);
        }
        let pairs = given.first().and_then(|&pairs| self.row(pairs)).unwrap_or_default();
        let pairs = pairs.iter().filter_map(|&pair| <[Value; 2]>::try_from(self.row(pair)?).ok());
        Called::Entries(pairs.flatten().collect())
    }

    /// Puts keys and values by turns into the dictionary on the stack; keys that are no text are let go.
    fn set(&mut self, items: &[Value]) -> Found<()> {
        let Value::At(place) = self.top()? else { return Ok(()) };
        for pair in items.chunks_exact(2) {
            let Some(key) = self.text(pair[0]).map(str::to_owned) else { continue };
            if let Some(Object::Table(table)) = self.objects.get_mut(place) {
                table.insert(key, pair[1]);
            }
        }
        Ok(())
    }

    fn append(&mut self, items: Vec<Value>) -> Found<()> {
        if let Value::At(place) = self.top()?
            && let Some(Object::Row(row)) = self.objects.get_mut(place)
        {
            row.extend(items);
        }
        Ok(())
    }

    fn make(&mut self, object: Object) -> Found<()> {
        if self.objects.len() == MOST_OBJECTS {
            return Err(format!("more than {MOST_OBJECTS} objects"));
        }
        self.objects.push(object);
        self.push(Value::At(self.objects.len() - 1))
    }

    fn push(&mut self, value: Value) -> Found<()> {
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Found<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = if self.stack.len() > floor { self.stack.pop() } else { None };
        top.ok_or_else(|| "an instruction lacks its operand".into())
    }

    fn top(&mut self) -> Found<Value> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(top)
    }

    fn marked(&mut self) -> Found<Vec<Value>> {
        let mark = self.marks.pop().ok_or("an instruction lacks its mark")?;
        Ok(self.stack.split_off(mark))
    }

    /// The number of an entry of the memo, as text or in one or four bytes; without any of these the next one.
    fn place(&mut self, code: u8, [text, one, four]: [u8; 3]) -> Found<u64> {
        match code {
            _ if code == text => self.input.line()?.parse().map_err(|_| "an entry without a number".to_owned()),
            _ if code == one => self.input.length::<1>(),
            _ if code == four => self.input.length::<4>(),
            _ => Ok(self.memo.len() as u64),
        }
    }

    fn whole<const BYTES: usize>(&mut self) -> Found<()> {
        let number = self.input.length::<BYTES>()?;
        self.push(i64::try_from(number).map_or(Value::Other, Value::Whole))
    }

    /// A whole number of any length; what is longer than 64 bits is of no use here.
    fn long(&mut self, length: u64) -> Found<()> {
        if length > 8 {
            return self.skip_other(length);
        }
        let bytes = self.input.read(length)?;
        let sign = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
        let mut whole = [sign; 8];
        whole[..bytes.len()].copy_from_slice(&bytes);
        self.push(Value::Whole(i64::from_le_bytes(whole)))
    }

    fn read_text(&mut self, length: u64) -> Found<()> {
        let bytes = self.input.read(length)?;
        self.make(Object::Text(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn skip_other(&mut self, length: u64) -> Found<()> {
        self.input.skip(length)?;
        self.push(Value::Other)
    }
}

/// Text as protocol 0 writes it: what is beyond Latin-1 by its number. Names of tensors have nothing of the kind.
fn unescaped(line: &str) -> String {
    line.replace("\\u005c", "\\").replace("\\u000a", "\n")
}
