//! Messages of the D-Bus protocol (D-Bus Specification, "Message Protocol"). The zvariant crate encodes values; a message is
//! a header, padding to eight bytes, and a body.

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};
use zvariant::serialized::{Context, Data};
use zvariant::{BE, Endian, LE, ObjectPath, Signature, Type, Value, to_bytes};

use super::LookupError;

/// The types of a message.
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
/// The fields of a header.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;
/// The version of the protocol.
const VERSION: u8 = 1;
/// The part of a header that every message has, including the length of the fields that follow.
const FIXED: usize = 16;

/// Byte order, type, flags, version, length of the body, serial number, fields.
type ReceivedHeader<'h> = (u8, u8, u8, u8, u32, u32, Vec<(u8, Value<'h>)>);

/// An object on the bus whose methods can be called.
pub(super) struct RemoteObject<'o> {
    pub(super) destination: &'o str,
    pub(super) path: &'o str,
    pub(super) interface: &'o str,
}

impl RemoteObject<'_> {
    /// A call of a method, with the serial number that the reply will name.
    pub(super) fn call<'c>(&'c self, serial: u32, member: &'c str) -> MethodCall<'c> {
        MethodCall { object: self, serial, member }
    }
}

/// A method call without its arguments.
pub(super) struct MethodCall<'c> {
    object: &'c RemoteObject<'c>,
    serial: u32,
    member: &'c str,
}

impl MethodCall<'_> {
    /// The message that makes the call. `body` is one argument, or a tuple of arguments.
    pub(super) fn encode<B: Serialize + Type>(&self, body: &B) -> Result<Vec<u8>, zvariant::Error> {
        let fields = [
            (PATH, FieldValue::Other(ObjectPath::try_from(self.object.path)?.into())),
            (INTERFACE, FieldValue::Other(self.object.interface.into())),
            (MEMBER, FieldValue::Other(self.member.into())),
            (DESTINATION, FieldValue::Other(self.object.destination.into())),
        ];
        encode(METHOD_CALL, self.serial, fields.into(), body)
    }
}

/// The value of a header's field.
pub(super) enum FieldValue<'v> {
    /// The types of a body. The library would put those of more than one argument into brackets.
    Signature(String),
    Other(Value<'v>),
}

impl Type for FieldValue<'_> {
    const SIGNATURE: &'static Signature = &Signature::Variant;
}

impl Serialize for FieldValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            FieldValue::Other(value) => value.serialize(serializer),
            FieldValue::Signature(types) => {
                let mut variant = serializer.serialize_struct("Variant", 2)?;
                variant.serialize_field("signature", &Signature::Signature)?;
                variant.serialize_field("value", types)?;
                variant.end()
            }
        }
    }
}

fn encode<B: Serialize + Type>(
    kind: u8,
    serial: u32,
    mut fields: Vec<(u8, FieldValue<'_>)>,
    body: &B,
) -> Result<Vec<u8>, zvariant::Error> {
    let context = Context::new_dbus(LE, 0);
    let types = B::SIGNATURE.to_string_no_parens();
    if !types.is_empty() {
        fields.push((SIGNATURE, FieldValue::Signature(types)));
    }
    let body = to_bytes(context, body)?;
    let length = u32::try_from(body.len()).map_err(|_| zvariant::Error::OutOfBounds)?;
    let header = to_bytes(context, &(b'l', kind, 0_u8, VERSION, length, serial, fields))?;
    let mut message = header.to_vec();
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend_from_slice(&body);
    Ok(message)
}

/// The length of the message that begins with `bytes`; `None` if there are too few to know.
///
/// Errors: this is not a message.
pub(super) fn length(bytes: &[u8]) -> Result<Option<usize>, LookupError> {
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Ok(None) };
    let endian = endian(fixed[0])?;
    let number = |at: usize| u64::from(endian.read_u32(&fixed[at..at + 4]));
    let (body, fields) = (number(4), number(12));
    let length = FIXED as u64 + fields.next_multiple_of(8) + body;
    // Longer than any memory is longer than what is read.
    Ok(Some(usize::try_from(length).unwrap_or(usize::MAX)))
}

fn endian(flag: u8) -> Result<Endian, LookupError> {
    match flag {
        b'l' => Ok(LE),
        b'B' => Ok(BE),
        _ => Err(LookupError::Malformed),
    }
}

/// A message that was received.
pub(super) struct Message<'b> {
    kind: u8,
    reply_serial: Option<u32>,
    error_name: Option<String>,
    signature: Signature,
    body: Data<'b, 'static>,
}

impl<'b> Message<'b> {
    /// Parses a whole message: as many bytes as [`length`] says.
    pub(super) fn parse(bytes: &'b [u8]) -> Result<Message<'b>, LookupError> {
        let context = Context::new_dbus(endian(*bytes.first().ok_or(LookupError::Malformed)?)?, 0);
        let data = Data::new(bytes, context);
        let ((_, kind, _, version, _, _, fields), header) = data.deserialize::<ReceivedHeader<'_>>()?;
        let body = bytes.get(header.next_multiple_of(8)..).ok_or(LookupError::Malformed)?;
        if version != VERSION {
            return Err(LookupError::Malformed);
        }
        let mut message = Message {
            kind,
            reply_serial: None,
            error_name: None,
            signature: Signature::Unit,
            body: Data::new(body, context),
        };
        for field in fields {
            match field {
                (REPLY_SERIAL, Value::U32(serial)) => message.reply_serial = Some(serial),
                (ERROR_NAME, Value::Str(name)) => message.error_name = Some(name.to_string()),
                (SIGNATURE, Value::Signature(types)) => message.signature = types,
                (REPLY_SERIAL | ERROR_NAME | SIGNATURE, _) => return Err(LookupError::Malformed),
                _ => {}
            }
        }
        Ok(message)
    }

    /// The serial number of the call that this replies to; `None` if it is not a reply. The bus only passes replies on that
    /// were asked for, but signals may have any fields.
    ///
    /// Errors: the reply is an error.
    pub(super) fn reply_to(&self) -> Result<Option<u32>, LookupError> {
        match self.kind {
            METHOD_RETURN => Ok(self.reply_serial),
            ERROR => Err(LookupError::Remote {
                name: self.error_name.clone().unwrap_or_default(),
                text: self.body::<&str>().unwrap_or_default().to_owned(),
            }),
            _ => Ok(None),
        }
    }

    /// The body.
    ///
    /// Errors: it has other types.
    pub(super) fn body<'d, T: Deserialize<'d> + Type>(&'d self) -> Result<T, LookupError> {
        if self.signature != *T::SIGNATURE {
            return Err(LookupError::Malformed);
        }
        Ok(self.body.deserialize()?.0)
    }
}
