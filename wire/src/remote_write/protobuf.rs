//! Protobuf's wire format: fields one after the other, as slices of what they are read from.

/// The bytes are not what they should be; says what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

const ENDS_EARLY: Malformed = Malformed("it ends within a field");
const WRONG_TYPE: Malformed = Malformed("a field has another type");

/// The fields of a message.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    value: Value<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32,
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field; nothing at the end of the message.
    #[inline]
    pub(super) fn next_field(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| Malformed("a field's number"))?;
        if number == 0 {
            return Err(Malformed("a field has no number"));
        }
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.array()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| ENDS_EARLY)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(ENDS_EARLY)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            5 => {
                self.array::<4>()?;
                Value::Fixed32
            }
            // Groups went out of use before remote write was made.
            _ => return Err(Malformed("a field has no type that is known")),
        };
        Ok(Some(Field { number, value }))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        let (number, rest) = varint(self.rest)?;
        self.rest = rest;
        Ok(number)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

impl<'a> Field<'a> {
    #[inline]
    pub(super) fn varint(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Varint(number) => Ok(number),
            _ => Err(WRONG_TYPE),
        }
    }

    #[inline]
    pub(super) fn double(&self) -> Result<f64, Malformed> {
        match self.value {
            Value::Fixed64(bytes) => Ok(f64::from_le_bytes(bytes)),
            _ => Err(WRONG_TYPE),
        }
    }

    #[inline]
    pub(super) fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(WRONG_TYPE),
        }
    }

    /// Takes in the numbers of a repeated field: all of them where it is packed, or one of them.
    #[inline]
    pub(super) fn each_varint<E: From<Malformed>>(
        &self,
        mut take: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.value {
            Value::Varint(number) => take(number),
            Value::Bytes(mut packed) => {
                while !packed.is_empty() {
                    let (number, rest) = varint(packed)?;
                    packed = rest;
                    take(number)?;
                }
                Ok(())
            }
            Value::Fixed64(_) | Value::Fixed32 => Err(WRONG_TYPE.into()),
        }
    }
}

#[inline]
fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    // Nearly every key, length and reference is a single byte.
    match bytes.split_first() {
        Some((first, rest)) if *first < 0x80 => Ok((u64::from(*first), rest)),
        Some(_) => long_varint(bytes),
        None => Err(ENDS_EARLY),
    }
}

fn long_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let mut number = 0u64;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        // Of a tenth byte only one bit has room; the others are lost, as protobuf has it.
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok((number, &bytes[place + 1..]));
        }
    }
    match bytes.len() {
        0..10 => Err(ENDS_EARLY),
        _ => Err(Malformed("a number is longer than ten bytes")),
    }
}
